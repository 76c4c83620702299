"""Training of a classifier, half of whose images are moved a little up its loss.

After Goodfellow et al. 2015, with a step drawn in [0, epsilon] in the L2 norm. A classifier trained
so has features that people recognise (Engstrom et al. 2019), and recognising is what a neuron is
looked at for.
"""

from __future__ import annotations

import pathlib
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_inverse.tensors import Array, Model, Tensor
from tf_inverse.training import backends, batches, loop

AT_A_TIME = 250
"""Images that are classified at a time."""


class Robust:
    """Trains a network on batches whose first half is moved one gradient step up the loss.

    Args:
        network: Images RGB 0..255 -> logits.
        optimizer: Of its weights.

    Attributes:
        changing, engine: As `loop.Trainer` has them.
    """

    def __init__(self, network: Model, optimizer: keras.optimizers.Optimizer):
        self.network, self.optimizer = network, optimizer
        optimizer.build(network.trainable_variables)
        self.changing = [*network.variables, *optimizer.variables]
        self.engine = backends.engine(self.changing)

    def step(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """One step on images `x` [B, H, W, 3] of classes `y` [B].

        Args:
            batch: With `moves`, [B // 2], as many images are moved by these L2 norms; none are
                moved without it.
        """
        x, y = ops.cast(batch["x"], "float32"), batch["y"]
        if "moves" in batch:
            half = batch["moves"].shape[0]
            norms = ops.reshape(batch["moves"], (-1, 1, 1, 1))
            moved = x[:half] + norms * self.steepest(x[:half], y[:half])
            x = ops.concatenate([moved, x[half:]], axis=0)

        def loss() -> tuple[Tensor, Any]:
            logits = self.network(x, training=True)
            return cross_entropy(y, logits), logits

        variables = self.network.trainable_variables
        logits, gradients = self.engine.gradients(loss, variables)
        self.engine.apply(self.optimizer, gradients, variables)
        right = ops.equal(ops.argmax(logits, axis=1), ops.cast(y, "int32"))
        return {"loss": cross_entropy(y, logits), "accuracy": ops.mean(ops.cast(right, "float32"))}

    def steepest(self, x: Tensor, y: Tensor) -> Tensor:
        """For each image the direction [B, H, W, C] of L2 norm 1 in which its loss grows most."""

        # Evaluation mode: batch statistics must not see these images twice.
        def loss(x: Tensor) -> Tensor:
            return cross_entropy(y, self.network(x, training=False))

        g = self.engine.slope(loss, x)
        return g / (ops.sqrt(ops.sum(g**2, axis=(1, 2, 3), keepdims=True)) + 1e-12)


def cross_entropy(y: Tensor, logits: Tensor) -> Tensor:
    """The mean cross-entropy of classes y [B] and logits [B, classes]."""
    return ops.mean(keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True))


def train(
    network: Model,
    images: Array,
    labels: Array,
    test: tuple[Array, Array],
    *,
    epochs: int,
    plain: int,
    epsilon: float,
    seed: int,
    folder: pathlib.Path,
    batch: int = 128,
    rate: float = 2e-3,
    stop: loop.Stop = False,
) -> int:
    """Train in place to the end, or until a stop; go on from `folder` where it was stopped.

    Args:
        network: From `architectures.classifier` or `architectures.judge`.
        images: [N, H, W, C] uint8.
        labels: [N] integers.
        test: (images, labels) to tell the accuracy on after each epoch.
        epochs: Passes over the images.
        plain: How many of them, the last ones, leave the images as they are.
        epsilon: Largest L2 norm of a move, as a fraction of the full range of one pixel (0.25 is
            a usual value for 32x32 images); of the epochs before.
        seed: Of order and augmentation; weights were drawn before.
        folder: For the state of an interrupted run.
        batch: Images a step.
        rate: Peak learning rate; it rises over a tenth of the steps, an epoch at most, and falls as
            a cosine.
        stop: As of `loop.train`.

    Returns:
        Steps that are left: 0 at the end.
    """
    batch = min(batch, len(images))
    steps = len(images) // batch

    def moves(rng: np.random.Generator, step: int) -> dict[str, Array]:
        if not epsilon or step // steps >= epochs - plain:
            return {}
        return {"moves": rng.uniform(0.0, 255.0 * epsilon, batch // 2).astype(np.float32)}

    rising = min(steps, epochs * steps // 10)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 20, epochs * steps - rising, alpha=0.0, warmup_target=rate, warmup_steps=rising
    )
    trainer = Robust(network, keras.optimizers.AdamW(schedule, weight_decay=0.02))
    shift = min(images.shape[1:3]) // 8

    def after(epoch: int, means: loop.Means) -> str:
        return "test " + loop.words(accuracy(network, *test))

    coming = batches.Batches(
        images, batch, seed, np.asarray(labels, np.int32), shift=shift, further=moves
    )
    return loop.train(trainer, coming, epochs=epochs, folder=folder, stop=stop, after=after)


def accuracy(network: Model, images: Array, labels: Array) -> dict[str, float]:
    """Shares of images whose class is the network's first choice, and among its first five.

    Args:
        network: Images -> logits.
        images: [N, H, W, C] uint8.
        labels: [N].
    """
    ranks = []
    for i in range(0, len(images), AT_A_TIME):
        x = np.asarray(images[i : i + AT_A_TIME], np.float32)
        y = np.asarray(labels[i : i + AT_A_TIME], np.int64)
        z = np.asarray(network.predict_on_batch(x))
        ranks.append((z > np.take_along_axis(z, y[:, None], axis=1)).sum(axis=1))
    rank = np.concatenate(ranks)
    return {"top 1": float(np.mean(rank < 1)), "top 5": float(np.mean(rank < 5))}
