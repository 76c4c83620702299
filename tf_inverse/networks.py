"""Generator G, classifier f and its encoding layer E. One look: codes -> View(x, e, z)."""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tf_inverse.band import Neuron
from tf_inverse.codes import Codes
from tf_inverse.errors import UsageError
from tf_inverse.natural import Natural
from tf_inverse.precision import cast


class View(NamedTuple):
    """What a look sees: images x [K, H, W, C], encodings e [K, d_E], activations z [K, p]."""

    x: Any
    e: Any
    z: Any


@dataclass(eq=False)
class Networks:
    """A generator and a classifier, with all that a run needs to know about them.

    Attributes:
        name: For tables and archives.
        classifier: Keras model, RGB 0..255 [B, H, W, C] -> anything; its layers hold the neurons.
        generator: Keras model, codes [B, d] -> RGB 0..255 [B, H, W, C], unclipped.
        encoder: Layer of the classifier whose flattened output is the encoding e.
        codes: Distribution of codes.
        crop: Side of the centre square that is cut from the generator's image, or None.
        labels: (layer, names of its units), or None.
        natural: Statistics over natural images, or None.
        checksums: sha256 of each file, by name.
        default: Targets of a run that names none, or None.
    """

    name: str
    classifier: keras.Model
    generator: keras.Model
    encoder: str
    codes: Codes
    crop: int | None = None
    labels: tuple[str, tuple[str, ...]] | None = None
    natural: Natural | None = None
    checksums: dict[str, str] = field(default_factory=dict)
    default: str | None = None

    def __post_init__(self):
        d = self.generator.input_shape[-1]
        if d != self.codes.size:
            raise UsageError(f"expected codes of the generator's size {d}, got {self.codes.size}")
        if self.image_shape[-1] != self.classifier.input_shape[-1]:
            raise UsageError(
                f"expected a generator of the classifier's {self.classifier.input_shape[-1]} "
                f"channels, got {self.image_shape[-1]}"
            )
        self.layer_shape(self.encoder)
        self._trunks: dict[tuple[str, ...], keras.Model] = {}
        self._compiled: dict[Any, Any] = {}

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image x: the generator's, after the crop."""
        h, w, channels = self.generator.output_shape[1:]
        return (self.crop or h, self.crop or w, channels)

    def layer_shape(self, layer: str) -> tuple[int, ...]:
        """Shape of a layer's output without the batch axis.

        Raises:
            UsageError: The classifier has no such layer, or no fixed shape of it.
        """
        names = [one.name for one in self.classifier.layers]
        if layer not in names:
            near = difflib.get_close_matches(layer, names, 3, 0.4) or names[-3:]
            raise UsageError(
                f"expected a layer of {self.classifier.name}, got {layer!r}; "
                f"near it are {', '.join(near)}"
            )
        shape = self.classifier.get_layer(layer).output.shape[1:]
        if None in shape:
            raise UsageError(f"expected a fixed output shape of layer {layer}, got {list(shape)}")
        return tuple(shape)

    def look(self, c, layers: tuple[str, ...], index) -> View:
        """G, E and f at once, differentiable, on the images as they would be stored.

        Images are clipped to 0..255 and rounded on the way forward; gradients pass through both as
        if they were not there, so that a saturated pixel can come back.

        Args:
            c: Codes, [K, d].
            layers: Layer of each of p neurons.
            index: Where in its layer each is, [p, 3]: see `index`.

        Returns:
            x [K, H, W, C] whole numbers 0..255, e [K, d_E], z [K, p], all float32.
        """
        x = self.cropped(tf.cast(self.generator(c, training=False), tf.float32))
        x = x + tf.stop_gradient(tf.round(tf.clip_by_value(x, 0.0, 255.0)) - x)
        return View(x, *self.read(x, layers, index))

    def read(self, x, layers: tuple[str, ...], index):
        """E and f of images: e [K, d_E] and z [K, p] of x [K, H, W, C] in RGB 0..255."""
        taps = tuple(dict.fromkeys((self.encoder, *layers)))
        outputs = dict(zip(taps, self._trunk(taps)(self.fitted(x), training=False), strict=True))
        e = tf.cast(outputs[self.encoder], tf.float32)
        e = tf.reshape(e, (-1, int(np.prod(e.shape[1:]))))
        z = [activation(tf.cast(outputs[n], tf.float32), index[i]) for i, n in enumerate(layers)]
        return e, tf.stack(z, axis=1) if z else tf.zeros((tf.shape(e)[0], 0))

    def cropped(self, x):
        """The centre square of the generator's image; its corner is (H - crop) // 2, as ppgn's."""
        if self.crop is None:
            return x
        top, left = ((size - self.crop) // 2 for size in x.shape[1:3])
        return x[:, top : top + self.crop, left : left + self.crop]

    def fitted(self, x):
        """Images at the classifier's size: resized bilinearly, antialiased where they shrink."""
        size = self.classifier.input_shape[1:3]
        if None in size or tuple(x.shape[1:3]) == size:
            return x
        return tf.image.resize(x, size, antialias=True)

    def _trunk(self, layers):
        # One forward pass serves E and every neuron, and stops after the deepest layer needed.
        if layers not in self._trunks:
            outputs = [self.classifier.get_layer(layer).output for layer in layers]
            self._trunks[layers] = keras.Model(self.classifier.inputs, outputs)
        return self._trunks[layers]

    def at(self, precision: str) -> Networks:
        """The same networks computing in another precision; made once, float32 is this one."""
        if precision == "float32":
            return self

        def made():
            models = {
                name: cast(getattr(self, name), precision) for name in ("classifier", "generator")
            }
            return dataclasses.replace(self, **models)

        return self.compiled(("at", precision), made)

    def compiled(self, key, make):
        """The compiled function of a key, made once a network however many neurons are sampled."""
        if key not in self._compiled:
            self._compiled[key] = make()
        return self._compiled[key]

    def score(self, images: np.ndarray, neurons: tuple[Neuron, ...], batch: int = 64):
        """Encodings and activations of stored images, in float32.

        Args:
            images: [n, H, W, C] uint8.
            neurons: p neurons.
            batch: Images at a time; short batches are filled up, so that one graph serves all.

        Returns:
            e [n, d_E] and z [n, p], NumPy float32.
        """
        layers = tuple(n.layer for n in neurons)
        read = self.compiled(
            ("read", layers), lambda: tf.function(self.read, reduce_retracing=True)
        )
        parts = []
        for i in range(0, len(images), batch):
            part = images[i : i + batch].astype(np.float32)
            filled = np.concatenate([part, np.zeros((batch - len(part), *part.shape[1:]), "f4")])
            e, z = read(tf.constant(filled), layers, index(neurons))
            parts.append((e.numpy()[: len(part)], z.numpy()[: len(part)]))
        if not parts:
            d_E = int(np.prod(self.layer_shape(self.encoder)))
            return np.zeros((0, d_E), np.float32), np.zeros((0, len(neurons)), np.float32)
        e, z = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return e, z

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Encodings [n, d_E] of images [n, H, W, C] in RGB 0..255."""
        return self.score(images, ())[0]


MEAN, MAX = -1, -2


def index(neurons: tuple[Neuron, ...]):
    """Where each neuron is in its layer: a tensor, so that one graph serves every neuron.

    Returns:
        [p, 3] int32: unit, row, column; row is `MEAN` or `MAX` for one over the whole map.
    """
    over = {"mean": (MEAN, 0), "max": (MAX, 0), None: (0, 0)}
    rows = [(n.unit, *(n.at if isinstance(n.at, tuple) else over[n.at])) for n in neurons]
    return tf.constant(rows, tf.int32, (len(rows), 3))


def activation(h, place):
    """The activations [K] of one neuron in its layer's output.

    Args:
        h: [K, units], [K, tokens, units] or [K, rows, columns, units].
        place: A row of `index`.
    """
    unit, row, column = place[0], place[1], place[2]
    if len(h.shape) == 2:
        return tf.gather(h, unit, axis=1)
    rows, columns = (1, h.shape[1]) if len(h.shape) == 3 else h.shape[1:3]
    plane = tf.reshape(tf.gather(h, unit, axis=-1), (-1, rows, columns))
    point = tf.gather(tf.gather(plane, tf.maximum(row, 0), axis=1), column, axis=1)
    mean, most = tf.reduce_mean(plane, axis=(1, 2)), tf.reduce_max(plane, axis=(1, 2))
    return tf.where(row == MEAN, mean, tf.where(row == MAX, most, point))
