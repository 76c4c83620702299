"""Run as a process of its own: an export with neither tf_inverse nor Keras to be had."""

import importlib.machinery
import sys


class Refuse:
    """An importer that finds the package and Keras, and then refuses to load them.

    TensorFlow asks where Keras is before it does without; so not to find it is not enough.
    """

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tf_inverse", "keras", "tf_keras"):
            return importlib.machinery.ModuleSpec(name, self)
        return None

    def create_module(self, spec):
        raise ModuleNotFoundError(spec.name)

    def exec_module(self, module):
        raise ModuleNotFoundError(module.__name__)


sys.meta_path.insert(0, Refuse())

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402


def main(model, inputs, outputs):
    """Call `sample` with each set of inputs in one .npz file, write what comes to another."""
    sample = tf.saved_model.load(model).signatures["sample"]
    found = {}
    with np.load(inputs) as given:
        for case in sorted({name.partition("/")[0] for name in given}):
            named = {n.partition("/")[2]: given[n] for n in given if n.startswith(f"{case}/")}
            result = sample(**{n: tf.constant(a) for n, a in named.items()})
            found |= {f"{case}/{n}": a.numpy() for n, a in result.items()}
    assert not any(name.partition(".")[0] in ("tf_inverse", "keras") for name in sys.modules)
    np.savez(outputs, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
