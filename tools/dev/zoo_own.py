"""What a network of the zoo gives for stored images by Keras alone, as its owner would work it out.

Nothing of the package is used here: what it stores is compared with this.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf


def image_shape(model: keras.Model) -> tuple[int, int, int]:
    """Rows, columns and channels of the images that a classifier takes."""
    if not _inputs(model):
        return tuple(model.get_build_config()["input_shape"][1:])
    shape = next(tuple(one.shape[1:]) for one in _inputs(model) if len(one.shape) > 2)
    if len(shape) == 2:
        return (*shape, 1)
    return (*shape[1:], shape[0]) if shape[0] == 3 else shape


def activations(model: keras.Model, entry, images: np.ndarray, target: dict) -> np.ndarray:
    """Activations [n] of the target's unit.

    Args:
        model: As its owner has it.
        entry: `zoo.Entry`, which tells what pixels the model expects.
        images: [n, H, W, C] uint8, as stored.
        target: `layer`, `unit` and `at`, as an archive tells them.
    """
    x = tf.cast(images, tf.float32)
    if tuple(x.shape[1:3]) != image_shape(model)[:2]:
        x = tf.image.resize(x, image_shape(model)[:2], antialias=True)
    read = entry.reading or _output(target["layer"].rpartition("/")[2])
    h = keras.tree.flatten(read(model, _packed(model, entry, np.asarray(x))))[0]
    h = np.asarray(keras.ops.cast(h, "float32"))[..., target["unit"]]
    if h.ndim == 1:
        return h
    row, column = target["at"]
    return h[:, column] if h.ndim == 2 else h[:, row, column]


def _output(layer):
    """A reading of a layer at the top of a model, or else of its first output."""

    def read(model, x):
        if _inputs(model) and layer in [one.name for one in model.layers]:
            model = keras.Model(_form(model), model.get_layer(layer).output)
        # Compiled, as `predict` is: to fuse layers moves the last places of deep networks.
        return tf.function(model, autograph=False)(x, training=False)

    return read


def _packed(model, entry, x):
    """Images [n, H, W, C] in the form of each input, and what the others are fixed at."""
    given = []
    for one in _inputs(model):
        value, shape = entry.fixed.get(one.name, x), tuple(one.shape[1:])
        if np.ndim(value) == 0:
            given.append(np.full((len(x), *shape), value, np.float32))
        else:
            many = value if value is x else np.stack([value] * len(x))
            given.append(_pixels(many, entry.pixels, shape))
    if not given:
        return _pixels(x, entry.pixels, x.shape[1:])
    return keras.tree.pack_sequence_as(_form(model), given)


def _pixels(x, values, shape):
    """Images in the range that is expected, and in the order of an input's axes."""
    low, high = values
    x = (low + x * ((high - low) / 255.0)).astype(np.float32)
    if len(shape) == 2:  # grey, without an axis for it
        return x[..., 0]
    return x if shape[-1] == x.shape[-1] else x.transpose(0, 3, 1, 2)


def _form(model):
    """What the model takes: one tensor, or several in the structure that it was made with."""
    return model.inputs[0] if len(model.inputs) == 1 else model.input


def _inputs(model):
    return getattr(model, "inputs", None) or []
