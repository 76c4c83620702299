"""How a run, a training or a download is going: a bar on a terminal, lines anywhere else."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tf_inverse.method.sampler import Info


WIDTH, NARROWEST = 30, 6
EVERY = 10.0


def draw(text: str, terminal: bool, done: int, total: int | None) -> None:
    """Put a text on standard error: over the last one behind a bar, or as a line of its own.

    Args:
        text: What to say.
        terminal: Whether standard error is a terminal; only there the line is drawn over.
        done: How much of `total` is done.
        total: What the whole bar stands for; no bar is drawn where that is not known.
    """
    if terminal:
        # What is wider than the terminal goes on in a second line, which stays there at the next
        # text: the bar gives way first.
        room = _columns() - 1
        wide = min(WIDTH, room - len(text) - len("[] "))
        if total and wide >= NARROWEST:
            full = wide * done // total
            text = f"[{'=' * full}{' ' * (wide - full)}] {text}"
        text = text[:room]
    start, end = ("\r\x1b[K", "") if terminal else ("", "\n")
    print(f"{start}{text}", end=end, file=sys.stderr, flush=True)


def on_terminal() -> bool:
    """Whether standard error is a terminal on which a line can be drawn over."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _columns() -> int:
    """Characters in a line of the terminal; 80 where it does not tell."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):  # no terminal, or a stream that is none of the system's
        return 80


class Progress:
    """Shows samples found, steps and acceptance on standard error; a context manager.

    Args:
        asked: Samples asked for.
    """

    def __init__(self, asked: int):
        self.asked, self.last = asked, time.monotonic()
        self.first: int | None = None
        self.began = 0.0
        self.terminal = on_terminal()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.terminal:
            print(file=sys.stderr)

    def show(self, info: Info) -> None:
        """Tell of a batch: `sampler.Info`; the rate is that since the first call.

        The first batch takes as long as compiling does, and a run that goes on has samples already.
        """
        now = time.monotonic()
        if self.first is None:
            self.first, self.began = info.found, now
        if not self.terminal and now - self.last < EVERY and info.found < self.asked:
            return
        self.last = now
        text = (
            f"{info.found}/{self.asked} found, {info.steps} steps, "
            f"{100 * info.acceptance:.0f} % accepted, {info.restarts} restarts"
        )
        if info.found > self.first and now > self.began:
            speed = (info.found - self.first) / (now - self.began)
            text += f", {rate(speed)}"
            if info.found < self.asked:
                text += f", {left((self.asked - info.found) / speed)}"
        draw(text, self.terminal, info.found, self.asked)


class Counted:
    """Shows how many of a known number of things are done, how fast, and when all will be.

    A context manager.

    Args:
        things: What is counted, in the plural.
        before: How many were done before.
    """

    def __init__(self, things: str, before: float = 0):
        self.things, self.before, self.ended = things, before, False
        self.began = self.last = time.monotonic()
        self.terminal = on_terminal()

    def __enter__(self) -> Counted:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.terminal:
            print(file=sys.stderr)

    def show(self, done: float, total: int) -> None:
        """Tell how many are done; the rate is that since the beginning.

        Args:
            done: With the shares of those that are done in part, which count for the rate alone.
            total: All of them.
        """
        now = time.monotonic()
        # That all are done may be told more than once, and is shown once.
        if self.ended or now - self.last < (0.2 if self.terminal else EVERY) and done != total:
            return
        self.last, self.ended = now, done == total
        text = f"{int(done)}/{total} {self.things}"
        if done > self.before:
            speed = (done - self.before) / max(now - self.began, 1e-9)
            text += f", {rate(speed)}"
            if done < total:
                text += f", {left((total - done) / speed)}"
        draw(text, self.terminal, int(done), total)


def rate(speed: float) -> str:
    """Things a second, or seconds a thing where they are slower than that.

    >>> rate(12.34), rate(0.25)
    ('12.3 a second', '4 seconds each')
    """
    return f"{speed:.3g} a second" if speed >= 1 else f"{1 / max(speed, 1e-9):.3g} seconds each"


def left(seconds: float) -> str:
    """The time left, as minutes and seconds, or as hours and minutes.

    >>> left(87), left(7260)
    ('1:27 left', '2 h 01 min left')
    """
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{seconds:02d} left"
    return f"{minutes // 60} h {minutes % 60:02d} min left"


class Transfer:
    """Shows how much of a download has come, how fast, and when it will end; a context manager.

    Args:
        total: Bytes of the whole file, or None where the server does not say.
        have: Bytes that are there already.
    """

    def __init__(self, total: int | None, have: int = 0):
        self.total, self.have, self.first = total, have, have
        self.began = self.last = time.monotonic()
        self.terminal = on_terminal()

    def __enter__(self) -> Transfer:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.terminal:
            print(file=sys.stderr)

    def add(self, count: int) -> None:
        """Tell of `count` more bytes."""
        self.have += count
        now = time.monotonic()
        if now - self.last < (0.2 if self.terminal else EVERY) and self.have != self.total:
            return
        self.last = now
        text = transferred(
            self.have, self.total, (self.have - self.first) / max(now - self.began, 1e-9)
        )
        draw(text, self.terminal, self.have, self.total)


def transferred(have: int, total: int | None, speed: float) -> str:
    """A download in words.

    Args:
        have: Bytes that have come.
        total: Bytes of the whole, or None.
        speed: Bytes a second.

    >>> transferred(50_000_000, 224_000_000, 2e6)
    '50.0 of 224.0 MB, 2.0 MB/s, 1:27 left'
    """
    text = f"{have / 1e6:.1f} MB" if total is None else f"{have / 1e6:.1f} of {total / 1e6:.1f} MB"
    text += f", {speed / 1e6:.1f} MB/s"
    if total is None or speed <= 0:
        return text
    return f"{text}, {left((total - have) / speed)}"
