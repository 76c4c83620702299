"""Sentences about choices that were made for the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tf_inverse.adopt import defaults, ends, layouts
from tf_inverse.errors import UsageError
from tf_inverse.layers import taps
from tf_inverse.networks import logits

if TYPE_CHECKING:
    from tf_inverse.adopt.check import Seen
    from tf_inverse.adopt.facts import Classifier, Generator
    from tf_inverse.networks.networks import Networks

NARROW = 8
"""A side of fewer pixels is more likely the number of channels of a series than a picture's."""

STRETCHED = 0.02
"""Sides that differ in proportion by this share are told: what is rounded differs by less."""

FILLED = 0.55
"""Share of a range that images in its inner half fill at most, and a little."""


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


def generator(G: Generator, f: Classifier) -> list[str]:
    """Sentences that doubt how codes and images of a generator are read, where they need it.

    Args:
        G: Facts of the generator.
        f: Facts of the classifier, which its images are brought to the size of.
    """
    said, shape = [], layouts.output_shape(G.model)
    (taken,) = (tuple(one.shape[1:]) for one in G.model.inputs if one.name not in G.fixed)
    if _is_picture(taken) and _is_picture(shape):
        said.append(
            f"codes are of the shape {list(taken)} of pictures, and begin as noise: of a whole "
            f"autoencoder give the decoder alone; of a network that makes pictures of other "
            f"pictures, as CycleGAN's, samples begin at noise too"
        )
    rows, columns, _ = layouts.image_shape(G.model)
    if len(shape) == 2 or min(rows, columns) < NARROW:
        said.append(
            f"an output {list(shape)} is read as a picture, {rows} pixels high and {columns} wide; "
            f"tokens or patches are none: save a model that puts the picture together"
        )
    own, size = G.image[:2], [side for side in f.picture.size if side is not None]
    if len(size) == 2 and abs(own[0] * size[1] / (own[1] * size[0]) - 1.0) > STRETCHED:
        square = G.crop is None and size[0] == size[1]
        said.append(
            f"images of {own[0]} x {own[1]} pixels (rows, columns) are stretched to the "
            f"classifier's {size[0]} x {size[1]}, which has other proportions"
            + f"; --crop={min(own)} takes the centre square"
            * square
        )
    return said


def _is_picture(shape: tuple[int | None, ...]) -> bool:
    """Whether a shape is one of pictures, and not of a grid of a few codes."""
    sizes = [side for side in shape if side is not None]
    if len(shape) != 3 or len(sizes) < 3:
        return False
    first = layouts.channels_first((None, *shape))
    *sides, channels = (*sizes[1:], sizes[0]) if first else sizes
    return channels in layouts.CHANNELS and min(sides) >= NARROW


def guessed(G: Generator, seen: Seen) -> list[str]:
    """A sentence that doubts a range that was told from a generator's images, and not by its end.

    Half of a range is filled by images that learned from others, as -0.5:0.5, and by those of a
    generator that has learned little.

    Args:
        G: Facts of the generator.
        seen: What its random codes gave.
    """
    if not G.guessed:
        return []
    least, most = np.percentile(seen.images, (1, 99)) / 255.0
    if most - least > FILLED:
        return []
    low, high = G.pixels
    own = [low + float(x) * (high - low) for x in (least, most)]
    return [
        f"the generator's pixels lie from {own[0]:.2g} to {own[1]:.2g} and are read in the range "
        f"{low:g}:{high:g}, of which they fill {most - least:.0%}: --range=LOW:HIGH tells which of "
        f"them are black and white, where it learned from others"
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
