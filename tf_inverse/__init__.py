"""Sample the inverse set of a neuron: the natural-looking inputs that excite it to a chosen range.

After Hada and Carreira-Perpinan, Sampling the "Inverse Set" of a Neuron (arXiv 1910.04857).

The paper's symbols, as they are used in the code of the method and in flags:

    c   code                    G   generator, x = G(c)         z1, z2  ends of a range
    x   image                   E   encoder, e = E(x)           g       margin; g >= 0 is feasible
    e   encoding                f   activation, z = f(x)        lam     multipliers lambda
    z   activation              K   codes at a time             mu      penalty weight
    n   samples asked for       p   neurons                     m       margins of a row
    a   factor of mu a round    beta  step                      epsilon0  how far inside to aim
    t   a row's own aim         w   width around an aim         d, d_E  sizes of c and e

At the edges (archives, reports, tables) words stand in their place: codes, images, encodings,
activations, steps.
"""

from tf_inverse import registration
from tf_inverse.version import __version__

_PUBLIC = {
    "Band": "band",
    "Neuron": "band",
    "parse": "band",
    "Codes": "codes",
    "Networks": "networks",
    "load": "published",
    "save": "folder",
    "Settings": "settings",
    "sample": "sampler",
    "draw": "result",
    "Result": "result",
    "InverseSetError": "errors",
    "SeedsNotFound": "errors",
    "Stalled": "errors",
    "Unreachable": "errors",
    "UsageError": "errors",
    "RefusedInput": "errors",
    "ConversionError": "errors",
}

__all__ = ["__version__", *_PUBLIC]

registration.after_keras()


def __getattr__(name):
    # Lazily: `tf-inverse --help` and readers of archives must not wait for TensorFlow.
    if name not in _PUBLIC:
        raise AttributeError(f"module 'tf_inverse' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"tf_inverse.{_PUBLIC[name]}"), name)


def __dir__():
    return sorted(__all__)
