"""Training of a generator that can be stopped at any step and goes on exactly where it was."""

from __future__ import annotations

import sys
import time

import keras
import numpy as np
import tensorflow as tf

from tf_inverse.compute import progress
from tf_inverse.errors import RefusedInput, UsageError, reason
from tf_inverse.networks.stored_image import stored
from tf_inverse.report.sheet import contact_sheet
from tf_inverse.training.generator import Inverter, discriminator

EVERY = 60.0
"""Seconds between two checkpoints."""

SHOWN = 40


def batches(images: np.ndarray, batch: int, seed: int, first: int, last: int) -> tf.data.Dataset:
    """Batches of steps `first` to `last`, as floats, each image mirrored half of the time.

    Each pass is over the images in an order of its own. A step's batch depends on the seed and on
    the step alone, so that a training can go on in the middle of a pass.
    """
    steps, x = len(images) // batch, tf.constant(images)

    def one(step):
        key, number = step // steps, step % steps
        within = number * batch + tf.range(batch, dtype=tf.int64)
        rows = tf.random.experimental.index_shuffle(
            within, tf.stack([tf.constant(seed, tf.int64), key]), len(images) - 1
        )
        coins = tf.random.stateless_uniform((batch, 1, 1, 1), [seed, step], alg="philox")
        chosen = tf.cast(tf.gather(x, rows), tf.float32)
        return tf.where(coins < 0.5, chosen[:, :, ::-1], chosen)

    return tf.data.Dataset.range(first, last).map(one).prefetch(2)


class Watch(keras.callbacks.Callback):
    """Shows how a training goes, keeps it safe, and ends it where it was asked to stop.

    Args:
        save: Called with no arguments to keep the state.
        sheet: Called with the number of passes after each.
        steps: Of a pass.
        first: Steps that were done before.
        last: Steps in all.
        stop: True once the training is to stop: `signals.Stop`.
    """

    def __init__(self, save, sheet, steps: int, first: int, last: int, stop):
        super().__init__()
        self.save, self.sheet, self.stop = save, sheet, stop
        self.steps, self.first, self.last, self.done = steps, first, last, first
        self.began = self.saved = self.shown = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        """Tell, keep, stop.

        Raises:
            UsageError: A loss is not finite any more.
        """
        self.done += 1
        if not np.isfinite(list(logs.values())).all():
            raise UsageError(
                f"expected finite losses, step {self.done} gave {logs}: the training has come "
                f"apart; the same command with a smaller --rate and --overwrite begins anew"
            )
        now = time.monotonic()
        if now - self.shown > (0.2 if sys.stderr.isatty() else progress.EVERY):
            self.shown = now
            self._show(logs, now)
        if self.done % self.steps == 0:
            self.sheet(self.done // self.steps)
        if self.done % self.steps == 0 or now - self.saved > EVERY:
            self.saved = now
            self.save()
        if self.stop:
            self.model.stop_training = True

    def _show(self, logs, now):
        speed = (now - self.began) / (self.done - self.first)
        text = (
            f"step {self.done} of {self.last}, image {logs['image']:.3f}, "
            f"feature {logs['feature']:.3f}, {left(speed * (self.last - self.done))} left"
        )
        terminal = sys.stderr.isatty()
        progress.draw(text, terminal, self.done, self.last)
        if terminal and self.done == self.last:
            print(file=sys.stderr)


def left(seconds: float) -> str:
    """A time to go.

    >>> left(3725.4), left(61.0)
    ('1:02:05', '1:01')
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def train(
    G, features, images, *, epochs, seed, folder, stop=False, batch=64, rate=5e-4, spread=(0.0, 1.0)
) -> int:
    """Train to the end, or until a stop; go on from `folder` where an earlier training stopped.

    Args:
        G: From `generator`; trained in place.
        features: From `generator.features`.
        images: [N, H, W, C] uint8.
        epochs: Passes over the images.
        seed: Of order, mirroring and the discriminator's weights.
        folder: From `work.beside`, for checkpoints and a sheet a pass: images over what G makes
            of their codes.
        stop: See `Watch`.
        batch: Images a step.
        rate: Learning rate; it stays for half of the steps and falls as a cosine then.
        spread: See `generator`.

    Returns:
        Steps that are left: 0 at the end.

    Raises:
        RefusedInput: The state of the earlier training cannot be read.
        UsageError: The losses are not finite any more.
    """
    keras.utils.set_random_seed(seed)
    steps = len(images) // batch
    last = epochs * steps
    half = max(1, last // 2)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate, half, alpha=0.02, warmup_target=rate, warmup_steps=half
    )
    D = discriminator(G.input_shape[-1], images.shape[1:], spread=spread)
    trainer = Inverter(G, D, features)
    trainer.compile(schedule)
    manager = _restored(trainer, folder)
    first = int(trainer.optimizer.iterations)
    shown = images[:SHOWN]

    def sheet(passes):
        y = G(features(tf.constant(shown, tf.float32))[-1], training=False)
        over_under(shown, stored(y)).save(folder / f"epoch_{passes:03d}.png")

    watch = Watch(manager.save, sheet, steps, first, last, stop)
    if first < last:
        data = batches(images, batch, seed, first, last)
        trainer.fit(data, shuffle=False, verbose=0, callbacks=[watch])
        manager.save()
    return last - watch.done


def over_under(images: np.ndarray, again: np.ndarray):
    """A sheet of images, each over its reconstruction: a PIL image."""
    pairs = np.concatenate([images, again], axis=1).astype(np.uint8)
    tile = max(64, images.shape[2])
    return contact_sheet(pairs, [""] * len(pairs), columns=min(20, 1280 // tile), tile=tile)


def _restored(trainer, folder):
    """The keeper of a trainer's state, which is as it was kept last."""
    parts = (trainer.G, trainer.D, trainer.optimizer, trainer.d_optimizer)
    values = [variable.value for part in parts for variable in part.variables]
    checkpoint = tf.train.Checkpoint(values=values)
    manager = tf.train.CheckpointManager(checkpoint, str(folder), 2, checkpoint_name="step")
    if manager.latest_checkpoint:
        try:
            checkpoint.restore(manager.latest_checkpoint).assert_consumed()
        except Exception as error:  # TensorFlow raises almost anything for a damaged file
            raise RefusedInput(
                f"cannot go on from {folder} ({reason(error)}); take that folder away to begin anew"
            ) from error
    return manager
