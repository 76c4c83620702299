"""What a user leaves out: which layer encodes, which is the output, which neuron to begin with."""

from __future__ import annotations

import numpy as np

from tf_inverse import taps
from tf_inverse.adopt import check
from tf_inverse.errors import UsageError


def penultimate(f) -> str:
    """Path of the last layer before the outputs of a model that has units without a map.

    Raises:
        UsageError: There is none.
    """
    shapes = taps.shapes(f)
    flat = [path for path, shape in shapes.items() if len(shape) == 1 and shape[0]]
    # A model within the model comes after its own layers and gives what the last of them gives.
    parents = {path.rpartition("/")[0] for path in flat}
    flat = [path for path in flat if path not in parents]
    # Numbered or named outputs repeat layers, but for a SavedModel's, which are all there is.
    inside = dict(taps.walk(f))
    flat = [path for path in flat if path in inside] or flat
    if not flat:
        raise UsageError(f"expected --encoder=LAYER: {f.name} has no layer without a map")
    ends = outputs(f, shapes)
    before = [path for path in flat if path not in ends]
    return (before or flat)[-1]


def outputs(f, names) -> list[str]:
    """Paths of the layers that give a model's outputs, the first output's first.

    Args:
        f: Functional or sequential.
        names: Paths of layers there are: where an output is no layer's own (a sum, say), the last
            layer is meant.
    """
    inside, paths = dict(taps.walk(f)), []
    for i in range(len(f.outputs)):
        path = _source(f, i)
        # Layers of a model of the user's own class; numbered outputs, where that is all.
        inner = [name for name in names if name.startswith(f"{path}/")]
        layers = [name for name in inner if name in inside]
        own = [path] if path in names else list(names)
        paths.append((layers or inner or own)[-1])
    return paths


def _source(model, index, prefix=""):
    """Path of what gives one output of a model, models within it opened."""
    history = model.outputs[index]._keras_history
    path = prefix + history.operation.name
    if getattr(history.operation, "outputs", None) and hasattr(history.operation, "layers"):
        return _source(history.operation, history.tensor_index, f"{path}/")
    return path


def target(networks, seen) -> str | None:
    """The liveliest unit of the output, from what random codes give up to nearly their highest.

    Raises:
        UsageError: No gradient gets from it to the code.
    """
    layer = networks.labels[0] if networks.labels else output(networks)
    neuron = check.liveliest(networks, layer, seen)
    check.gradient(networks, neuron)
    z = networks.score(np.rint(np.clip(seen.images, 0, 255)).astype(np.uint8), (neuron,))[1]
    low, high = np.percentile(z, (60, 95))
    return f"{neuron}@{low:.6g}:{high:.6g}" if low < high else None


def output(networks) -> str:
    """The path of the layer that gives the classifier's first output."""
    return outputs(networks.classifier, networks.shapes)[0]
