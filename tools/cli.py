"""tf-inverse: finds the command, checks its flags, lets fire run it, and exits with its code.

fire runs a command before it notices a flag that the command does not have, turns `--out 2e5` into
a number, and exits 0 whatever a command returns. So the flags are checked here, before anything
runs; every value is read as the command's annotation says; and the return value is the exit code.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import inspect
import os
import sys
import types
import typing

from tf_inverse.errors import InverseSetError, UsageError

COMMANDS = {
    "sample": "run:sample",
    "resume": "resume:resume",
    "verify": "verify:verify",
    "compare": "compare:compare",
    "sheet": "sheet:sheet",
    "images": "images:images",
    "report": "report:report",
    "board": "board:board",
    "units": "units:units",
    "ladder": "ladder:ladder",
    "convert": "convert:convert",
    "pair": "pair:pair",
    "fetch": "fetch:fetch",
    "train": "train:train",
    "experiment": "experiment:experiment",
    "adopt": "adopt:adopt",
    "export": "export:export",
}
HELP = ("--help", "-h", "help")
REFUSED = (
    FileExistsError,
    FileNotFoundError,
    NotADirectoryError,
    IsADirectoryError,
    PermissionError,
)


def main(argv: list[str] | None = None) -> None:
    """Run `tf-inverse` with the arguments given, or the process's own; always raises SystemExit."""
    # TensorFlow greets with a page of log lines otherwise; whoever wants them sets this to 0.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        sys.exit(_run(argv))
    except InverseSetError as error:
        _fail(error, error.exit_code)
    except REFUSED as error:
        _fail(error, 2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader went away (`| head`): nothing is wrong, and nothing more can be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(error, code):
    print(f"tf-inverse: {error}", file=sys.stderr)
    sys.exit(code)


def _run(argv):
    if not argv or argv[0] in HELP:
        print(overview())
        return 0
    if argv[0] == "--version":
        from tf_inverse.version import __version__

        print(__version__)
        return 0
    name, arguments = argv[0], argv[1:]
    if name not in COMMANDS:
        raise UsageError(f"expected a command, got {name!r}; {_nearest(name, COMMANDS)}")
    function = _function(name)
    wants_help = any(argument in HELP[:2] for argument in arguments)
    if not wants_help:
        check(name, function, arguments)
    import fire

    _typed(fire, function)
    arguments = ["--help"] if wants_help else arguments
    code = fire.Fire({name: function}, [name, *arguments], "tf-inverse", serialize=lambda _: None)
    return code if isinstance(code, int) else 0


def overview() -> str:
    """All commands with their first lines, read without importing any of them."""
    lines = ["tf-inverse: sample the inverse set of a neuron", ""]
    for name, place in COMMANDS.items():
        module, function = place.split(":")
        spec = importlib.util.find_spec(f"tf_inverse.tools.{module}")
        tree = ast.parse(open(spec.origin, encoding="utf-8").read())
        text = next(
            ast.get_docstring(node)
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and node.name == function
        )
        lines.append(f"  {name:<12}{text.splitlines()[0]}")
    return "\n".join([*lines, "", "tf-inverse COMMAND --help tells a command's flags."])


def _function(name):
    module, function = COMMANDS[name].split(":")
    return getattr(importlib.import_module(f"tf_inverse.tools.{module}"), function)


def check(name: str, function, arguments: list[str]) -> None:
    """Refuse arguments that the function does not take, before it runs.

    Raises:
        UsageError: An unknown flag, one without a value, or too many or too few arguments.
    """
    parameters = inspect.signature(function).parameters
    hints = typing.get_type_hints(function)
    flags = [n for n, p in parameters.items() if p.kind is not p.VAR_POSITIONAL]
    places = [n for n in flags if parameters[n].default is inspect.Parameter.empty]
    given, free, i = set(), 0, 0
    while i < len(arguments):
        text, i = arguments[i], i + 1
        if not text.startswith("--"):
            free += 1
            continue
        flag, has_value, _ = text[2:].partition("=")
        flag = flag.replace("-", "_")
        switch = flag if flag in flags else flag.removeprefix("no")
        if switch not in flags:
            raise UsageError(f"{name} has no flag --{flag}; {_nearest(flag, flags, '--')}")
        if not has_value and bool not in _kinds(hints.get(switch)):
            if i >= len(arguments) or arguments[i].startswith("--"):
                raise UsageError(f"expected a value for --{flag}, as in --{flag}=VALUE")
            i += 1
        given.add(switch)
    open_places = [n for n in flags if n not in given]
    missing = [n for n in places if n not in given][free:]
    if missing:
        raise UsageError(f"{name} needs {', '.join(missing).upper()}: see tf-inverse {name} --help")
    many = any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
    if free > len(open_places) and not many:
        raise UsageError(f"{name} takes at most {len(open_places)} arguments here, got {free}")


def _nearest(name, names, prefix=""):
    near = difflib.get_close_matches(name, list(names), 3, 0.5)
    if near:
        return f"did you mean {' or '.join(prefix + n for n in near)}?"
    return f"there is {', '.join(prefix + n for n in names)}"


def _kinds(hint):
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [kind for kind in typing.get_args(hint) if kind is not type(None)]
    return [hint]


def _typed(fire, function):
    """Have fire read every argument as the function's annotation says; text stays text."""
    fire.decorators.SetParseFn(str)(function)
    for name, hint in typing.get_type_hints(function).items():
        kinds = _kinds(hint)
        reader = _readers.get(kinds[0], str) if len(kinds) == 1 else str
        fire.decorators.SetParseFns(**{name: _named(name, reader)})(function)


def _named(name, reader):
    def read(text):
        try:
            return reader(text)
        except ValueError:
            kind = {_whole: "a whole number", float: "a number", _truth: "True or False"}[reader]
            raise UsageError(f"expected {kind} for --{name}, got {text!r}") from None

    return read


def _whole(text):
    return int(text)


def _truth(text):
    return {"true": True, "false": False, "1": True, "0": False}.get(text.lower()) or _false(text)


def _false(text):
    if text.lower() not in ("false", "0"):
        raise ValueError(text)
    return False


_readers = {int: _whole, float: float, bool: _truth}


if __name__ == "__main__":
    main()
