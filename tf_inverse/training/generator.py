"""A generator for any Keras classifier: it learns to undo one of the classifier's layers.

After Dosovitskiy and Brox, Generating Images with Perceptual Similarity Metrics based on Deep
Networks (NIPS 2016): the encoder E is fixed; G(E(x)) is to be like x in pixels, in the features of
the classifier, and to a discriminator that sees the code too. What differs is younger practice:
resizing and convolution where they had strided transposed convolutions, the hinge loss with
spectral normalisation, and an image that may be the mirror image of x.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_inverse.tensors import Array, Model, Tensor
from tf_inverse.training import backends, batches, loop
from tf_inverse.training.appearance import NOISE, Appearance
from tf_inverse.training.discriminator import augmented, changes, discriminator
from tf_inverse.training.perceptual import Features

LEAST = 1e-12
LOSSES = ("image", "feature", "adversarial")


class Inverter:
    """Trains G against the losses; E and its features stay as they are.

    Args:
        G: From `architectures.generator`.
        D: From `discriminator.discriminator`.
        features: Images -> list of what layers give, the code (flattened) last.
        rate: Learning rate of Adam for both, a number or a schedule.
        weights: Weights of the image, feature and adversarial losses.
        d_rate: Learning rate of D where it is not that of G.
        average: Share that an exponential average of G's weights keeps each step; none with 0.
        appearance: Maps that are learned with G and stand beside the features' code in its own.

    Attributes:
        changing, engine: As `loop.Trainer` has them.
    """

    def __init__(
        self,
        G: Model,
        D: Model,
        features: Features,
        rate: float | keras.optimizers.schedules.LearningRateSchedule = 5e-4,
        weights: Sequence[float] = (0.6, 1.0, 0.2),
        average: float = 0.0,
        d_rate: float | keras.optimizers.schedules.LearningRateSchedule | None = None,
        appearance: Appearance | None = None,
    ):
        self.G, self.D, self.features, self.appearance = G, D, features, appearance
        self.learning = list(G.trainable_variables)
        self.learning += appearance.network.trainable_variables if appearance else []
        self.loss_weights = dict(zip(LOSSES, weights, strict=True))
        adam = {"beta_1": 0.5, "beta_2": 0.99}
        averaged = {"use_ema": True, "ema_momentum": average} if average else {}
        self.optimizer = keras.optimizers.Adam(rate, **adam, **averaged)
        self.d_optimizer = keras.optimizers.Adam(rate if d_rate is None else d_rate, **adam)
        self.optimizer.build(self.learning)
        self.d_optimizer.build(D.trainable_variables)
        parts = [G, D, self.optimizer, self.d_optimizer]
        parts += [appearance.network] if appearance else []
        self.changing = [variable for part in parts for variable in part.variables]
        self.engine = backends.engine(self.changing, features.variables)

    def step(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """One step of both networks on images `x` 0..255, or of G alone.

        Args:
            batch: With numbers of `discriminator.changes` the discriminator sees changed images.
                With `alone`, whatever its value, G learns without the discriminator, which stays as
                it is: that takes two thirds of the time.
        """
        x = ops.cast(batch["x"], "float32")
        real = self.features(x)

        def generated() -> tuple[Tensor, Any]:
            y = self.G(self.code(x, real[-1], batch), training=True)
            losses = self.terms(x, y, real, batch)
            total = sum(self.loss_weights[name] * one for name, one in losses.items())
            return total, (y, losses)

        (y, losses), g_gradients = self.engine.gradients(generated, self.learning)
        if "alone" in batch:
            self.engine.apply(self.optimizer, g_gradients, self.learning)
            return losses
        y = ops.stop_gradient(y)

        def judged() -> tuple[Tensor, Any]:
            x_realism = self.D([augmented(x, batch), real[-1]], training=True)
            y_realism = self.D([augmented(y, batch), real[-1]], training=True)
            loss = ops.mean(ops.relu(1.0 - x_realism) + ops.relu(1.0 + y_realism))
            return loss, loss

        d_loss, d_gradients = self.engine.gradients(judged, self.D.trainable_variables)
        self.engine.apply(self.optimizer, g_gradients, self.learning)
        self.engine.apply(self.d_optimizer, d_gradients, self.D.trainable_variables)
        return losses | {"discriminator": d_loss}

    def code(self, x: Tensor, layer: Tensor, batch: dict[str, Any]) -> Tensor:
        """What G is given of images x while it learns: the layer's output, and maps beside it."""
        if self.appearance is None:
            return layer
        maps = self.appearance(x, batch["noise"], training=True)
        return ops.concatenate([layer, maps], axis=1)

    def terms(
        self, x: Tensor, y: Tensor, real: list[Tensor], numbers: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """The image, feature and adversarial losses, by the names of `LOSSES`.

        Args:
            x: Images.
            y: What G makes of their codes.
            real: Features of x.
            numbers: See `discriminator.augmented`; with `alone` there is no adversarial loss.
        """
        # A classifier forgets which way things face; the mean of both ways is neither.
        as_is, mirrored = (ops.mean((v - y) ** 2, axis=(1, 2, 3)) for v in (x, ops.flip(x, axis=2)))
        image = ops.mean(ops.minimum(as_is, mirrored)) / ops.maximum(ops.var(x), LEAST)
        feature = 0.0
        for wanted, got in zip(real, self.features(y), strict=True):
            # Relative to what the features vary by: one weight serves every layer and network.
            spread = ops.mean(ops.var(wanted, axis=0))
            feature += ops.mean((wanted - got) ** 2) / ops.maximum(spread, LEAST)
        losses = {"image": image, "feature": feature / len(real)}
        if "alone" not in numbers:
            realism = self.D([augmented(y, numbers), real[-1]], training=False)
            losses["adversarial"] = -ops.mean(realism)
        return losses

    def finish(self) -> None:
        """Gives G its averaged weights, where there are any."""
        self.engine.settle()
        if self.optimizer.use_ema:
            self.optimizer.finalize_variable_values(self.learning)


class Later(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate of a network that joins a training late: what the others have by then.

    Args:
        schedule: Of the whole training.
        passed: Steps before this network's first one.
    """

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule, passed: int):
        self.schedule, self.passed = schedule, passed

    def __call__(self, step: Tensor) -> Tensor:
        """The learning rate of the network's own step."""
        return self.schedule(step + self.passed)


def train(
    G: Model,
    features: Features,
    images: Array,
    *,
    epochs: int,
    seed: int,
    folder: pathlib.Path,
    stop: loop.Stop = False,
    batch: int = 64,
    rate: float = 5e-4,
    spread: tuple[float, float] = (0.0, 1.0),
    average: float = 0.0,
    augment: tuple[str, ...] = (),
    disc_start: int = 0,
    dtype: str = "float32",
    appearance: Appearance | None = None,
) -> int:
    """Train in place to the end, or until a stop; go on from `folder` where it was stopped.

    Args:
        G: From `architectures.generator`.
        features: From `perceptual`.
        images: [N, H, W, C] uint8.
        epochs: Passes over the images.
        seed: Of order, mirroring and the discriminator's weights.
        folder: From `work.beside`, for the state and a sheet a pass: images over what G makes of
            their codes.
        stop: As of `loop.train`.
        batch: Images a step.
        rate: Learning rate; it stays for half of the steps and falls as a cosine then.
        spread: See `architectures.generator`.
        average: See `Inverter`.
        augment: Ways to change what the discriminator sees, of `discriminator.WAYS`.
        disc_start: Passes before the discriminator takes part; none takes part if there are no more
            passes than that.
        dtype: Keras's policy of the discriminator's convolutions.
        appearance: As of `Inverter`; trained in place, too.

    Returns:
        Steps that are left: 0 at the end.

    Raises:
        RefusedInput: The state of the earlier training cannot be read.
        UsageError: The losses are not finite any more.
    """
    keras.utils.set_random_seed(seed)
    steps = len(images) // batch
    half = max(1, epochs * steps // 2)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate, half, alpha=0.02, warmup_target=rate, warmup_steps=half
    )
    shown = images[: loop.SHOWN]
    x = ops.convert_to_tensor(shown, "float32")
    layer = features(x)[-1]
    D = discriminator(layer.shape[-1], images.shape[1:], spread=spread, dtype=dtype)
    late = Later(schedule, disc_start * steps)
    trainer = Inverter(
        G, D, features, schedule, average=average, d_rate=late, appearance=appearance
    )

    def sheet(epoch: int, means: loop.Means) -> str:
        codes = ops.concatenate([layer, appearance(x)], axis=1) if appearance else layer
        y = G.predict_on_batch(ops.convert_to_numpy(codes))
        y = np.rint(np.asarray(y, np.float32).clip(0.0, 255.0))
        loop.over_under(shown, y).save(folder / f"epoch_{epoch:03d}.png")
        return ""

    def further(rng: np.random.Generator, step: int) -> dict[str, Array]:
        noise: dict[str, Array] = {}
        if appearance:
            normal = rng.standard_normal((batch, *appearance.grid.shape), np.float32)
            noise = {"noise": NOISE * normal}
        if step < disc_start * steps:
            return noise | {"alone": np.zeros(0, np.float32)}
        return noise | changes(rng, batch, augment)

    coming = batches.Batches(images, batch, seed, further=further)
    left = loop.train(trainer, coming, epochs=epochs, folder=folder, stop=stop, after=sheet)
    if not left:
        trainer.finish()
    return left
