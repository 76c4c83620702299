"""Adopts networks of many kinds with random weights and samples each: a table in Markdown.

    python tools/try_models.py [NAME ...]

No weights are downloaded; what is tried is whether architectures work, not what they know.
"""

from __future__ import annotations

import sys
import time

import keras
import numpy as np
from keras import layers

from tf_inverse import adopt
from tf_inverse.band import parse
from tf_inverse.errors import InverseSetError
from tf_inverse.sampler import sample
from tf_inverse.settings import Settings

SIDE, ASKED, K = 32, 10, 5


def generator(side=SIDE, channels=3):
    """A small upconvolutional generator, N(0, 1) codes [B, 16] -> images in [-1, 1]."""
    c = keras.Input((16,), name="code")
    h = layers.Dense(side // 4 * side // 4 * 8, activation="relu")(c)
    h = layers.Reshape((side // 4, side // 4, 8))(h)
    h = layers.Conv2DTranspose(8, 4, strides=2, padding="same", activation="relu")(h)
    h = layers.Conv2DTranspose(channels, 4, strides=2, padding="same")(h)
    return keras.Model(c, layers.Activation("tanh")(8.0 * h), name="generator")


def vit(side=SIDE, patch=8, width=24, blocks=2):
    """A small transformer on patches, with a class token's place taken by the tokens' mean."""
    x = keras.Input((side, side, 3), name="image")
    h = layers.Conv2D(width, patch, strides=patch, name="patches")(layers.Rescaling(1 / 255.0)(x))
    h = layers.Reshape((-1, width), name="embedded")(h)
    for i in range(blocks):
        a = layers.LayerNormalization(name=f"norm{i}")(h)
        h = layers.Add()([h, layers.MultiHeadAttention(2, width // 2, name=f"attend{i}")(a, a)])
        a = layers.Dense(2 * width, activation="gelu")(layers.LayerNormalization()(h))
        h = layers.Add(name=f"tokens{i}")([h, layers.Dense(width)(a)])
    pooled = layers.GlobalAveragePooling1D(name="mean_token")(h)
    return keras.Model(x, layers.Dense(10, name="logits")(pooled), name="vit")


def grey():
    """A network for 28 x 28 grey images."""
    x = keras.Input((28, 28, 1), name="image")
    h = layers.Conv2D(8, 5, strides=2, activation="relu", name="conv")(x)
    h = layers.Dense(32, activation="relu", name="fc")(layers.Flatten()(h))
    return keras.Model(x, layers.Dense(10, name="logits")(h), name="grey")


def two_headed():
    """One trunk inside the model, two outputs."""
    inner = keras.Input((SIDE, SIDE, 3))
    h = layers.Conv2D(8, 5, strides=4, activation="relu", name="conv")(inner)
    trunk = keras.Model(inner, layers.GlobalAveragePooling2D(name="pool")(h), name="trunk")
    x = keras.Input((SIDE, SIDE, 3), name="image")
    h = layers.Dense(16, activation="relu", name="fc")(trunk(x))
    heads = [layers.Dense(4, name="kind")(h), layers.Dense(1, name="size")(h)]
    return keras.Model(x, heads, name="two_headed")


def application(name):
    """A model of keras.applications for images of SIDE pixels."""
    return lambda: f"keras:{name}"


# Classifier, generator, encoder (None: chosen), layer to sample (None: the output's liveliest).
MODELS = {
    "MobileNetV2": (application("MobileNetV2"), generator, None, None),
    "ResNet50V2": (application("ResNet50V2"), generator, None, None),
    "EfficientNetB0": (application("EfficientNetB0"), generator, None, None),
    "ConvNeXtTiny": (application("ConvNeXtTiny"), generator, None, None),
    "vit, output": (vit, generator, None, None),
    "vit, token": (vit, generator, "mean_token", "tokens1"),
    "grey 28 x 28": (grey, lambda: generator(28, 1), "fc", None),
    "two outputs, nested": (two_headed, generator, "fc", "trunk/conv"),
}


def attempt(classifier, made, encoder, layer) -> dict:
    """Adopt, sample, and tell what came of it."""
    keras.utils.set_random_seed(0)
    started = time.monotonic()
    model = classifier()
    size = (SIDE, SIDE, 3) if isinstance(model, str) else None
    networks, _ = adopt.adopt(model, made(), encoder, weights=None, size=size)
    adopted, target = time.monotonic(), networks.default
    if layer is not None:
        target = _target(networks, layer)
    found, steps, trouble = 0, 0, ""
    try:
        for batch in sample(networks, parse(target, networks), Settings(n=ASKED, K=K)):
            found, steps = batch.info.found, batch.info.steps
    except InverseSetError as error:
        trouble = str(error)
    return {
        "encoder": networks.encoder,
        "target": target,
        "found": f"{found}/{ASKED}",
        "steps": steps,
        "adopt, s": f"{adopted - started:.0f}",
        "sample, s": f"{time.monotonic() - adopted:.0f}",
        "trouble": trouble,
    }


def _target(networks, layer):
    seen = adopt.check.images(networks, (-1.0, 1.0))
    neuron = adopt.check.liveliest(networks, layer, seen)
    stored = np.rint(seen.images.clip(0, 255)).astype(np.uint8)
    low, high = np.percentile(networks.score(stored, (neuron,))[1], (60, 95))
    return f"{neuron}@{low:.6g}:{high:.6g}"


def main(names) -> None:
    """Print the table, a row as soon as it is known."""
    head = ("model", "encoder", "target", "found", "steps", "adopt, s", "sample, s", "trouble")
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for name in names or MODELS:
        row = attempt(*MODELS[name])
        print(f"| {name} | {' | '.join(str(row[key]) for key in head[1:])} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
