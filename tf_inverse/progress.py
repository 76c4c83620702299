"""How a run is going: a bar on a terminal, a line now and then anywhere else."""

from __future__ import annotations

import sys
import time

WIDTH = 30
EVERY = 10.0


class Progress:
    """Shows samples found, steps and acceptance on standard error; a context manager.

    Args:
        asked: Samples asked for.
    """

    def __init__(self, asked: int):
        self.asked, self.last = asked, time.monotonic()
        self.terminal = sys.stderr.isatty()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.terminal:
            print(file=sys.stderr)

    def show(self, info) -> None:
        """Tell of a batch: `sampler.Info`."""
        now = time.monotonic()
        if not self.terminal and now - self.last < EVERY and info.found < self.asked:
            return
        self.last = now
        text = (
            f"{info.found}/{self.asked} found, {info.steps} steps, "
            f"{100 * info.acceptance:.0f} % accepted, {info.restarts} restarts"
        )
        if self.terminal:
            full = WIDTH * info.found // self.asked
            text = f"\r\x1b[K[{'=' * full}{' ' * (WIDTH - full)}] {text}"
        print(text, end="" if self.terminal else "\n", file=sys.stderr, flush=True)
