"""tf-inverse: finds the command, checks its flags, lets fire run it, and exits with its code.

fire runs a command before it notices a flag that the command does not have, turns `--out 2e5` into
a number, and exits 0 whatever a command returns. So the flags are checked here, before anything
runs; every value is read as the command's annotation says; and the return value is the exit code.
"""

from __future__ import annotations

import ast
import contextlib
import errno
import importlib
import io
import os
import sys
from collections.abc import Callable

from tf_inverse.tools import flags, quiet, shown, usage

from tf_inverse.errors import InverseSetError, UsageError, printable
from tf_inverse.layers import registration

COMMANDS = {
    "sample": "run:sample",
    "resume": "resume:resume",
    "verify": "verify:verify",
    "compare": "compare:compare",
    "judge": "judge:judge",
    "sheet": "sheet:sheet",
    "images": "images:images",
    "report": "report:report",
    "site": "site:site",
    "explain": "explain:explain",
    "facets": "facets:facets",
    "board": "board:board",
    "publish": "publish:publish",
    "units": "units:units",
    "volume": "volume:volume",
    "ladder": "ladder:ladder",
    "plane": "plane:plane",
    "atlas": "atlas:atlas",
    "convert": "convert:convert",
    "pair": "pair:pair",
    "fetch": "fetch:fetch",
    "train": "train:train",
    "experiment": "experiment:experiment",
    "adopt": "adopt:adopt",
    "export": "export:export",
    "completion": "completion:completion",
}
HELP = ("--help", "-h", "help")
REFUSED = (
    FileExistsError,
    FileNotFoundError,
    NotADirectoryError,
    IsADirectoryError,
    PermissionError,
)
# What a system says of a name that it cannot look up.
NAMELESS = (errno.ENAMETOOLONG, errno.ELOOP)
# What a disk says that takes no more.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def main(argv: list[str] | None = None) -> None:
    """Run `tf-inverse` with the arguments given, or the process's own; always raises SystemExit."""
    quiet.complete()
    # TensorFlow greets with a page of log lines otherwise; whoever wants them sets its level to 0.
    quiet.start()
    registration.only_tensorflow()
    # Or it takes all of a GPU's memory, whatever else is running there.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    if argv is None:
        quiet.collect_rarely()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A label or a path may have letters that the locale's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        with contextlib.redirect_stdout(shown.Shown(sys.stdout)):
            sys.exit(_run(argv))
    except InverseSetError as error:
        _fail(error, error.exit_code)
    except REFUSED as error:
        _fail(_plainly(error), 2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader went away (`| head`): nothing is wrong, and nothing more can be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if error.errno in NAMELESS:
            _fail(_plainly(error), 2)
        if error.errno not in FULL:
            raise
        _fail(f"cannot write: {error.strerror}; make room, or name another folder", 3)


def _plainly(error: OSError) -> str:
    """A refusal of the system without its number: the file, and what is wrong with it."""
    if error.strerror is None:  # a refusal of our own
        return str(error)
    return f"{error.filename}: {error.strerror[:1].lower()}{error.strerror[1:]}"


def _fail(error, code):
    print(f"tf-inverse: {printable(str(error))}", file=sys.stderr)
    sys.exit(code)


def _run(argv):
    if len(argv) == 2 and argv[0] == "help":
        argv = [argv[1], "--help"]
    if not argv or argv[0] in HELP:
        print(overview())
        return 0
    if argv[0] == "--version":
        from tf_inverse.version import __version__

        print(__version__)
        return 0
    name, arguments = argv[0], argv[1:]
    if name not in COMMANDS:
        raise UsageError(f"expected a command, got {name!r}; {flags.nearest(name, COMMANDS)}")
    made = function(name)
    if any(argument in HELP[:2] for argument in arguments):
        print(usage.page(name, made))
        return 0
    arguments = flags.check(name, made, arguments)
    import fire

    flags.typed(fire, made)
    code = fire.Fire({name: made}, [name, *arguments], "tf-inverse", serialize=lambda _: None)
    return code if isinstance(code, int) else 0


def overview() -> str:
    """All commands with their first lines, read without importing any of them."""
    lines = ["tf-inverse: sample the inverse set of a neuron", ""]
    for name, place in COMMANDS.items():
        module, member = place.split(":")
        spec = importlib.util.find_spec(f"tf_inverse.tools.{module}")
        tree = ast.parse(open(spec.origin, encoding="utf-8").read())
        text = next(
            ast.get_docstring(node)
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and node.name == member
        )
        lines.append(f"  {name:<12}{text.splitlines()[0]}")
    return "\n".join([*lines, "", "tf-inverse COMMAND --help tells a command's flags."])


def function(name: str) -> Callable:
    """The function of a command, its module imported."""
    module, member = COMMANDS[name].split(":")
    return getattr(importlib.import_module(f"tf_inverse.tools.{module}"), member)


if __name__ == "__main__":
    main()
