"""Sentences about choices that were made for the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tf_inverse.adopt import defaults, ends, layouts
from tf_inverse.errors import UsageError
from tf_inverse.layers import taps
from tf_inverse.networks import logits

if TYPE_CHECKING:
    from tf_inverse.adopt.facts import Classifier, Generator
    from tf_inverse.networks.networks import Networks

NARROW = 8
"""A side of fewer pixels is more likely the number of channels of a series than a picture's."""


def read(f: Classifier) -> str:
    """A sentence that tells how the input of a classifier is read.

    Args:
        f: Facts of the classifier.

    Raises:
        UsageError: Its input is no picture.
    """
    image = f.picture
    sides = [side or "any" for side in image.size]
    if 1 in sides:
        raise UsageError(
            f"expected a classifier of pictures, {f.model.name} takes {list(image.shape)}, which "
            f"is a row of numbers; docs/vectors.md tells how those are sampled"
        )
    colour = {1: "grey", 3: "colour"}[image.channels]
    text = f"an input {list(image.shape)} is read as a {colour} picture, {sides[0]} pixels high "
    text += f"and {sides[1]} wide"
    if any(side is not None and side < NARROW for side in image.size):
        text += "; a series or a table is none: see docs/vectors.md"
    return text


def generator(G: Generator) -> list[str]:
    """A sentence that doubts a generator of images from images, as a whole autoencoder is one.

    Args:
        G: Facts of the generator.
    """
    taken = [list(one.shape[1:]) for one in G.model.inputs if one.name not in G.fixed]
    if taken != [list(layouts.output_shape(G.model))]:
        return []
    return [
        f"codes are of the shape {taken[0]} of the generator's own images: of a whole autoencoder "
        f"give the decoder alone"
    ]


def features(networks: Networks) -> list[str]:
    """A sentence that tells which layers a sparse autoencoder has given to the classifier."""
    shapes = networks.shapes
    layers = [path for path in shapes if f"{ends.FEATURES}/" in f"{path}/"]
    told = ", ".join(f"{path} ({shapes[path][-1]})" for path in layers)
    return [f"layers of the sparse autoencoder, with their units: {told}"]


def chosen(networks: Networks, asked: bool) -> list[str]:
    """Sentences that tell of the encoding and the default target, where they need a word.

    Args:
        networks: The pair.
        asked: Whether the user, or the classifier's folder, named the encoder.
    """
    f, said = networks.classifier, []
    if not asked and networks.encoder.endswith(ends.POOLED):
        layer = networks.encoder.removesuffix(ends.POOLED)
        said.append(
            f"every layer has a map: the encoding is the mean over the map of {layer}, which is "
            f"layer {networks.encoder}; another: --encoder=LAYER"
        )
    if not asked and networks.encoder.endswith(ends.TAKEN):
        layer = networks.encoder.removesuffix(ends.TAKEN)
        said.append(
            f"every layer but the last has a map: the encoding is what {layer} takes, which is "
            f"layer {networks.encoder}; another: --encoder=LAYER"
        )
    each = ends.members(f)
    own = [name for name in each if f"/{name}/" in f"/{networks.encoder}"]
    if not asked and own:
        said.append(
            f"the classifier joins the answers of {' and '.join(each)}: the encoding is that of "
            f"{own[0]} alone, layer {networks.encoder}; another: --encoder=LAYER"
        )
    last, own_path = defaults.outputs(f, networks.shapes)[0], logits.source(f.outputs[0])
    if not any(f"{path}/".startswith(f"{own_path}/") for path in networks.shapes):
        said.append(
            f"a plain operation ({own_path}) makes the output of what {last} gives, and units are "
            f"of layers: the default target is of {last}, before it; to have the output, save the "
            f"model with keras.layers.Identity() at its end"
        )
    kind, before = logits.kind(dict(taps.walk(f)).get(last)), logits.before(f, last)
    if before is not None:
        said.append(
            f"{last} gives probabilities ({kind}): the default target is of the logits before it, "
            f"{before}; a range of probabilities is {last}:UNIT@0.4:0.6"
        )
    elif networks.probabilities((last,))[0]:
        said.append(
            f"{last} gives probabilities, and no layer gives the logits before them: the default "
            f"target is a range of probabilities"
        )
    return said
