"""A judge: any Keras classifier, opened as `adopt` opens one, that names the classes of images."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np
import tensorflow as tf

from tf_inverse.adopt import adapters, loading
from tf_inverse.adopt import pixels as pixel_words
from tf_inverse.adopt.pixels import Pixels
from tf_inverse.archive import atomic
from tf_inverse.compute import arithmetic
from tf_inverse.errors import UsageError, reason
from tf_inverse.networks import repeats
from tf_inverse.networks.resize import resize
from tf_inverse.tensors import Array, Model
from tf_inverse.zoo.labels import for_classes

BATCH, PIXELS = 100, 1 << 20
"""Images, and pixels of what the judge takes, that it looks at together at most."""


@dataclass(frozen=True)
class Judge:
    """A classifier that looks at images, whatever pixels and size it takes itself.

    Attributes:
        name: For tables and files.
        model: Keras model of images in 0..255 with the channels of those that will come.
        labels: Names of its classes, or None where nobody told them.
        sha256: Of its file, or None where it is no single file.
        groups: Classes of the model that stand for each class that the judge tells apart; None
            where they are the same.
    """

    name: str
    model: Model
    labels: tuple[str, ...] | None = None
    sha256: str | None = None
    groups: tuple[tuple[int, ...], ...] | None = None

    @property
    def count(self) -> int:
        """How many classes it tells apart."""
        return len(self.groups) if self.groups else int(self.model.outputs[0].shape[-1])

    def among(self, groups: Sequence[tuple[int, ...]], labels: Sequence[str]) -> Judge:
        """The judge asked which of some classes an image shows, whatever else it knows.

        Args:
            groups: For each of these classes, those of the judge that stand for it.
            labels: Their names.
        """
        return replace(self, groups=tuple(groups), labels=tuple(labels))

    def labelled(self, labels: tuple[str, ...] | None) -> Judge:
        """The judge with labels where it has none and they are as many as its classes."""
        fits = self.labels is None and labels is not None and len(labels) == self.count
        return replace(self, labels=labels) if fits else self

    def outputs(self, images: Array) -> Array:
        """The classifier's outputs for images [N, H, W, C] in 0..255, [N, classes] float32."""
        size = self.model.input_shape[1:3]
        parts = [np.zeros((0, int(self.model.outputs[0].shape[-1])), np.float32)]
        sides = images.shape[1:3] if None in size else size
        # A hundred images of 227 pixels fill six gigabytes in SqueezeNet; of 32 pixels, little.
        rows = int(np.clip(PIXELS // (sides[0] * sides[1]), 1, BATCH))
        with arithmetic.computing(self.model, "float32"):
            for i in range(0, len(images), rows):
                x = tf.constant(np.asarray(images[i : i + rows]), tf.float32)
                if None not in size and tuple(x.shape[1:3]) != size:
                    x = resize(x, size)
                y = tf.nest.flatten(self.model(x, training=False))[0]
                parts.append(np.asarray(y, np.float32))
        found = np.concatenate(parts)
        if not self.groups:
            return found
        return np.stack([found[:, list(group)].max(axis=1) for group in self.groups], axis=1)

    def ranks(self, images: Array, labels: Array) -> Array:
        """How many classes have a larger output than an image's own, [N]; 0 is the first choice.

        Args:
            images: [N, H, W, C] in 0..255.
            labels: [N], numbers of classes.

        Raises:
            UsageError: As of `classes`.
        """
        return ranks(self.finite(images), labels)

    def classes(self, images: Array) -> Array:
        """The class with the largest output for images [N, H, W, C] in 0..255: [N] int32.

        Raises:
            UsageError: Outputs are not finite numbers.
        """
        return self.finite(images).argmax(axis=1).astype(np.int32)

    def finite(self, images: Array) -> Array:
        """The outputs for images [N, H, W, C] in 0..255, [N, classes], all of them finite.

        Raises:
            UsageError: Some are not.
        """
        y = self.outputs(images)
        if not np.isfinite(y).all():
            raise UsageError(
                f"expected finite outputs of the judge {self.name}, got some that are not: does it "
                f"take other pixels (--pixels=LOW:HIGH)?"
            )
        return y


def ranks(outputs: Array, labels: Array) -> Array:
    """How many outputs are larger than that of an image's own class, [N]; 0 is the first choice.

    Args:
        outputs: Of a judge, [N, classes].
        labels: Class of each image, [N].
    """
    own = np.take_along_axis(outputs, np.asarray(labels)[:, None], axis=1)
    return (outputs > own).sum(axis=1)


def load(
    source: str | pathlib.Path | Model,
    channels: int = 3,
    *,
    pixels: Pixels = adapters.PIXELS,
    labels: tuple[str, ...] | None = None,
    size: tuple[int, ...] | None = None,
    weights: str | None = "imagenet",
    trust: bool = False,
) -> Judge:
    """A judge out of any classifier that `adopt` takes.

    Args:
        source: A Keras model, or text: see `loading.FORMS`.
        channels: Of the images that it will see.
        pixels: What pixels it takes.
        labels: Names of its classes; those of its folder by default, and ImageNet's of keras:NAME
            with its weights.
        size: Shape of its input without the batch axis, where it leaves that open.
        weights: Of keras:NAME.
        trust: Whether a SavedModel may be loaded.

    Raises:
        UsageError: It is no classifier of images, has more or fewer classes than labels, or is
            said to take other pixels than it does.
        RefusedInput: A file that cannot be loaded safely.
    """
    pixels = pixel_words.known(pixels)
    opened = loading.open(source, "classifier", size=size, trust=trust, weights=weights)
    loading.expect_pixels(opened, pixels)
    model, told = opened.model, opened.entries
    file = _file(source)
    name = _name(source) or told.get("name", model.name)
    model = _flat(adapters.classifier(model, pixels, channels))
    shape = model.outputs[0].shape
    if len(shape) != 2 or shape[-1] is None or shape[-1] < 2:
        raise UsageError(
            f"expected a judge that gives a number for each of several classes, {name} gives "
            f"{list(shape[1:])}"
        )
    if labels is None and told.get("labels"):
        labels = tuple(told["labels"]["names"])
    elif labels is None and str(source).startswith("keras:") and weights == "imagenet":
        # Keras has its classes in the order of ImageNet's synsets, as everybody has.
        labels = tuple(for_classes(shape[-1]) or ()) or None
    if labels is not None and len(labels) != shape[-1]:
        raise UsageError(f"expected {shape[-1]} labels for the judge {name}, got {len(labels)}")
    judge = Judge(name, model, labels, atomic.checksum(file) if file else None)
    try:
        sides = [side or 64 for side in model.input_shape[1:3]]
        x = np.random.default_rng(0).integers(0, 256, (4, *sides, channels))
        some, again = judge.outputs(x), judge.outputs(x[:3])
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise UsageError(f"the judge {name} fails on an image: {reason(error)}") from error
    repeats.expect_same(f"the judge {name}", "images", some, again)
    return judge


def apart(panel: Sequence[Judge]) -> None:
    """Refuses judges of one name: tables and files have one place for each name.

    Raises:
        UsageError: Two have the same name.
    """
    names = [one.name for one in panel]
    if len(set(names)) < len(names):
        raise UsageError(
            f"expected judges of different names, got {', '.join(names)}: a judge has the name of "
            f"its file or folder; give one of them another"
        )


def _name(source: str | pathlib.Path | Model) -> str | None:
    """The name of the file or folder that a judge is read from, as its user knows it; else None."""
    if not isinstance(source, str | pathlib.Path) or not (path := pathlib.Path(source)).exists():
        return None
    return path.stem if path.is_file() else path.resolve().name


def _flat(model: Model) -> Model:
    """The model with outputs [B, classes] where its last map has one pixel, as SqueezeNet's has."""
    sides = model.outputs[0].shape[1:]
    if len(sides) < 2 or None in sides or math.prod(sides) != max(sides):
        return model
    return keras.Model(model.inputs[0], keras.layers.Flatten()(model.outputs[0]), name=model.name)


def _file(source: str | pathlib.Path | Model) -> pathlib.Path | None:
    """The one file that a judge is read from; None where it is a model, a folder or a name."""
    path = pathlib.Path(source) if isinstance(source, str | pathlib.Path) else None
    return path if path is not None and path.is_file() else None
