"""Flags of a command that are fields of `Settings`: types, defaults and texts are written there."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
import typing
from collections.abc import Callable

from tf_inverse.method.settings import Settings


def taken(
    *names: str, kinds: dict | None = None, texts: dict | None = None, **defaults
) -> Callable[[Callable], Callable]:
    """A decorator that gives a command fields of `Settings` as flags.

    The command takes them as `**settings`. In its signature they stand before its own keyword-only
    arguments, and in its docstring in place of the line about `**settings`: there fire and the
    help read all that they tell.

    Args:
        *names: The fields in their order; all those of `Settings` where none is named.
        kinds: Types of fields that a command takes in another form, by name.
        texts: What fields mean to a command that does not put them as `Settings` does, by name.
        **defaults: Defaults that are others than those of `Settings`, each for a reason.
    """
    known = {field.name: field for field in dataclasses.fields(Settings)}
    fields = [known[name] for name in names or known]
    hints = typing.get_type_hints(Settings) | (kinds or {})
    defaults = {field.name: field.default for field in fields} | defaults
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD

    def decorated(command: Callable) -> Callable:
        own = list(inspect.signature(command).parameters.values())
        first = next(i for i, p in enumerate(own) if p.kind is p.KEYWORD_ONLY)
        given = [inspect.Parameter(f.name, kind, default=defaults[f.name]) for f in fields]
        rest = [p.replace(kind=kind) for p in own[first:] if p.kind is not p.VAR_KEYWORD]
        signature = inspect.Signature([*own[:first], *given, *rest])

        @functools.wraps(command)
        def called(*arguments, **more):
            bound = signature.bind(*arguments, **more)
            bound.apply_defaults()
            return command(**bound.arguments)

        called.__signature__ = signature
        types = typing.get_type_hints(command) | {f.name: hints[f.name] for f in fields}
        called.__annotations__ = {n: types[n] for n in (*signature.parameters, "return")}
        if command.__doc__:  # python -OO has none
            words = _texts() | {n: f"    {n}: {text}\n" for n, text in (texts or {}).items()}
            lines = "".join(words[field.name] for field in fields)
            # From Python 3.13 on docstrings come without the indentation of the source.
            text = inspect.cleandoc(command.__doc__) + "\n"
            called.__doc__ = re.sub(r" +\*\*settings: .*\n", lambda _: lines, text)
        return called

    return decorated


@functools.cache
def _texts() -> dict[str, str]:
    """Field -> its lines in the docstring of `Settings`, indented as those of a command."""
    whole = inspect.cleandoc(Settings.__doc__ or "")
    part = whole.partition("Attributes:\n")[2].partition("\n\n")[0] + "\n"
    found = re.split(r"^ {4}(?=\w+: )", part, flags=re.MULTILINE)[1:]
    return {text.partition(":")[0]: f"    {text}" for text in found}
