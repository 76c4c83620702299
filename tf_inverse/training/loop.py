"""A training that can be stopped at any step and goes on exactly where it was.

The loop knows neither losses nor backends: a trainer says what a step does (`classifier.Robust`,
`generator.Inverter`), its engine runs it (`backends`).
"""

from __future__ import annotations

import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

import keras
import numpy as np
from PIL import Image

from tf_inverse.compute import progress
from tf_inverse.errors import UsageError
from tf_inverse.report.sheet import contact_sheet
from tf_inverse.run import signals
from tf_inverse.tensors import Array, Tensor
from tf_inverse.training import batches, checkpoint
from tf_inverse.training.backends import Engine

EVERY = 60.0
"""Seconds between two checkpoints."""

TOLD = 100
"""Passes at most after which a training tells, shows and keeps something: of a few images it has
thousands of passes, each of a step or two."""

SHOWN = 40
"""Images on a sheet."""

Means = dict[str, float]
Stop = signals.Stop | bool


class Trainer(Protocol):
    """What the loop asks of a training.

    Attributes:
        changing: Every variable that a step may assign.
        engine: Of the backend; it knows those variables.
    """

    changing: list[keras.Variable]
    engine: Engine

    def step(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """One step on a batch, and its losses by name."""


def train(
    trainer: Trainer,
    batch: batches.Batches,
    *,
    epochs: int,
    folder: pathlib.Path,
    stop: Stop = False,
    after: Callable[[int, Means], str] | None = None,
) -> int:
    """Train to the end, or until a stop; go on from `folder` where an earlier training stopped.

    Args:
        trainer: Its networks are trained in place.
        batch: A step's number -> its batch.
        epochs: Passes over the images.
        folder: For the state; it is there.
        stop: True once the training is to stop after the step that it is at.
        after: Called after each pass, or of more than `TOLD` after one of several, with its number
            and the means of the losses since the call before: words to print.

    Returns:
        Steps that are left: 0 at the end.

    Raises:
        RefusedInput: The state of the earlier training cannot be read.
        UsageError: The losses are not finite any more.
    """
    last, often = epochs * batch.steps, -(-epochs // TOLD)
    done = checkpoint.restore(folder, trainer.changing)
    step, saved = trainer.engine.compiled(trainer.step), time.monotonic()
    with batches.ahead(batch, done, last) as coming, _Watch(batch, done, epochs) as watch:
        for one in coming:
            logs = {k: float(keras.ops.convert_to_numpy(v)) for k, v in step(one).items()}
            done += 1
            watch.show(done, logs)
            over = done % (often * batch.steps) == 0 or done == last
            if over:
                trainer.engine.settle()
                watch.passed(done // batch.steps, after)
            if over or time.monotonic() - saved > EVERY:
                trainer.engine.settle()
                checkpoint.save(folder, trainer.changing, done)
                saved = time.monotonic()
            if stop:
                break
    trainer.engine.settle()
    checkpoint.save(folder, trainer.changing, done)
    return last - done


class _Watch:
    """Shows how a training goes; a context manager.

    Args:
        batch: As of `train`.
        first: Steps that were done before.
        epochs: Passes in all.
    """

    def __init__(self, batch: batches.Batches, first: int, epochs: int):
        self.batch, self.first, self.epochs = batch, first, epochs
        self.last = epochs * batch.steps
        self.began = self.shown = self.turned = time.monotonic()
        self.terminal = progress.on_terminal()
        self.logs: list[dict[str, float]] = []
        self.busy = 0.0

    def __enter__(self) -> _Watch:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.terminal:
            print(file=sys.stderr)

    def show(self, done: int, logs: dict[str, float]) -> None:
        """Tell of a step: where the training is, its losses, its rate, and the time left.

        Raises:
            UsageError: A loss is not finite any more.
        """
        if not np.isfinite(list(logs.values())).all():
            raise UsageError(
                f"expected finite losses, step {done} gave {logs}: the training has come "
                f"apart; the same command with a smaller --rate and --overwrite begins anew"
            )
        self.logs.append(logs)
        now = time.monotonic()
        if done == self.first + 1:
            # The first step takes as long as compiling does, which is no measure of the others.
            self.began = now
        if now - self.shown < (0.2 if self.terminal else progress.EVERY):
            return
        self.shown = now
        text = f"step {done} of {self.last}, {words(logs)}"
        if now > self.began:
            speed = (done - self.first - 1) / (now - self.began - self.busy)
            left = progress.left((self.last - done) / max(speed, 1e-9))
            text += f", {speed * self.batch.batch:.3g} images a second, {left}"
        progress.draw(text, self.terminal, done, self.last)

    def passed(self, epoch: int, after: Callable[[int, Means], str] | None) -> None:
        """Tell of the steps since the last call, on a line that stays, and what `after` says."""
        now = time.monotonic()
        names = self.logs[0]
        means = {name: float(np.mean([one[name] for one in self.logs])) for name in names}
        said = after(epoch, means) if after else ""
        count = len(self.logs)
        part = f", the last {count} steps" if count != self.batch.steps else ""
        text = f"pass {epoch} of {self.epochs}{part}: {words(means)}, {now - self.turned:.1f} s"
        start = "\r\x1b[K" if self.terminal else ""
        print(f"{start}{text}{said and '; '}{said}", file=sys.stderr, flush=True)
        self.logs, self.turned = [], time.monotonic()
        self.busy += self.turned - now


def words(values: dict[str, float]) -> str:
    """Names and values in a row.

    >>> words({"loss": 0.12345, "accuracy": 0.5})
    'loss 0.123, accuracy 0.500'
    """
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items())


def over_under(images: Array, again: Array) -> Image.Image:
    """A sheet of images, each over its reconstruction: a PIL image."""
    pairs = np.concatenate([images, again], axis=1).astype(np.uint8)
    tile = max(64, images.shape[2])
    return contact_sheet(pairs, [""] * len(pairs), columns=min(20, 1280 // tile), tile=tile)
