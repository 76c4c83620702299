"""Models of unusual form: nested, with several ends, in other precisions, of own classes."""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import layers, ops
from zoo_families import lived


def three_deep(side: int = 32) -> keras.Model:
    """Models in models in models, with layers of the same name on every floor."""

    def floor(inner, shape, name):
        x = keras.Input(shape)
        h = layers.Conv2D(8, 3, padding="same", name="conv")(x)
        h = layers.ReLU(name="relu")(layers.BatchNormalization(name="norm")(h))
        return keras.Model(x, h if inner is None else inner(h) + h, name=name)

    lowest = floor(None, (side // 2, side // 2, 8), "lowest")
    middle = floor(lowest, (side // 2, side // 2, 8), "middle")
    highest = floor(middle, (side // 2, side // 2, 8), "highest")
    x = keras.Input((side, side, 3), name="image")
    h = layers.Conv2D(8, 3, strides=2, padding="same", name="stem")(x / 127.5 - 1.0)
    h = layers.GlobalAveragePooling2D(name="pooled")(highest(h))
    return lived(keras.Model(x, layers.Dense(10, name="logits")(h), name="three_deep"))


def lowest(model: keras.Model, x):
    """Output of layer `relu` of the lowest floor of `three_deep`, worked out floor by floor."""
    h, floor = model.get_layer("stem")(x / 127.5 - 1.0), model.get_layer("highest")
    while floor is not None:
        h = floor.get_layer("conv")(h)
        h = floor.get_layer("relu")(floor.get_layer("norm")(h, training=False))
        floor = next((one for one in floor.layers if isinstance(one, keras.Model)), None)
    return h


def several(side: int = 32) -> keras.Model:
    """An image and a number in, a dictionary of two answers out."""
    x, age = keras.Input((side, side, 3), name="image"), keras.Input((1,), name="age")
    h = layers.Conv2D(8, 5, strides=4, activation="relu", name="conv")(x / 255.0)
    h = layers.Concatenate()([layers.GlobalAveragePooling2D()(h), age / 100.0])
    h = layers.Dense(16, activation="relu", name="fc")(h)
    heads = {"kind": layers.Dense(4, name="kind")(h), "size": layers.Dense(1, name="size")(h)}
    return keras.Model({"image": x, "age": age}, heads, name="several")


def channels_first(side: int = 32) -> keras.Model:
    """Maps and pixels of [channels, rows, columns]."""
    x, first = keras.Input((3, side, side), name="image"), {"data_format": "channels_first"}
    h = layers.Conv2D(8, 5, strides=2, name="conv", **first)(layers.Rescaling(1 / 255)(x))
    h = layers.ReLU()(layers.BatchNormalization(axis=1)(h))
    h = layers.GlobalAveragePooling2D(name="pool", **first)(h)
    return lived(keras.Model(x, layers.Dense(10, name="logits")(h), name="first"))


def grey() -> keras.Model:
    """A network for 28 x 28 grey images without an axis for their one channel."""
    x = keras.Input((28, 28), name="image")
    h = layers.LSTM(12, return_sequences=True, name="rows")(layers.Rescaling(1 / 255)(x))
    h = layers.Bidirectional(layers.GRU(8), name="both_ways")(h)
    return keras.Model(x, layers.Dense(10, name="logits")(h), name="grey")


def plain(side: int = 32) -> keras.Model:
    """Convolutions and dense layers, to be stored in other precisions."""
    x = keras.Input((side, side, 3), name="image")
    h = layers.Rescaling(1 / 255)(x)
    h = layers.Conv2D(16, 5, strides=4, activation="relu", name="conv")(h)
    h = layers.Dense(32, name="fc")(layers.Flatten()(layers.BatchNormalization()(h)))
    h = layers.ReLU(name="relu")(h + 0.1)
    return lived(keras.Model(x, layers.Dense(10, name="logits")(h), name="plain"))


def mixed(policy: str, make: Callable = plain) -> Callable:
    """A maker of a model as one who trains in half precision has it."""

    def made() -> keras.Model:
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            return make()
        finally:
            keras.config.set_dtype_policy(before)

    return made


def in_float32(make: Callable = plain) -> Callable:
    """Output of a model of half precision, worked out by the same model in float32."""

    def reading(model: keras.Model, x):
        exact = make()
        exact.set_weights([w.astype("float32") for w in model.get_weights()])
        return exact(x, training=False)

    return reading


def before_softmax(model: keras.Model, x):
    """Logits of a model that ends in a dense layer with a softmax, by its kernel and bias."""
    last = model.layers[-1]
    h = keras.Model(model.inputs[0], model.layers[-2].output)(x, training=False)
    return ops.matmul(h, last.kernel) + last.bias


def quantised(mode: str, side: int = 32) -> Callable:
    """A maker of `plain` as `model.quantize` leaves it."""

    def made() -> keras.Model:
        model = plain(side)
        model.quantize(mode)
        return model

    return made


class Own(keras.Model):
    """A subclassed model with plain operations and a branch that no graph of layers tells of."""

    def __init__(self):
        super().__init__(name="own")
        self.conv = layers.Conv2D(8, 5, strides=4, activation="relu", name="conv")
        self.norm = layers.BatchNormalization(name="norm")
        self.first = layers.Dense(16, activation="relu", name="first")
        self.last = layers.Dense(5, name="last")

    def call(self, x, training=None):
        """Logits of images [B, H, W, 3] in 0..255."""
        h = self.norm(self.conv(x / 255.0), training=training)
        h = self.first(ops.mean(h, axis=(1, 2)))
        return self.last(h) if ops.ndim(x) == 4 else h


def subclassed(side: int = 32) -> keras.Model:
    """An `Own` that has seen images."""
    model = Own()
    model(keras.random.uniform((2, side, side, 3), 0, 255, seed=0))
    return model
