"""Models as the guides and examples of keras.io build them, at sizes that run in seconds."""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import applications, layers, ops
from zoo_families import SIGNED, lived


def transfer(side: int = 32, base: Callable | None = None) -> keras.Model:
    """Transfer learning: augmentation, preprocess_input as plain operations, a frozen base.

    Args:
        side: Of the images.
        base: Makes the base of that side; a MobileNetV2 if left out.
    """
    x = keras.Input((side, side, 3), name="image")
    h = layers.RandomRotation(0.1)(layers.RandomFlip("horizontal")(x))
    h = applications.mobilenet_v2.preprocess_input(h)
    frozen = lived((base or mobile)(side), SIGNED)
    frozen.trainable = False
    h = layers.GlobalAveragePooling2D(name="pooled")(frozen(h, training=False))
    return keras.Model(x, layers.Dense(5, name="logits")(layers.Dropout(0.2)(h)), name="transfer")


def mobile(side: int) -> keras.Model:
    """The narrowest MobileNetV2, without its top."""
    return applications.MobileNetV2((side, side, 3), 0.35, include_top=False, weights=None)


def separable(side: int) -> keras.Model:
    """A base of two layers, for those who are in a hurry."""
    base = keras.Sequential([keras.Input((side, side, 3))], name="separable")
    base.add(layers.SeparableConv2D(8, 3, strides=2, use_bias=False))
    base.add(layers.BatchNormalization())
    base.add(layers.ReLU(max_value=6))
    return base


def normalised(side: int = 32) -> keras.Model:
    """Pixels standardised by a `Normalization` layer that was adapted to images."""
    x = keras.Input((side, side, 3), name="image")
    norm = layers.Normalization(name="standardised")
    h = layers.Conv2D(8, 3, strides=2, activation="relu")(norm(x))
    h = layers.Dense(16, activation="relu", name="fc")(layers.GlobalAveragePooling2D()(h))
    model = keras.Model(x, layers.Dense(5, name="logits")(h), name="normalised")
    norm.adapt(keras.random.uniform((32, side, side, 3), 60, 220, seed=0))
    return model


def sequential(side: int = 32) -> keras.Model:
    """The first convolutional network of the guides, which ends in a softmax."""
    parts = [keras.Input((side, side, 3)), layers.Rescaling(1 / 255)]
    for filters in (16, 32):
        parts += [layers.Conv2D(filters, 3, activation="relu"), layers.MaxPooling2D()]
    parts += [layers.Flatten(), layers.Dropout(0.5), layers.Dense(10, activation="softmax")]
    return keras.Sequential(parts, name="convnet")


