"""Natural statistics of a classifier, and codes of natural images to start from."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from tf_inverse import codes, units
from tf_inverse.adopt import choose
from tf_inverse.natural import LEVELS, Natural

BANK = 500
NEAR = 50
HIGH = (99.0, 99.8)
PASSIVE = ("InputLayer", "Rescaling", "Flatten", "Reshape", "Dropout", "Cropping2D", "Permute")
"""Kinds of layers that have no units of their own: they hand on what comes."""

MOST = 64 << 20
"""Activations that are held at a time."""

PIXELS = 1 << 18
"""Pixels that go through the classifier at a time."""


def described(networks, images: np.ndarray, seed: int, description: str):
    """The networks with statistics over images, and with codes that start as encodings of some.

    Args:
        networks: `networks.Networks`; the generator takes the encoding.
        images: [N, H, W, C] uint8 of the generator's size.
        seed: Chooses the bank: `BANK` images.
        description: What the images are.
    """
    natural = statistics(networks, images, seed, description)
    bounds = (0.0, float(natural.encodings.max())) if natural.encodings.min() >= 0 else None
    bank = codes.Codes("bank", natural.encodings.shape[1], bounds)
    return dataclasses.replace(networks, natural=natural, codes=bank)


def statistics(networks, images: np.ndarray, seed: int, description: str) -> Natural:
    """Statistics of every layer over images, and encodings of some of them.

    Besides the bank, encodings of up to `NEAR` images are kept of every unit of the output (of 20
    units at most) whose activation lies between the percentiles `HIGH`.

    Args:
        networks: As of `described`.
        images: As of `described`, in any order.
        seed: As of `described`.
        description: As of `described`.
    """
    output = choose.output(networks)
    layers, z = {}, None
    for group in _groups(networks, output, len(images)):
        for name, a in responses(networks, group, images).items():
            layers[name] = (a.mean(axis=0), a.std(axis=0), np.percentile(a, LEVELS, axis=0).T)
            z = a if name == output else z
    order = codes.generator(seed, 2).permutation(len(images))
    chosen = list(order[:BANK])
    for column in z.T[:20]:
        low, high = np.percentile(column, HIGH)
        inside = order[(column[order] >= low) & (column[order] <= high)]
        chosen += [i for i in inside[:NEAR] if i not in set(chosen)]
    e = networks.encode(images[chosen])
    return Natural(
        images=len(images),
        description=description,
        levels=np.array(LEVELS),
        layers=layers,
        encodings=e,
        activations={output: z[chosen]},
        bank=e[:BANK],
    )


def _groups(networks, output, count):
    """Layers in groups whose activations over `count` images fit in memory together."""
    listed = {one.name: one.units for one in units.layers(networks) if one.kind not in PASSIVE}
    listed.setdefault(output, networks.layer_shape(output)[-1])
    group, held = [], 0
    for name, width in listed.items():
        if group and (held + width) * count > MOST:
            yield tuple(group)
            group, held = [], 0
        group.append(name)
        held += width
    yield tuple(group)


def responses(networks, layers: tuple[str, ...], images: np.ndarray) -> dict[str, np.ndarray]:
    """Activations of layers over images, of maps at the centre.

    Args:
        networks: `networks.Networks`.
        layers: Names or paths.
        images: [N, H, W, C] uint8.

    Returns:
        Layer -> [N, U] float32.
    """

    def centres(x):
        outputs = networks.outputs(x, layers)[1]
        sides = {name: outputs[name].shape[1:-1] for name in layers}
        return [
            outputs[name][(slice(None), *(side // 2 for side in sides[name]))] for name in layers
        ]

    read = tf.function(centres, reduce_retracing=True, autograph=False)
    batch = batch_of(images)
    parts = [
        [z.numpy() for z in read(tf.constant(images[i : i + batch], tf.float32))]
        for i in range(0, len(images), batch)
    ]
    arrays = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return dict(zip(layers, arrays, strict=True))


def batch_of(images: np.ndarray) -> int:
    """Images at a time, by their size."""
    return int(np.clip(PIXELS // (images.shape[1] * images.shape[2]), 4, 250))
