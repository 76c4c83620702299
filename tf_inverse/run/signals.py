"""SIGINT and SIGTERM as a request to stop after the batch; a second one stops at once."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

STOPPING = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Whether and how the process was asked to stop.

    Attributes:
        signal: The signal's number, or None.
    """

    def __init__(self) -> None:
        self.signal: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """130 for SIGINT, 143 for SIGTERM, 0 where there was none."""
        return 0 if self.signal is None else 128 + self.signal


@contextlib.contextmanager
def deferred(say: Callable[[str], object] = lambda text: None) -> Iterator[Stop]:
    """Inside, the first SIGINT or SIGTERM only sets the Stop that is yielded.

    A thread reads the signals, since Python's own handlers wait for compiled code to return, and a
    second signal must end the process within a batch, too. What was appended by then is safe.

    Args:
        say: Called with one line when the first signal arrives.

    Yields:
        Stop, to be asked after every batch.
    """
    stop = Stop()
    out, into = os.pipe()
    os.set_blocking(into, False)
    before = {number: signal.signal(number, lambda *_: None) for number in STOPPING}
    previous = signal.set_wakeup_fd(into, warn_on_full_buffer=False)
    thread = threading.Thread(target=_watch, args=(out, stop, say), daemon=True)
    thread.start()
    try:
        yield stop
    finally:
        signal.set_wakeup_fd(previous)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(into)
        thread.join()
        os.close(out)


def _watch(out: int, stop: Stop, say: Callable[[str], object]) -> None:
    while received := os.read(out, 1):
        if received[0] not in STOPPING:
            continue
        if stop:
            os._exit(128 + received[0])
        stop.signal = received[0]
        say(f"{signal.Signals(received[0]).name}: finishing the batch; once more stops at once")