def vit(side: int = 32, patch: int = 8, width: int = 24, blocks: int = 2) -> keras.Model:
    """A vision transformer: embeddings of positions are added to those of patches by `+`."""
    count = (side // patch) ** 2
    x = keras.Input((side, side, 3), name="image")
    h = layers.Conv2D(width, patch, strides=patch, name="patches")(x / 255.0)
    h = layers.Reshape((count, width), name="embedded")(h)
    # A position's number follows from the tokens, so that its embedding is part of the model.
    places = ops.cumsum(ops.ones_like(h[..., 0], dtype="int32"), axis=1) - 1
    h = h + layers.Embedding(count, width, name="places")(places)
    for i in range(blocks):
        a = layers.LayerNormalization(epsilon=1e-6, name=f"norm{i}")(h)
        a = layers.MultiHeadAttention(2, width // 2, dropout=0.1, name=f"attend{i}")(a, a)
        h = layers.Add()([a, h])
        a = layers.Dense(2 * width, activation="gelu")(layers.LayerNormalization(epsilon=1e-6)(h))
        h = layers.Add(name=f"tokens{i}")([layers.Dropout(0.1)(layers.Dense(width)(a)), h])
    h = layers.Dense(32, activation="gelu", name="features")(layers.Flatten()(h))
    return lived(keras.Model(x, layers.Dense(10, name="logits")(h), name="vit"))


def conv_mixer(side: int = 32, patch: int = 4, width: int = 24, blocks: int = 2) -> keras.Model:
    """ConvMixer: depthwise and pointwise convolutions with residuals."""
    x = keras.Input((side, side, 3), name="image")
    h = layers.Conv2D(width, patch, strides=patch)(layers.Rescaling(1 / 255)(x))
    h = layers.BatchNormalization()(layers.Activation("gelu")(h))
    for _ in range(blocks):
        a = layers.Activation("gelu")(layers.DepthwiseConv2D(5, padding="same")(h))
        h = layers.Add()([layers.BatchNormalization()(a), h])
        h = layers.BatchNormalization()(layers.Activation("gelu")(layers.Conv2D(width, 1)(h)))
    h = layers.GlobalAvgPool2D(name="pooled")(h)
    return lived(keras.Model(x, layers.Dense(10, name="logits")(h), name="conv_mixer"))


def mlp_mixer(side: int = 32, patch: int = 8, width: int = 24, blocks: int = 2) -> keras.Model:
    """MLP-Mixer: dense layers over tokens and over channels in turn."""
    count = (side // patch) ** 2
    x = keras.Input((side, side, 3), name="image")
    h = layers.Conv2D(width, patch, strides=patch)(layers.Rescaling(1 / 255)(x))
    h = layers.Reshape((count, width))(h)
    for _ in range(blocks):
        a = ops.transpose(layers.LayerNormalization()(h), (0, 2, 1))
        a = layers.Dense(count)(layers.Dense(2 * count, activation="gelu")(a))
        h = h + ops.transpose(a, (0, 2, 1))
        a = layers.Dense(2 * width, activation="gelu")(layers.LayerNormalization()(h))
        h = h + layers.Dense(width)(a)
    h = layers.GlobalAveragePooling1D(name="pooled")(h)
    return lived(keras.Model(x, layers.Dense(10, name="logits")(h), name="mlp_mixer"))


def unet(side: int = 32) -> keras.Model:
    """A U-Net for segmentation: every layer has a map, the output too."""
    x = keras.Input((side, side, 3), name="image")
    h, down = layers.Rescaling(1 / 255)(x), []
    for i, filters in enumerate((8, 16)):
        h = layers.Conv2D(filters, 3, padding="same", use_bias=False)(h)
        h = layers.Activation("relu", name=f"down{i}")(layers.BatchNormalization()(h))
        down.append(h)
        h = layers.MaxPooling2D()(h)
    h = layers.SeparableConv2D(32, 3, padding="same", activation="relu", name="bottom")(h)
    for i, filters in enumerate((16, 8)):
        h = layers.Conv2DTranspose(filters, 3, strides=2, padding="same", activation="relu")(h)
        h = layers.Concatenate(name=f"up{i}")([h, down.pop()])
    h = layers.Conv2D(3, 3, padding="same", name="classes")(h)
    return lived(keras.Model(x, h, name="unet"))


def trunk(side: int) -> keras.Model:
    """What the two arms of a siamese network share."""
    inner = keras.Input((side, side, 3))
    h = layers.Conv2D(8, 5, strides=2, activation="relu", name="conv")(inner)
    h = layers.BatchNormalization(name="norm")(h)
    h = layers.Dense(16, name="embedding")(layers.GlobalMaxPooling2D()(h))
    return keras.Model(inner, layers.UnitNormalization()(h), name="trunk")


def siamese(side: int = 32) -> keras.Model:
    """One trunk sees the image and the same image turned; told is how they differ."""
    x, shared = keras.Input((side, side, 3), name="image"), trunk(side)
    turned = ops.rot90(x, 1, axes=(1, 2))
    h = layers.Subtract()([shared(x / 255.0), shared(turned / 255.0)])
    apart = ops.concatenate([ops.abs(h), ops.square(h)], axis=-1)
    return lived(keras.Model(x, layers.Dense(2, name="alike")(apart), name="siamese"))


def compared(side: int = 32) -> keras.Model:
    """One trunk sees two images; told is the distance between their embeddings."""
    left, right = (keras.Input((side, side, 3), name=name) for name in ("left", "right"))
    shared = trunk(side)
    h = ops.square(shared(left / 255.0) - shared(right / 255.0))
    h = layers.Dense(8, activation="relu", name="features")(h)
    return keras.Model([left, right], layers.Dense(1, name="distance")(h), name="compared")
