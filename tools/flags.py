"""The flags of a command: checked before it runs, and read as its annotations say.

fire runs a command before it notices a flag that the command does not have, lets a switch swallow
the argument after it, and turns `--out 2e5` into a number.
"""

from __future__ import annotations

import difflib
import inspect
import keyword
import re
import types
import typing

from tf_inverse.errors import UsageError
from tf_inverse.grammar import meant

# What fire takes for a flag, or, a dash alone, for its separator.
FLAG = re.compile(r"--|-[A-Za-z]|-$")
# What a letter alone stands for: the same in every command that has that flag.
SHORT = {"o": "out", "t": "targets", "n": "n", "K": "K", "a": "a", "s": "seed", "j": "json"}


def check(name: str, function, arguments: list[str]) -> list[str]:
    """The arguments as fire cannot misread them: first those without a flag, then --flag=value.

    Raises:
        UsageError: An unknown flag, one without a value, or too many or too few arguments.
    """
    parameters = inspect.signature(function).parameters
    flags = [n for n, p in parameters.items() if p.kind is not p.VAR_POSITIONAL]
    truths = {n for n, hint in typing.get_type_hints(function).items() if bool in kinds(hint)}
    given, free, waiting = {}, [], list(arguments)
    while waiting:
        text = waiting.pop(0)
        if not FLAG.match(text):
            free.append(text)
            continue
        written, has_value, value = text.partition("=")
        flag, switched = _meant(text, flags, truths)
        if flag is None:
            raise UsageError(
                f"{name} has no flag {written}; {nearest(written.lstrip('-'), flags, '--')}"
            )
        if flag in truths and not has_value:
            value = switched
        elif not has_value:
            if not waiting or waiting[0].startswith("--"):
                raise UsageError(f"expected a value for {written}, as in --{flag}=VALUE")
            value = waiting.pop(0)
        given[flag] = value
    _count(name, parameters, flags, given, free)
    return [*free, *(f"--{flag}={value}" for flag, value in given.items())]


def _meant(text, flags, truths):
    """The parameter of --name, -name, --noname or of a letter of SHORT; and a switch's value.

    The parameter is None where there is none.
    """
    flag = text.partition("=")[0].lstrip("-").replace("-", "_")
    flag = f"{flag}_" if keyword.iskeyword(flag) else flag  # no parameter can be called `from`
    if flag in flags:
        return flag, "True"
    if text.startswith("--no") and flag[2:] in truths and "=" not in text:
        return flag[2:], "False"
    return (SHORT[flag] if SHORT.get(flag) in flags else None), "True"


def _count(name, parameters, flags, given, free):
    needed = [n for n in flags if parameters[n].default is inspect.Parameter.empty]
    missing = [n for n in needed if n not in given][len(free) :]
    if missing:
        raise UsageError(f"{name} needs {', '.join(missing).upper()}: see tf-inverse {name} --help")
    places = len(flags) - len(given)
    if len(free) > places and not any(p.kind is p.VAR_POSITIONAL for p in parameters.values()):
        raise UsageError(f"{name} takes at most {places} arguments here, got {len(free)}")


def nearest(name: str, names, prefix: str = "") -> str:
    """What a mistyped name may have meant, or all that there is."""
    near = difflib.get_close_matches(name, list(names), 3, 0.5)
    if near:
        return meant([prefix + n for n in near])
    return f"there is {', '.join(prefix + n for n in names)}"


def kinds(hint) -> list:
    """The types that an annotation allows, None aside."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [kind for kind in typing.get_args(hint) if kind is not type(None)]
    return [hint]


def written(name: str) -> str:
    """A flag as users write it, without the dashes before it: --from of the parameter from_."""
    return name.rstrip("_").replace("_", "-")


def spelled(function) -> list[str]:
    """All flags of a command, ready to type: --n=, and --json of a switch."""
    hints = typing.get_type_hints(function)
    free = inspect.Parameter.VAR_POSITIONAL
    names = [n for n, p in inspect.signature(function).parameters.items() if p.kind is not free]
    return [f"--{written(n)}" + ("" if bool in kinds(hints[n]) else "=") for n in names] + [
        "--help"
    ]


def placeholder(kind: list) -> str:
    """What stands for a value of some types in a flag's help."""
    return "|".join(_words[one] for one in (int, float, str) if one in kind)


def typed(fire, function) -> None:
    """Have fire read every argument as the function's annotation says; text stays text."""
    fire.decorators.SetParseFn(str)(function)
    for name, hint in typing.get_type_hints(function).items():
        reader = _readers.get(tuple(kinds(hint)), str)
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


def _whole_or_text(text):
    try:
        return int(text)
    except ValueError:
        return text


def _truth(text):
    return {"true": True, "false": False, "1": True, "0": False}.get(text.lower()) or _false(text)


def _false(text):
    if text.lower() not in ("false", "0"):
        raise ValueError(text)
    return False


_words = {int: "N", float: "X", str: "TEXT"}
_readers = {(int,): _whole, (float,): float, (bool,): _truth, (int, str): _whole_or_text}
