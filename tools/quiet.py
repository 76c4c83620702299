"""The start of a process: TensorFlow is imported without a word, and Python seldom tidies up."""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib.util
import os
import sys
import tempfile


def start() -> None:
    """Set TensorFlow's log level where the user chose none, and keep its import quiet.

    Some of what the import says heeds no level: it is heard at level 0 alone, where all is.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") != "0":
        sys.meta_path.insert(0, Finder())


def complete() -> None:
    """Put nothing in the place of a standard output or error that was closed.

    Python has None there, and prints to standard output what is meant for a closed standard error;
    and the next file that is opened would get its number.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            stream = open(os.devnull, "r" if name == "stdin" else "w")  # noqa: SIM115
            setattr(sys, name, stream)


def collect_rarely() -> None:
    """Have Python look for unused cycles of objects seldom, and not at all as the process ends.

    It goes through a million objects of TensorFlow's and Keras's for that, again and again while
    they are made, which takes a fifth of a short command's time and frees nothing.
    """
    gc.set_threshold(100_000, 50, 50)
    atexit.register(gc.freeze)


class Finder:
    """An importer that lets the others find TensorFlow, and then sees to its first words."""

    def find_spec(self, name, path=None, target=None):
        """As importlib asks; None for all other modules."""
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def quietly(module):
                with silent():
                    execute(module)

            spec.loader.exec_module = quietly
        return spec


@contextlib.contextmanager
def silent():
    """While open, nothing written to standard error is seen; all of it is where this ends badly."""
    try:
        shown = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            kept.seek(0)
            os.write(shown, kept.read())
            raise
        finally:
            os.dup2(shown, 2)
            os.close(shown)
