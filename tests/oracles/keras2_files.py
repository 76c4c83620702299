"""Makes small models with Keras 2 and records what it computes: an oracle for `keras_file.load`.

    python tests/oracles/keras2_files.py OUT.tar.xz [NAME ...]

Run by Keras 2, in an environment of its own, such as one with tensorflow-cpu 2.12 or 2.15 (Keras 2
is their keras), or 2.18 beside tf-keras 2.18 with TF_USE_LEGACY_KERAS=1. The archive holds, for
each model, NAME.h5, NAME.keras and NAME.npz: an input x and Keras 2's own outputs y0, y1...
tests/keras2 holds those of Keras 2.12, 2.15 and 2.18, made by this file as it stands.
"""

import pathlib
import sys
import tarfile
import tempfile

import numpy as np
import tensorflow as tf

keras = tf.keras
layers = keras.layers
SHAPE = (8, 8, 3)


def convolutions():
    """Words that Keras 3 lacks: `groups`, an axis in a list, initialisers of the wrong layer."""
    return keras.Sequential(
        [
            layers.InputLayer(SHAPE),
            layers.RandomFlip("horizontal"),
            layers.Conv2D(2, 3, activation="relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Conv2DTranspose(2, 3, strides=2),
            layers.DepthwiseConv2D(3, depth_multiplier=2),
            layers.SeparableConv2D(3, 3),
            layers.SpatialDropout2D(0.1),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )


def norms():
    """Several axes, no axis, fixed statistics, names with a slash, Keras 2's hard sigmoid."""
    x = keras.Input(SHAPE)
    h = layers.Normalization(axis=None, mean=0.25, variance=4.0)(x)
    h = layers.Normalization(name="block/adapted")(h)
    a = layers.LayerNormalization(axis=[1, 2, 3], name="block/norm")(h)
    h = layers.Concatenate(name="block/both")([a, layers.LayerNormalization(axis=[-1])(h)])
    h = layers.LeakyReLU(alpha=0.2)(layers.ThresholdedReLU(0.1)(h))
    h = layers.Activation("hard_sigmoid")(h)
    return keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling2D()(h)))


def _trunk():
    x = keras.Input(SHAPE)
    h = layers.Conv2D(2, 3)(layers.Normalization()(x))
    h = layers.BatchNormalization()(h)
    return keras.Model(x, layers.BatchNormalization()(layers.Conv2D(2, 3)(h)), name="trunk")


def transfer():
    """A trunk with its first layers frozen, called with training=False on prepared pixels."""
    trunk, x = _trunk(), keras.Input(SHAPE)
    for layer in trunk.layers[:4]:
        layer.trainable = False
    h = keras.applications.mobilenet_v2.preprocess_input(x)
    h = layers.GlobalAveragePooling2D()(trunk(h, training=False))
    return keras.Model(x, layers.Dense(2)(h))


def shared():
    """A sequential model called twice, a plain operation on what it gives, and two outputs."""
    parts = [layers.InputLayer(SHAPE), layers.Conv2D(2, 3), layers.GlobalMaxPooling2D()]
    twin, x = keras.Sequential(parts, name="twin"), keras.Input(SHAPE)
    a, b = twin(x), twin(1.0 - x[:, ::-1])
    return keras.Model(x, [layers.Dense(2)(a - b), twin(layers.ReLU()(x))])


def attention():
    """Tensors among a call's keywords, and a function of TensorFlow as an activation."""
    x = keras.Input(SHAPE)
    h = layers.Reshape((4, 4))(layers.Conv2D(4, 4, strides=4)(x))
    h = layers.Add()([layers.MultiHeadAttention(2, 2)(h, h), h])
    h = layers.Dense(4, activation=tf.nn.gelu)(layers.LayerNormalization()(h))
    return keras.Model(x, layers.Dense(2)(layers.Flatten()(h)))


def recurrent():
    """`time_major`, and layers in layers."""
    x = keras.Input(SHAPE)
    h = layers.TimeDistributed(layers.Dense(2))(layers.Reshape((8, 24))(x))
    h = layers.Bidirectional(layers.GRU(2, return_sequences=True))(h)
    return keras.Model(x, layers.Dense(2)(layers.LSTM(2, recurrent_activation="hard_sigmoid")(h)))


def mixed():
    """A policy of mixed precision, which Keras 2 writes as another class."""
    return keras.Sequential(
        [
            layers.InputLayer(SHAPE),
            layers.Flatten(),
            layers.Dense(2, dtype=keras.mixed_precision.Policy("mixed_float16")),
        ]
    )


def lost():
    """A layer that Keras 3 has no more."""
    parts = [layers.InputLayer(SHAPE), layers.LocallyConnected2D(1, 3), layers.Flatten()]
    return keras.Sequential(parts)


def program():
    """A Lambda layer."""
    parts = [layers.InputLayer(SHAPE), layers.Lambda(lambda x: 2 * x), layers.Flatten()]
    return keras.Sequential(parts)


MAKERS = (convolutions, norms, transfer, shared, attention, recurrent, mixed, lost, program)


def fill(model, rng):
    """Gives every weight a value of its own, so that none can be taken for another."""
    for weight in model.weights:
        values = rng.normal(size=weight.shape) / max(1, np.prod(weight.shape[:-1]) ** 0.5)
        values = np.abs(values) + 0.1 if "variance" in weight.name else values
        if not weight.dtype.is_integer:
            weight.assign(values.astype(weight.dtype.as_numpy_dtype))


def write(maker, folder, rng):
    """Saves one model in both forms, with an input and the outputs."""
    model, x = maker(), rng.normal(size=(3, *SHAPE)).astype("f4")
    fill(model, rng)
    for layer in model._flatten_layers():
        if isinstance(layer, layers.Normalization) and layer.input_mean is None:
            layer.finalize_state()
    outputs = tf.nest.flatten(model(x, training=False))
    named = {f"y{i}": np.asarray(y, "f4") for i, y in enumerate(outputs)}
    np.savez(folder / f"{maker.__name__}.npz", x=x, **named)
    for ending in ("h5", "keras"):
        model.save(folder / f"{maker.__name__}.{ending}")


def main(out, *names):
    """Writes the archive of the models named, or of all."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for i, maker in enumerate(MAKERS):
            if not names or maker.__name__ in names:
                write(maker, folder, np.random.default_rng(i))
        with tarfile.open(out, "w:xz", preset=9) as archive:
            for file in sorted(folder.iterdir()):
                archive.add(file, file.name)


if __name__ == "__main__":
    main(*sys.argv[1:])
