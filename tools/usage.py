"""What `tf-inverse COMMAND --help` prints: made of the command's signature and its docstring alone.

The first paragraph says what the command does, those after it how; `Examples:` and `Args:` are
sections. No TensorFlow, and nothing of a command's work, is imported for it.
"""

from __future__ import annotations

import inspect
import re
import shutil
import textwrap
import typing
from collections.abc import Callable, Iterator

from tf_inverse.tools import flags

SECTIONS = ("Examples:", "Args:")
INDENT, COLUMN = 2, 26  # where flags and their texts begin
WIDEST = 100
# Groups in the order in which they are shown. A flag has one name and one meaning in all commands.
GROUPS = {
    "What": (
        "network targets n name layer layers directions neurons ranges search images nature data "
        "classifier generator encoder sae sae_layer judge by map labels default description "
        "licence creator url date store_nature volume what at ladder targets_file"
    ),
    "Method": (
        "K seed method starts candidates quality count samples_per_seed bound beta mu0 a diversity "
        "patience optimizer distance bandwidth methods baseline start rate epochs batch plain "
        "epsilon code compare smooth particles "
        "width pooled teacher teacher_layers average augment disc_start appearance"
    ),
    "Form of inputs": (
        "range pixels codes bounds crop fixed size code_size image weights prototxt caffemodel mat "
        "mean scale channels input role ignore"
    ),
    "Machine": "device precision xla chunk tensorboard profile shard workers address",
    "Output": "out to as_ logdir folder store rows columns order maps version json list",
    "Safety": "trust untrusted overwrite from_",
}
OTHERS = "More"
FEW = 7
"""Most flags that are shown without groups."""


def page(name: str, function: Callable) -> str:
    """The help of one command, as wide as the terminal.

    Args:
        name: The command.
        function: Its function.
    """
    width = min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns)
    words, examples, meanings = parts(function)
    lines = [f"Usage: tf-inverse {name} {_usage(function)}".rstrip(), ""]
    for paragraph in words:
        lines += [*textwrap.wrap(paragraph, width), ""]
    hints = typing.get_type_hints(function)
    parameters = inspect.signature(function).parameters
    for title, members in _grouped(parameters):
        lines += [title]
        for member in members:
            head = _head(member, parameters[member], hints.get(member, str))
            text = [meanings.get(member, ""), *_default(parameters[member])]
            lines += _flag(head, " ".join(text).strip(), width)
        lines += [""]
    lines += ["Examples", *(f"{' ' * INDENT}{example}" for example in examples)]
    return "\n".join(lines)


def parts(function: Callable) -> tuple[list[str], list[str], dict[str, str]]:
    """What a docstring holds: (paragraphs, examples, text of each argument by name)."""
    sections: dict[str, list[str]] = {"": []}
    where = ""
    for line in (inspect.getdoc(function) or "").splitlines():
        if line in SECTIONS:
            where = line
            sections[where] = []
        else:
            sections[where].append(line)
    paragraphs = "\n".join(sections[""]).strip().split("\n\n")
    examples = [line.strip() for line in sections.get("Examples:", []) if line.strip()]
    meanings: dict[str, str] = {}
    last = ""
    for line in sections.get("Args:", []):
        if begun := re.match(r" {4}(\w+): (.*)", line):
            last, text = begun.groups()
            meanings[last] = text
        elif last:
            meanings[last] += f" {line.strip()}"
    return [" ".join(p.split()) for p in paragraphs if p.strip()], examples, meanings


def _usage(function):
    """The arguments that need no flag: all that are needed, or else the first one there is."""
    parameters = inspect.signature(function).parameters.values()
    many = [p for p in parameters if p.kind is p.VAR_POSITIONAL]
    needed = [p for p in parameters if p.default is p.empty and p not in many]
    words = [p.name.upper() for p in needed] + [f"{p.name.upper()}..." for p in many]
    free = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    return " ".join([*(words or [f"[{p.name.upper()}]" for p in free[:1]]), "[FLAGS]"])


def _grouped(parameters) -> Iterator[tuple[str, list[str]]]:
    """Titles and the flags under them; needed arguments come first, under their own."""
    empty = inspect.Parameter.empty
    needed = [n for n, p in parameters.items() if p.default is empty]
    rest = [name for name in parameters if name not in needed]
    if needed:
        yield "Arguments", needed
    if len(rest) <= FEW:
        yield "Flags", rest
        return
    titles = {name: title for title, names in GROUPS.items() for name in names.split()}
    for title in (*GROUPS, OTHERS):
        members = [name for name in rest if titles.get(name, OTHERS) == title]
        if members:
            yield title, members


def _flag(head, text, width):
    """The lines of one flag: its text beside it, or below where it is long."""
    body = textwrap.wrap(text, max(30, width - COLUMN)) or [""]
    lines = [" " * COLUMN + line for line in body]
    head = " " * INDENT + head
    if len(head) >= COLUMN:
        return [head, *lines]
    return [f"{head:<{COLUMN}}{body[0]}".rstrip(), *lines[1:]]


def _head(name, parameter, hint):
    """How a flag is written: -n, --n=N."""
    if parameter.kind is parameter.VAR_POSITIONAL:
        return f"{name.upper()}..."
    long = f"--{flags.written(name)}"
    letter = next((f"-{s}, " for s, meant in flags.SHORT.items() if meant == name), "")
    kind = flags.kinds(hint)
    if bool in kind:
        # A switch that is neither on nor off by default can be set to either.
        return letter + (long if parameter.default is False else f"--[no]{long[2:]}")
    return f"{letter}{long}={flags.placeholder(kind)}"


def _default(parameter):
    """The default in brackets, where there is one that is worth a word."""
    default = parameter.default
    silent = default is None or isinstance(default, bool) or default in ("", parameter.empty)
    return [] if silent else [f"[{default}]"]
