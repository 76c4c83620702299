"""Adopts networks of many kinds and samples each: a table in Markdown.

    python tools/try_models.py [NAME ...]

Nothing is downloaded. The shipped pair and SqueezeNet with the GAN of faces have trained weights;
those of keras.applications are random, with batch normalisation fitted to random images: what is
tried is whether architectures work, not what they know.
"""

from __future__ import annotations

import pathlib
import sys
import tempfile
import time

import keras
import numpy as np
from keras import layers

from tf_inverse import adopt
from tf_inverse.adopt import check, source
from tf_inverse.band import parse
from tf_inverse.errors import InverseSetError
from tf_inverse.sampler import sample
from tf_inverse.settings import Settings

SIDE, ASKED, K = 32, 10, 5
TESTS = pathlib.Path(__file__).resolve().parents[1] / "tests"
DATA = TESTS.parents[1] / "shared" / "data"


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


def two_inputs():
    """An image and a number, which is fixed."""
    x, age = keras.Input((SIDE, SIDE, 3), name="image"), keras.Input((1,), name="age")
    h = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 5, strides=4, name="conv")(x))
    h = layers.Dense(16, activation="relu", name="fc")(layers.Concatenate()([h, age]))
    return keras.Model([x, age], layers.Dense(4, name="kind")(h), name="two_inputs")


def channels_first():
    """Maps of [channels, rows, columns]."""
    x, first = keras.Input((3, SIDE, SIDE), name="image"), {"data_format": "channels_first"}
    h = layers.Conv2D(8, 5, strides=2, activation="relu", name="conv", **first)(x)
    h = layers.GlobalAveragePooling2D(name="pool", **first)(h)
    return keras.Model(x, layers.Dense(10, name="logits")(h), name="first")


def saved_model():
    """The transformer as a SavedModel, of which only the output is to be had."""
    folder = tempfile.mkdtemp()
    vit().export(folder, verbose=False)
    return folder


def application(name, side=SIDE):
    """A model of keras.applications with random weights, for images of side x side."""

    def made():
        model = source.application(name, None, (side, side, 3))
        norms = [
            layer
            for layer in model._flatten_layers()
            if isinstance(layer, layers.BatchNormalization)
        ]
        momenta = [layer.momentum for layer in norms]
        for layer in norms:
            layer.momentum = 0.0
        model(np.random.default_rng(0).uniform(0, 255, (16, side, side, 3)), training=True)
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum
        return model

    return made


def face(part):
    """A model of tests/faces.py: SqueezeNet as `port` reads it, or the GAN."""

    def made():
        if not DATA.is_dir():
            raise FileNotFoundError("skipped: needs ../shared/data beside the repository")
        sys.path.insert(0, str(TESTS))
        import faces

        return getattr(faces, part)(DATA)

    return made


def shipped():
    """The pair that comes with the package."""
    return "cifar10"


# Classifier, generator, then: encoder, layer or target to sample (the output's liveliest unit).
MODELS = {
    "cifar10 (shipped)": (shipped, shipped, {"target": "fc8:ship@p99:p99.8"}),
    "SqueezeNet x faces": (
        face("classifier"),
        face("generator"),
        {"encoder": "fire9_concat", "target": "pool_final:836@20:25"},
    ),
    "MobileNetV2": (application("MobileNetV2"), generator, {}),
    "ResNet50V2": (application("ResNet50V2"), generator, {}),
    "EfficientNetB0": (application("EfficientNetB0"), generator, {}),
    "ConvNeXtTiny": (application("ConvNeXtTiny"), generator, {}),
    "MobileNetV2, 224 px": (application("MobileNetV2", 224), lambda: generator(64), {}),
    "MobileNetV2, nested conv": (
        application("MobileNetV2"),
        generator,
        {"layer": "block_6_expand"},
    ),
    "ViT-like": (vit, generator, {}),
    "ViT-like, a token": (vit, generator, {"encoder": "mean_token", "layer": "tokens1"}),
    "ViT-like, SavedModel": (saved_model, generator, {"trust": True}),
    "grey 28 x 28": (grey, lambda: generator(28, 1), {"encoder": "fc"}),
    "two outputs, nested": (two_headed, generator, {"encoder": "fc", "layer": "trunk/conv"}),
    "two inputs": (two_inputs, generator, {"encoder": "fc", "fixed": {"age": 30.0}}),
    "channels first": (channels_first, generator, {"layer": "conv"}),
}


def attempt(classifier, made, options) -> dict:
    """Adopt, sample, and tell what came of it."""
    keras.utils.set_random_seed(0)
    asked = {name: options.get(name) for name in ("layer", "target")}
    options = {name: value for name, value in options.items() if name not in asked}
    f, G = classifier(), made()
    started = time.monotonic()
    networks, _ = adopt.adopt(f, G, **options)
    adopted, target = time.monotonic(), asked["target"] or networks.default
    if asked["layer"] is not None:
        target = _target(networks, asked["layer"])
    found, steps, trouble = 0, 0, ""
    try:
        for batch in sample(networks, parse(target, networks), Settings(n=ASKED, K=K)):
            found, steps = batch.info.found, batch.info.steps
    except InverseSetError as error:
        trouble = str(error)
    return {
        "encoder": networks.encoder.rpartition("/")[2],
        "target": target.rpartition("/")[2],
        "found": f"{found}/{ASKED}",
        "steps": steps,
        "adopt, s": f"{adopted - started:.0f}",
        "sample, s": f"{time.monotonic() - adopted:.0f}",
        "trouble": trouble,
    }


def _target(networks, layer):
    seen = check.images(networks, (-1.0, 1.0))
    neuron = check.liveliest(networks, layer, seen)
    stored = np.rint(seen.images.clip(0, 255)).astype(np.uint8)
    low, high = np.percentile(networks.score(stored, (neuron,))[1], (60, 95))
    return f"{neuron}@{low:.6g}:{high:.6g}"


def main(names) -> None:
    """Print the table, a row as soon as it is known."""
    head = ("model", "encoder", "target", "found", "steps", "adopt, s", "sample, s", "trouble")
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for name in names or MODELS:
        try:
            row = attempt(*MODELS[name])
        except FileNotFoundError as error:
            row = {"trouble": str(error)}
        print(f"| {name} | {' | '.join(str(row.get(key, '')) for key in head[1:])} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
