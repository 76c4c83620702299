"""How a splitting is going: how rare what it has reached is, and about how long it will take."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

from tf_inverse.compute import progress

if TYPE_CHECKING:
    from tf_inverse.method.splitting import Stage
    from tf_inverse.run.signals import Stop


class Stopped(Exception):
    """A signal asked the splitting to stop."""


class Climb:
    """A bar, or lines, on standard error; a context manager.

    Nobody knows beforehand how many levels there will be. As many are expected as it takes at the
    gain of the last level to go the way that is left, measured by the score.

    Args:
        stop: From `signals.deferred`.
    """

    def __init__(self, stop: Stop):
        self.stop, self.terminal = stop, progress.on_terminal()
        self.began = self.last = time.monotonic()
        self.stage: Stage | None = None
        self.passes = self.at = 0
        self.expected: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.terminal:
            print(file=sys.stderr)

    def show(self, stage: Stage | None, passes: int) -> None:
        """Tell of a network pass.

        Args:
            stage: The last level, or None before the first one.
            passes: Taken so far.

        Raises:
            Stopped: The process was asked to stop.
        """
        if stage is not self.stage:
            self.expected = total(self.stage, stage, passes - self.at, passes)
            self.stage, self.at = stage, passes
        self.passes = passes
        if self.stop:
            raise Stopped
        now = time.monotonic()
        if now - self.last < (0.2 if self.terminal else progress.EVERY):
            return
        self.last = now
        line, expected = self.told(), self.expected and max(self.expected, passes)
        if expected:
            seconds = round((now - self.began) * (expected - passes) / passes)
            line += f", about {seconds // 60}:{seconds % 60:02d} left"
        progress.draw(line, self.terminal, passes, expected)

    def told(self) -> str:
        """How far it has come, in words."""
        if self.stage is None:
            return f"{self.passes} passes"
        return f"{self.passes} passes, down to 1 in {1 / self.stage.probability:.3g}"


def total(before: Stage | None, now: Stage | None, cost: int, passes: int) -> int | None:
    """Network passes that a splitting is expected to take in all; None where nothing tells it.

    Args:
        before: The last level but one.
        now: The last level.
        cost: Passes between them.
        passes: Passes so far.
    """
    if before is None or now is None or not before.level < now.level < 0:
        return None
    # Below -1 the score is -1 less the distance; from there on one or two levels are left. Codes
    # have to move within this level, too, before there can be another one.
    left, gain = (max(0.0, -1.0 - level) for level in (now.level, before.level))
    gain -= left
    return passes + cost + (round(cost * left / gain) if gain > 0 else 0)
