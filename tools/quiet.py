"""The start of a process: TensorFlow is imported without a word, and Python seldom tidies up."""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib.util
import os
import sys
import tempfile

# What TensorFlow and Keras import where it is installed, for their wrappers of scikit-learn and for
# tables as training data. No command has either, and it is a quarter of the time of their import.
UNUSED = ("pandas", "sklearn")


def start() -> None:
    """Set TensorFlow's log level where the user chose none, and keep its import short and quiet.

    Some of what the import says heeds no level: it is heard at level 0 alone, where all is.
    """
    level = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, Finder(level != "0"))


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
    """An importer that lets the others find TensorFlow and Keras, and then sees to their start.

    Attributes:
        quiet: Whether TensorFlow's first words are kept from the terminal.
        unseen: Which of the two have not been found yet.
        opening: How many of the two are being imported now.
    """

    def __init__(self, quiet):
        self.quiet, self.unseen, self.opening = quiet, {"tensorflow", "keras"}, 0

    def find_spec(self, name, path=None, target=None):
        """As importlib asks; None for all other modules.

        Raises:
            ModuleNotFoundError: One of `UNUSED`, which the two ask for while they are imported.
        """
        if name in UNUSED and self.opening:
            raise ModuleNotFoundError(f"no command uses {name}", name=name)
        if name not in self.unseen:
            return None
        self.unseen.remove(name)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module
            kept = silent if self.quiet and name == "tensorflow" else contextlib.nullcontext

            def opened(module):
                self.opening += 1
                try:
                    with kept():
                        execute(module)
                finally:
                    self.opening -= 1

            spec.loader.exec_module = opened
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
