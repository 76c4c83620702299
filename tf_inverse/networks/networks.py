"""Generator G, classifier f and its encoding layer E. One look: codes -> View(x, e, z)."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tf_inverse import private
from tf_inverse.band import Neuron
from tf_inverse.compute import arithmetic
from tf_inverse.compute.device import traced
from tf_inverse.compute.precision import exact
from tf_inverse.errors import UsageError
from tf_inverse.layers import fast, taps
from tf_inverse.networks import logits, odds, unit_labels, unit_nature
from tf_inverse.networks.codes import Codes
from tf_inverse.networks.natural import Natural, UnitStatistics
from tf_inverse.networks.neuron_index import Where, index
from tf_inverse.networks.resize import resize
from tf_inverse.networks.stored_image import eight_bits
from tf_inverse.networks.unit_labels import LabelsField
from tf_inverse.networks.yardstick import Yardstick
from tf_inverse.tensors import Array, Tensor

ROLES = ("classifier", "generator")
BATCH = 64
"""Images that are scored at a time."""


class View(NamedTuple):
    """What a look sees.

    Attributes:
        x: Images, [K, H, W, C].
        e: Encodings, [K, d_E].
        z: Activations, [K, p].
        s: What the search goes by, [K, p]: z itself, or its log-odds where z is a probability.
    """

    x: Any
    e: Any
    z: Any
    s: Any


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
        labels: Names of a layer's units, or None; a pair (layer, names) is taken as well.
        natural: Statistics over natural images, or None.
        checksums: sha256 of each file, by name.
        default: Targets of a run that names none, or None.
        stored: How an input is stored, and so looked at: "uint8" for images, 0..255 and rounded, or
            "float32" for vectors, as they are.
        precision: That both models compute in, whatever they are stored in: see `at`.
        folder: Where they were read from, an absolute path; None for a shipped or published pair,
            which its name stands for, and for one that was made in memory.
        yardstick: Of its folder, or None: see `yardstick.of`.
    """

    name: str
    classifier: keras.Model
    generator: keras.Model
    encoder: str
    codes: Codes
    crop: int | None = None
    labels: LabelsField = LabelsField()
    natural: Natural | None = None
    checksums: dict[str, str] = field(default_factory=dict)
    default: str | None = None
    stored: str = "uint8"
    precision: str = "float32"
    folder: str | None = None
    yardstick: Yardstick | None = None

    def __post_init__(self) -> None:
        d = self.generator.input_shape[-1]
        if d != self.codes.size:
            raise UsageError(f"expected codes of the generator's size {d}, got {self.codes.size}")
        height, width = self.generator.output_shape[1:3]
        if self.crop is not None and not 1 <= self.crop <= min(height, width):
            raise UsageError(
                f"expected a crop from 1 to the shorter side of the generator's {height} x {width} "
                f"pixels, got {self.crop}"
            )
        if self.image_shape[-1] != self.classifier.input_shape[-1]:
            raise UsageError(
                f"expected a generator of the classifier's {self.classifier.input_shape[-1]} "
                f"channels, got {self.image_shape[-1]}"
            )
        self._trunks: dict[tuple[str, ...], Any] = {}
        self._compiled: dict[Any, Any] = {}
        # The generator's kernels rest, since a search in half precision has its images from that
        # alone; those of the classifier score in float32 what is found. The generator comes first,
        # so that the other halves take the room that it leaves.
        self._kernels = {
            role: arithmetic.kernels(getattr(self, role), self.precision, role == "generator")
            for role in reversed(ROLES)
            if self.precision != "float32"
        }
        self.layer_shape(self.encoder)
        if self.labels is not None:
            unit_labels.fitting(self.labels, self)
        # Graphs of networks that nobody holds any more would stay: 27 MB of each shipped pair.
        private.tie_gradients()

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
        path = self.layer_path(layer)
        one = taps.top(self.classifier).get(path)
        shape = one.output.shape[1:] if one is not None else self.shapes[path]
        if None in shape:
            raise UsageError(f"expected a fixed output shape of layer {layer}, got {list(shape)}")
        return tuple(shape)

    def layer_path(self, layer: str) -> str:
        """Where a layer is in the classifier: its name, or a path into models within the model.

        Raises:
            UsageError: There is no such layer.
        """
        if layer in taps.top(self.classifier):
            return layer
        return taps.resolve(layer, self.shapes, self.classifier.name)

    def names(self, layer: str) -> tuple[str, ...] | None:
        """Labels of a layer's units, or None; probabilities and their logits share them."""
        if self.labels is None or layer == self.labels.layer:
            return self.labels and self.labels.names
        here, labelled = self.layer_path(layer), self.layer_path(self.labels.layer)
        same = labelled in (here, logits.before(self.classifier, here))
        same |= here == logits.before(self.classifier, labelled)
        return self.labels.names if same else None

    @property
    def shapes(self) -> dict[str, tuple[int | None, ...]]:
        """Shape of what each layer gives, by path, models within the model included."""
        return self.compiled("shapes", lambda: taps.shapes(self.classifier))

    def look(
        self,
        c: Tensor,
        layers: tuple[str, ...],
        index: Where,
        likely: tuple[bool, ...] | None = None,
    ) -> View:
        """G, E and f at once, differentiable, on the images as they would be stored.

        Args:
            c: Codes, [K, d].
            layers: Layer of each of p neurons.
            index: Where in its layer each is: see `neuron_index.index`; or [K, p, 3] where every
                code has neurons of its own.
            likely: What `probabilities` tells of the layers, where another network is to decide.

        Returns:
            View of x, whole numbers 0..255, and of e, z and s, all float32.
        """
        x, likely = self.images(c), likely or self.probabilities(layers)
        e, outputs = self.outputs(x, tuple(dict.fromkeys(layers)))
        z = odds.of_neurons(e, outputs, layers, index)
        return View(
            x, e, z, odds.of_neurons(e, outputs, layers, index, likely) if any(likely) else z
        )

    def looking(self, layers: tuple[str, ...]) -> Any:
        """The compiled look, a `tf.function`: codes, where the layers' neurons are -> View."""
        return self.compiled(
            ("look", layers), lambda: traced(lambda c, where: self.look(c, layers, where))
        )

    def images(self, c: Tensor) -> Tensor:
        """G of codes [K, d], as its images would be stored: whole numbers 0..255, float32.

        They are clipped and rounded on the way forward; gradients pass through both as if they were
        not there, so that a saturated pixel can come back.
        """
        x = self.decode(c)
        return eight_bits(x) if self.stored == "uint8" else x

    def decode(self, c: Tensor) -> Tensor:
        """G of codes [K, d] as it gives them, neither clipped nor rounded: [K, H, W, C] float32."""
        with self._computing("generator"):
            return self.cropped(tf.cast(self.generator(c, training=False), tf.float32))

    @contextlib.contextmanager
    def _computing(self, role: str) -> Iterator[None]:
        model, kernels = getattr(self, role), self._kernels.get(role, ())
        with arithmetic.computing(model, self.precision, kernels), fast.forms(model):
            yield

    def read(self, x: Tensor, layers: tuple[str, ...], index: Where) -> tuple[Tensor, Tensor]:
        """E and f of images: e [K, d_E] and z [K, p] of x [K, H, W, C] in RGB 0..255."""
        e, outputs = self.outputs(x, tuple(dict.fromkeys(layers)))
        return e, odds.of_neurons(e, outputs, layers, index)

    def probabilities(self, layers: tuple[str, ...]) -> tuple[bool, ...]:
        """Of which layers the units are probabilities: what a softmax or a sigmoid gives."""

        def made() -> tuple[bool, ...]:
            return odds.probable(lambda x: self.outputs(x, layers)[1], self.image_shape, layers)

        return self.compiled(("probabilities", layers), made) if layers else ()

    def logits(self, layer: str) -> str | None:
        """Path of the layer whose logits a layer of probabilities takes, or None."""
        return logits.before(self.classifier, self.layer_path(layer))

    def nature(self, neuron: Neuron) -> UnitStatistics | None:
        """What is known of a neuron over natural images, or None: see `unit_nature.statistics`."""
        return unit_nature.statistics(self, neuron)

    def generated(self, neuron: Neuron) -> UnitStatistics:
        """A neuron over images of random codes: see `unit_nature.generated`."""
        return unit_nature.generated(self, neuron)

    def outputs(self, x: Tensor, layers: tuple[str, ...]) -> tuple[Tensor, dict[str, Tensor]]:
        """Encodings e [K, d_E], and what each layer gives by name: float32, in one pass."""
        names = tuple(dict.fromkeys((self.encoder, *layers)))
        with self._computing("classifier"):
            # Keras hands back a list of one as that one.
            h = keras.tree.flatten(self._trunk(names)(self.fitted(x)))
        h = [odds.single(one) for one in h]
        e = tf.reshape(h[0], (-1, int(np.prod(h[0].shape[1:]))))
        return e, dict(zip(names, h, strict=True))

    def cropped(self, x: Tensor) -> Tensor:
        """The centre square of the generator's image; its corner is (H - crop) // 2, as ppgn's."""
        if self.crop is None:
            return x
        top, left = ((size - self.crop) // 2 for size in x.shape[1:3])
        # The gradient of tf.slice pads; that of a strided slice is ten times as slow on a CPU.
        return tf.slice(x, (0, top, left, 0), (-1, self.crop, self.crop, -1))

    def fitted(self, x: Tensor) -> Tensor:
        """Images at the classifier's size: resized bilinearly, antialiased where they shrink."""
        size = self.classifier.input_shape[1:3]
        if None in size or tuple(x.shape[1:3]) == size:
            return x
        return resize(x, size)

    def _trunk(self, layers: tuple[str, ...]) -> Callable[[Tensor], Any]:
        if layers not in self._trunks:
            paths = tuple(map(self.layer_path, layers))
            self._trunks[layers] = taps.trunk(self.classifier, paths)
        return self._trunks[layers]

    def at(self, precision: str) -> Networks:
        """The same networks computing in another precision.

        Their kernels in that precision are made once, and brought up to date at each call.
        """
        if precision == self.precision:
            return self
        other = self._compiled.get(("at", precision))
        for kernels in other._kernels.values() if other else ():
            arithmetic.refresh(kernels)
        return self.compiled(
            ("at", precision), lambda: dataclasses.replace(self, precision=precision)
        )

    def compiled(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The compiled function of a key, made once a network however many neurons are sampled."""
        if key not in self._compiled:
            self._compiled[key] = make()
        return self._compiled[key]

    def forget(self, layer: str) -> None:
        """Lets go of what was compiled for neurons of a layer; who asks again has it made again.

        A process that goes through many layers would hold the graphs of all of them.
        """
        for key in [key for key in self._compiled if _names(key, layer)]:
            del self._compiled[key]
        for names in [names for names in self._trunks if layer in names]:
            del self._trunks[names]
        for made in self._compiled.values():
            if isinstance(made, Networks):
                made.forget(layer)
        private.tie_gradients()
        # Graphs are circles of objects, for which a command has Python look but seldom.
        gc.collect()

    def score(
        self, images: np.ndarray, neurons: tuple[Neuron, ...], batch: int = BATCH
    ) -> tuple[Array, Array]:
        """Encodings and activations of stored images, in float32.

        Args:
            images: [n, H, W, C] uint8.
            neurons: p neurons.
            batch: Images at a time; short batches are filled up, so that one graph serves all.

        Returns:
            e [n, d_E] and z [n, p], NumPy float32.
        """
        parts = list(self._scored(images, neurons, batch))
        if not parts:
            d_E = int(np.prod(self.layer_shape(self.encoder)))
            return np.zeros((0, d_E), np.float32), np.zeros((0, len(neurons)), np.float32)
        e, z = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return e, z

    def activations(
        self, images: np.ndarray, neurons: tuple[Neuron, ...], batch: int = BATCH
    ) -> Array:
        """The activations of `score` alone, [n, p]: no encoding is kept, so n may be large."""
        parts = [z for _, z in self._scored(images, neurons, batch)]
        return np.concatenate([np.zeros((0, len(neurons)), np.float32), *parts])

    def _scored(
        self, images: np.ndarray, neurons: tuple[Neuron, ...], batch: int
    ) -> Iterator[tuple[Array, Array]]:
        """Encodings and activations of a batch after another."""
        layers = tuple(n.layer for n in neurons)
        read = self.compiled(
            ("read", layers),
            lambda: traced(self.read, reduce_retracing=True),
        )
        for i in range(0, len(images), batch):
            part = images[i : i + batch].astype(np.float32)
            filled = np.concatenate([part, np.zeros((batch - len(part), *part.shape[1:]), "f4")])
            with exact():
                e, z = (a.numpy() for a in read(tf.constant(filled), layers, index(neurons)))
            yield e[: len(part)], z[: len(part)]

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Encodings [n, d_E] of images [n, H, W, C] in RGB 0..255."""
        # A few images, as the noise of fresh codes, are not filled up to a whole batch.
        return self.score(images, (), batch=max(1, min(BATCH, len(images))))[0]


def _names(key: Hashable, layer: str) -> bool:
    """Whether a layer stands anywhere in a key, which is made of names, numbers and tuples."""
    return key == layer or (isinstance(key, tuple) and any(_names(part, layer) for part in key))
