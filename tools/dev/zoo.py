"""The networks that `try_models.py` tries: how each is made, and what `adopt` is told of it."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import zoo_forms as forms
import zoo_guides as guides
from keras import layers
from zoo_families import SIGNED, family

import tf_inverse.layers.registered  # noqa: F401  registers the layers of the shipped pair
from tf_inverse.networks import places

TESTS = pathlib.Path(__file__).resolve().parents[2] / "tests"
DATA = TESTS.parents[1] / "shared" / "data"


class Entry(NamedTuple):
    """A classifier, and how a user would bring it in.

    Attributes:
        classifier: Makes the Keras model.
        generator: Makes another; left out, a small one whose images have the size that the
            classifier takes.
        form: How the classifier comes: a file's name, "saved" for the folder of a SavedModel,
            "object" where it never leaves Python, or a shipped network's name, which is then the
            generator's as well.
        encoder: As `adopt` takes it.
        target: Of `sample`, where a neuron alone stands for what random codes give up to nearly
            the highest; the default one if left out.
        reading: (classifier, pixels) -> output of the target's layer, by Keras alone; left out, a
            layer at the top of the model, or else its first output.
        pixels: (low, high) that the classifier expects.
        fixed: Value of every further input, by name: a number, or a picture [H, W, C] uint8.
    """

    classifier: Callable[[], keras.Model]
    generator: Callable[[], keras.Model] | None = None
    form: str = "classifier.keras"
    encoder: str | None = None
    target: str | None = None
    reading: Callable | None = None
    pixels: tuple[float, float] = (0.0, 255.0)
    fixed: dict[str, float | np.ndarray] = {}


def generator(side: int = 32, channels: int = 3, size: int = 16) -> keras.Model:
    """A small upconvolutional generator, N(0, 1) codes [B, size] -> images in [-1, 1]."""
    quarter = -(-side // 4)
    c = keras.Input((size,), name="code")
    h = layers.Dense(quarter * quarter * 8, activation="relu")(c)
    h = layers.Reshape((quarter, quarter, 8))(h)
    h = layers.Conv2DTranspose(8, 4, strides=2, padding="same", activation="relu")(h)
    h = layers.Conv2DTranspose(channels, 4, strides=2, padding="same")(h)
    if h.shape[1] != side:
        h = layers.CenterCrop(side, side)(h)
    return keras.Model(c, layers.Activation("tanh")(8.0 * h), name="generator")


def face(part: str) -> Callable[[], keras.Model]:
    """A maker of a model of tests/faces.py: SqueezeNet as `port` reads it, or the GAN."""

    def made():
        if not DATA.is_dir():
            raise FileNotFoundError("needs ../shared/data beside the repository")
        if str(TESTS) not in sys.path:
            sys.path.insert(0, str(TESTS))
        import faces

        return getattr(faces, part)(DATA)

    return made


def _shipped():
    return keras.models.load_model(places.find("cifar10") / "classifier.keras", compile=False)


def signed(name: str, generator=None, **options) -> Entry:
    """A model of keras.applications that takes pixels in [-1, 1], and is not told so itself."""
    return Entry(family(name, pixels=SIGNED, **options), generator, pixels=SIGNED)


REFERENCE = np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)
ZOO = {
    "cifar10 (shipped)": Entry(_shipped, form="cifar10"),
    "SqueezeNet x faces": Entry(
        face("classifier"),
        face("generator"),
        encoder="fire9_concat",
        target="pool_final:836@20:25",
    ),
    "transfer learning": Entry(guides.transfer),
    "Normalization adapted": Entry(guides.normalised),
    "Sequential with softmax": Entry(guides.sequential, reading=forms.before_softmax),
    "ViT with positions added": Entry(guides.vit),
    "ViT encoded by its tokens": Entry(guides.vit, encoder="tokens1", target="tokens0:11,0,8"),
    "ConvMixer": Entry(guides.conv_mixer),
    "MLP-Mixer": Entry(guides.mlp_mixer),
    "U-Net": Entry(guides.unet),
    "siamese trunk": Entry(guides.siamese),
    "two images compared": Entry(guides.compared, fixed={"right": REFERENCE}),
    "three deep": Entry(forms.three_deep),
    "three deep: a unit inside": Entry(
        forms.three_deep, target="lowest/relu:3,4,4", reading=forms.lowest
    ),
    "several inputs and outputs": Entry(forms.several, fixed={"age": 30.0}),
    "channels first": Entry(forms.channels_first),
    "recurrent on grey rows": Entry(forms.grey),
    "mixed_bfloat16": Entry(forms.mixed("mixed_bfloat16"), reading=forms.in_float32()),
    "mixed_float16 in .h5": Entry(
        forms.mixed("mixed_float16", guides.conv_mixer),
        form="classifier.h5",
        reading=forms.in_float32(guides.conv_mixer),
    ),
    "quantised int8": Entry(forms.quantised("int8")),
    "quantised int4": Entry(forms.quantised("int4")),
    "quantised float8": Entry(forms.quantised("float8")),
    "subclassed": Entry(forms.subclassed, form="object"),
    "subclassed as SavedModel": Entry(forms.subclassed, form="saved"),
    "MobileNet": signed("MobileNet", alpha=0.25),
    "MobileNetV2": Entry(family("MobileNetV2", "mobilenet_v2", alpha=0.35)),
    "MobileNetV2 with softmax": signed(
        "MobileNetV2", alpha=0.35, classifier_activation="softmax"
    )._replace(reading=forms.before_softmax),
    "MobileNetV2 at 224 px": signed("MobileNetV2", lambda: generator(64), side=224, alpha=0.35),
    "MobileNetV3Small": Entry(family("MobileNetV3Small")),
    "MobileNetV3Large": Entry(family("MobileNetV3Large")),
    "EfficientNetB0": Entry(family("EfficientNetB0")),
    "EfficientNetV2B0": Entry(family("EfficientNetV2B0")),
    "VGG16": Entry(family("VGG16", "vgg16")),
    "VGG19": Entry(family("VGG19", "vgg19")),
    "ResNet50": Entry(family("ResNet50", "resnet50")),
    "ResNet50V2": signed("ResNet50V2"),
    "DenseNet121": Entry(family("DenseNet121", "densenet")),
    "Xception": signed("Xception", side=71),
    "InceptionV3": Entry(family("InceptionV3", "inception_v3", side=75)),
    "InceptionResNetV2": signed("InceptionResNetV2", side=75),
    "NASNetMobile": signed("NASNetMobile"),
    "ConvNeXtTiny": Entry(family("ConvNeXtTiny")),
}
