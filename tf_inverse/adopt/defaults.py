"""What a user leaves out: which layer encodes, which is the output, which neuron to begin with."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from tf_inverse.adopt import check
from tf_inverse.layers import frozen_inputs, taps
from tf_inverse.networks import logits
from tf_inverse.networks.stored_image import stored
from tf_inverse.tensors import Model

if TYPE_CHECKING:
    from tf_inverse.adopt.check import Seen
    from tf_inverse.networks.networks import Networks


def penultimate(f: Model) -> str | None:
    """Path of the last layer without a map before the outputs of a model; None where there is none.

    Logits before a softmax or a sigmoid count as the output.
    """
    shapes = taps.shapes(f)
    flat = [path for path, shape in shapes.items() if len(shape) == 1 and shape[0]]
    # A model within the model comes after its own layers and gives what the last of them gives.
    parents = {path.rpartition("/")[0] for path in flat}
    flat = [path for path in flat if path not in parents]
    # Numbered or named outputs repeat layers, but for a SavedModel's, whose layers they are.
    inside = dict(taps.walk(f))
    graphs = [path for path, layer in inside.items() if isinstance(layer, frozen_inputs.Graph)]
    flat = [path for path in flat if path in inside or path.startswith(tuple(graphs))] or flat
    ends = outputs(f, shapes)
    before = [path for path in flat if path not in ends]
    likely = {path for end in ends for path in logits.behind(f, end)}
    hidden = [path for path in before if path not in likely]
    # Neither are probabilities, as those of the members of an ensemble.
    features = [path for path in hidden if not logits.kind(inside.get(path))]
    found = features or hidden or before or flat
    return found[-1] if found else None


def scores(f: Model) -> set[str]:
    """Paths of the layers that give a model's outputs, or the logits of them."""
    found = outputs(f, taps.shapes(f))
    return {*found, *(path for end in found for path in logits.behind(f, end))}


def outputs(f: Model, names: Collection[str]) -> list[str]:
    """Paths of the layers that give a model's outputs, the first output's first.

    Args:
        f: Functional or sequential.
        names: Paths of layers there are: where an output is no layer's own (a sum, say), the last
            layer is meant.
    """
    inside, paths = dict(taps.walk(f)), []
    for i in range(len(f.outputs)):
        path = logits.source(f.outputs[i])
        # Layers of a model of the user's own class; numbered outputs, where that is all.
        inner = [name for name in names if name.startswith(f"{path}/")]
        layers = [name for name in inner if name in inside]
        own = [path] if path in names else inner or list(names)
        paths.append((layers or own)[-1])
    return paths


def target(networks: Networks, seen: Seen) -> str | None:
    """The liveliest unit of the output, from what random codes give up to nearly their highest.

    Raises:
        UsageError: No gradient gets from it to the code.
    """
    neuron = check.liveliest(networks, output(networks), seen)
    check.gradient(networks, neuron)
    z = networks.activations(stored(seen.images), (neuron,))
    low, high = np.percentile(z, (60, 95))
    # More than six digits where large activations that differ little would give one number twice.
    spans = ((f"{low:.{n}g}", f"{high:.{n}g}") for n in range(6, 18))
    apart = next(((a, b) for a, b in spans if np.float32(a) < np.float32(b)), None)
    return f"{neuron}@{apart[0]}:{apart[1]}" if apart else None


def output(networks: Networks) -> str:
    """The path of the layer whose units count: the first of `ends`."""
    return ends(networks)[0]


def ends(networks: Networks) -> list[str]:
    """Paths of the labelled layer, or the one that gives the classifier's first output.

    Where one of both gives probabilities of which the other is the logits, or has them before it,
    the logits come first and the probabilities second.
    """
    f, last = networks.classifier, outputs(networks.classifier, networks.shapes)[0]
    layer = networks.layer_path(networks.labels.layer) if networks.labels else last
    before = logits.before(f, layer)
    if before:
        return [before, layer]
    return [layer, last] if logits.before(f, last) == layer else [layer]
