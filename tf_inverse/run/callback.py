"""Sampling inside the user's own program: while a classifier trains, or in a `tf.function`."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import keras

from tf_inverse import band, export
from tf_inverse.adopt import adapters, loading
from tf_inverse.adopt.pixels import Pixels
from tf_inverse.archive import Samples
from tf_inverse.errors import Unreachable, UsageError
from tf_inverse.export import endpoints
from tf_inverse.method import normalization
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings
from tf_inverse.networks.codes import Codes
from tf_inverse.networks.networks import Networks
from tf_inverse.tensors import StrPath, Tensor

if TYPE_CHECKING:
    from tf_inverse.method.normalization import Scale


class KerasSampler(keras.callbacks.Callback):
    """Draws from the inverse set of a neuron of the model that is being trained.

    Attributes:
        samples: Epoch -> `archive.Samples`, perhaps fewer than asked for.
        trouble: Epoch -> why there are fewer.
        networks: The pair; its classifier is the model itself, so that it is always up to date.

    Args:
        generator: Keras model, codes [B, d] -> images.
        targets: `LAYER:UNIT@Z1:Z2`, as everywhere.
        encoder: Layer of the classifier whose output is the encoding.
        codes: Distribution of codes; N(0, 1) if left out.
        settings: Of the search; 16 samples if left out.
        every: Epochs from one sample to the next.
        log_dir: Folder for TensorBoard: the images as one sheet, activations as a histogram.
        image_range: (low, high) of the generator's images.
        pixel_range: As of `adopt.adopt`.

    Example:
        watcher = KerasSampler(generator, "fc3:2@1:2", encoder="fc2", log_dir="logs")
        model.fit(x, y, epochs=10, callbacks=[watcher])
        watcher.samples[9].images
    """

    def __init__(
        self,
        generator: keras.Model,
        targets: str,
        *,
        encoder: str,
        codes: Codes | None = None,
        settings: Settings | None = None,
        every: int = 1,
        log_dir: StrPath | None = None,
        image_range: tuple[float, float] = adapters.PIXELS,
        pixel_range: Pixels = adapters.PIXELS,
    ):
        super().__init__()
        if every < 1:
            raise UsageError(f"expected every to be at least 1, got {every}")
        self.generator = adapters.generator(loading.built(generator, role="generator"), image_range)
        self.codes = codes or Codes("normal", self.generator.input_shape[-1])
        self.targets, self.encoder, self.pixel_range = targets, encoder, pixel_range
        self.settings, self.every, self.log_dir = settings or Settings(n=16), every, log_dir
        self.samples: dict[int, Samples] = {}
        self.trouble: dict[int, str] = {}
        self.networks: Networks | None = None
        self._first: Scale | None = None

    def attach(self, model: keras.Model) -> KerasSampler:
        """Take a classifier to sample from; `fit` does it by itself. Returns the sampler.

        Raises:
            UsageError: The targets or the encoder do not fit the model.
        """
        channels = self.generator.output_shape[-1]
        self.networks = Networks(
            name=model.name,
            classifier=adapters.classifier(loading.built(model), self.pixel_range, channels),
            generator=self.generator,
            encoder=self.encoder,
            codes=self.codes,
        )
        self.bands = band.parse(self.targets, self.networks)
        self._first = None
        return self

    def draw(self) -> Samples:
        """Samples of the classifier as it is now.

        Raises:
            Unreachable: Fewer than asked for were found.
            UsageError: No model was attached yet.
        """
        self._expect_attached()
        return Samples.joined(self._batches())

    def _expect_attached(self) -> Networks:
        if self.networks is None:
            raise UsageError(
                "expected a model: call attach(model) first, or fit with this callback"
            )
        return self.networks

    def function(self, layers: tuple[str, ...] | None = None) -> Callable[..., dict[str, Tensor]]:
        """The whole search as a function of tensors, for use inside a `tf.function`.

        Args:
            layers: Layers whose units can be asked for; those of the targets if left out. Targets
                that are directions are further units of their layers, after the layer's own.

        Returns:
            sample(neurons, ranges, sd, codes, aims, rows, count, limit) -> dictionary, as endpoint
            `sample` of an export; see docs/export.md for what goes in and out.
        """
        networks = self._expect_attached()
        layers = layers or tuple(dict.fromkeys(self.bands.layers))
        gathered = export.gather(networks, layers, self.settings, self.bands.neurons)
        return endpoints.make(gathered)["sample"]

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Keras's hook: the model is known from here on, and wrong targets are refused."""
        self.networks = None
        if self.model.built:
            self.attach(self.model)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Keras's hook: a subclassed model tells its input once it was called."""
        if self.networks is None:
            self.attach(self.model)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keras's hook: sample, remember, show."""
        if (epoch + 1) % self.every:
            return
        batches = []
        try:
            for batch in self._batches():
                batches.append(batch)
        except Unreachable as error:
            # A neuron that cannot be sampled yet must not end the training.
            self.trouble[epoch] = str(error)
        if batches:
            self.samples[epoch] = Samples.joined(batches)
            self._show(epoch)

    def _batches(self) -> Iterator[Samples]:
        networks = self._expect_attached()
        now = normalization.measure(networks, self.bands.neurons)
        # Only a unit of measure: with the first one, one graph serves all epochs.
        self._first = self._first or now
        now = now._replace(e_sd=self._first.e_sd, x_sd=self._first.x_sd)
        for batch in sample(networks, self.bands, self.settings, scale=now):
            yield batch.samples

    def _show(self, epoch: int) -> None:
        images, z = self.samples[epoch].images, self.samples[epoch].activations
        if self.log_dir is None or not len(images):
            return
        from tf_inverse.report import tensorboard

        sheet, contents = tensorboard.sprites(images)[0], io.BytesIO()
        sheet.save(contents, "PNG")
        with tensorboard.Board(self.log_dir) as log:
            log.image(f"inverse set/{self.targets}", contents.getvalue(), epoch)
            for one, values in zip(self.bands, z.T, strict=True):
                log.histogram(f"activations/{one.neuron}", values, epoch)
