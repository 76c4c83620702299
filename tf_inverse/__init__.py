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

from typing import TYPE_CHECKING

from tf_inverse.layers import registration
from tf_inverse.version import __version__

if TYPE_CHECKING:
    # For type checkers and editors, which do not follow __getattr__.
    from tf_inverse import adopt, archive, export, metrics, publish
    from tf_inverse.band import Band, Bands, parse
    from tf_inverse.caffe.published import load
    from tf_inverse.directions import Direction
    from tf_inverse.errors import (
        ConversionError,
        InverseSetError,
        RefusedInput,
        SeedsNotFound,
        Stalled,
        Unreachable,
        UsageError,
    )
    from tf_inverse.method.sampler import sample
    from tf_inverse.method.settings import Settings
    from tf_inverse.networks import domains
    from tf_inverse.networks.codes import Codes
    from tf_inverse.networks.networks import Networks
    from tf_inverse.networks.storage import save
    from tf_inverse.neuron import Neuron
    from tf_inverse.run import callback
    from tf_inverse.run.callback import KerasSampler
    from tf_inverse.run.draw import Result, draw

# Where each public name is found.
_NAMES = {
    "Band": "band",
    "Bands": "band",
    "Direction": "directions",
    "Neuron": "neuron",
    "parse": "band",
    "Codes": "networks.codes",
    "Networks": "networks.networks",
    "load": "caffe.published",
    "save": "networks.storage",
    "Settings": "method.settings",
    "sample": "method.sampler",
    "draw": "run.draw",
    "Result": "run.draw",
    "KerasSampler": "run.callback",
    "InverseSetError": "errors",
    "SeedsNotFound": "errors",
    "Stalled": "errors",
    "Unreachable": "errors",
    "UsageError": "errors",
    "RefusedInput": "errors",
    "ConversionError": "errors",
}

# Public modules, by the name that they have here.
_MODULES = {
    "adopt": "adopt",
    "archive": "archive",
    "callback": "run.callback",
    "domains": "networks.domains",
    "export": "export",
    "metrics": "metrics",
    "publish": "publish",
}

__all__ = [
    "Band",
    "Bands",
    "Codes",
    "ConversionError",
    "Direction",
    "InverseSetError",
    "KerasSampler",
    "Networks",
    "Neuron",
    "RefusedInput",
    "Result",
    "SeedsNotFound",
    "Settings",
    "Stalled",
    "Unreachable",
    "UsageError",
    "__version__",
    "adopt",
    "archive",
    "callback",
    "domains",
    "draw",
    "export",
    "load",
    "metrics",
    "parse",
    "publish",
    "sample",
    "save",
]

registration.after_keras()


if not TYPE_CHECKING:
    # To a type checker, a module with this function has every name that anybody writes.

    def __getattr__(name):
        # Lazily: `tf-inverse --help` and readers of archives must not wait for TensorFlow.
        import importlib

        if name in _MODULES:
            return importlib.import_module(f"tf_inverse.{_MODULES[name]}")
        if name not in _NAMES:
            raise AttributeError(f"module 'tf_inverse' has no attribute {name!r}")
        return getattr(importlib.import_module(f"tf_inverse.{_NAMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
