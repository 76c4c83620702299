"""The command line as the tests call it: in this process, or in one of its own that is forked.

Neither waits for the start of TensorFlow; `python -m tf_inverse.tools.cli`, which does, is left to
the tests of the start itself.
"""

import multiprocessing
import os
import pathlib
import sys
import tempfile

import pytest
from tf_inverse.tools import cli


def run(*arguments):
    """Runs tf-inverse and returns its exit code."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(list(arguments))
    return stopped.value.code


# A server that has imported TensorFlow and computed nothing, so that it has no threads to lose,
# forks a process for each command. It starts with the first one, and ends with this process.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tensorflow", "keras"])


class Child:
    """A command in a process of its own, with its own folder and output; it gets this environment.

    Args:
        words: The arguments; paths may be among them.
        cwd: The folder that the command runs in.
        main: What runs it: it reads `sys.argv`, and returns the exit code if it ends.
    """

    def __init__(self, *words, cwd, main=cli.main):
        self._folder = tempfile.TemporaryDirectory()
        argv, said = ["tf-inverse", *map(str, words)], pathlib.Path(self._folder.name)
        told = (main, argv, cwd, dict(os.environ), said / "out", said / "err")
        self._process = SERVER.Process(target=_run, args=told)
        self._process.start()

    def running(self):
        """Whether it has not ended yet."""
        return self._process.is_alive()

    def signal(self, number):
        """Sends a signal."""
        os.kill(self._process.pid, number)

    def ended(self):
        """(exit code, or minus the signal that killed it; standard output; standard error)."""
        self._process.join()
        told = [pathlib.Path(self._folder.name, name) for name in ("out", "err")]
        # One that was killed early had nothing to say.
        texts = [path.read_text(encoding="utf-8") if path.exists() else "" for path in told]
        self._folder.cleanup()
        return self._process.exitcode, *texts


def _run(main, argv, cwd, environment, out, err):
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    for descriptor, path in ((1, out), (2, err)):
        with open(path, "wb") as file:
            os.dup2(file.fileno(), descriptor)
    sys.argv = argv
    try:
        sys.exit(main())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
