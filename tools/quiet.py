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
    """Set TensorFlow's log level, and keep its import quiet; unless the user chose a level."""
    if "TF_CPP_MIN_LOG_LEVEL" not in os.environ:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        sys.meta_path.insert(0, Finder())


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
