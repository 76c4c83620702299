"""The fields of a text message, and which of them the conversion has asked for.

Whatever a file says and nothing asks for would be dropped without a word. So every message
remembers what was asked of it, and `unknown` names the rest: a misspelt field, or a setting that
this package does not honour.
"""

import difflib
from collections.abc import Collection, Sequence
from typing import Any, TypeAlias, TypeVar, overload

from tf_inverse.errors import RefusedInput

Value: TypeAlias = "str | int | float | Message"
"""What a field may hold."""

V = TypeVar("V")
W = TypeVar("W")


class Message:
    """Fields of one message: name -> values in order. Values are str, int, float or Message.

    Attributes:
        fields: {name: [values]}.
        lines: {name: line of its first value}.
        where: What the message belongs to, for errors: "layer 'conv1'".
        name: The field that holds the message: "convolution_param".
        asked: Names that were asked for, whether the message has them or not.
    """

    def __init__(self, where: str = "the network", name: str = ""):
        self.fields: dict[str, list[Value]] = {}
        self.lines: dict[str, int] = {}
        self.asked: set[str] = set()
        self.where, self.name = where, name

    def add(self, name: str, values: Sequence[Value], line: int) -> None:
        """Append values to a field."""
        self.fields.setdefault(name, []).extend(values)
        self.lines.setdefault(name, line)

    def renamed(self, names: dict[str, str]) -> "Message":
        """A copy in which some fields have other names."""
        copy = Message(self.where, self.name)
        copy.fields = {names.get(name, name): values for name, values in self.fields.items()}
        copy.lines = {names.get(name, name): line for name, line in self.lines.items()}
        return copy

    def unknown(self, known: Collection[str] = ()) -> list[str]:
        """What stands here, or in a message inside that was read, and was never asked for.

        Args:
            known: Names of fields that may stand unread; what is inside them is not looked at.

        Returns:
            One line for each such field, with the name that may have been meant.
        """
        lines = []
        for name, values in self.fields.items():
            if name in known:
                continue
            if name not in self.asked:
                lines.append(self._complaint(name, known))
            for value in values:
                if name in self.asked and isinstance(value, Message):
                    lines += value.unknown(known)
        return lines

    def _complaint(self, name: str, known: Collection[str]) -> str:
        near = difflib.get_close_matches(name, sorted({*self.asked, *known}), 1, 0.6)
        return (
            f"{self.where}: line {self.lines.get(name)}: {name} is no setting of "
            f"{self.name or 'a network'} that can be converted"
            + (f"; did you mean {near[0]}?" if near else "")
        )

    @overload
    def all(self, name: str, kind: type[V]) -> list[V]: ...
    @overload
    def all(self, name: str, kind: tuple[type[V], type[W]]) -> list[V | W]: ...
    def all(self, name: str, kind: Any) -> list[Any]:
        """Every value of a repeated field, each checked to be of a type."""
        self.asked.add(name)
        values = self.fields.get(name, [])
        for value in values:
            if not isinstance(value, kind) or (kind is str and isinstance(value, Message)):
                raise RefusedInput(
                    f"{self.where}: expected {_named(kind)} for {name}, got {value!r}"
                )
            if isinstance(value, Message):
                value.where = self.where
        return values

    def _single(self, name: str, values: Sequence[V], default: W) -> V | W:
        """The value of a field that may stand once: of two, Caffe would take neither."""
        if len(values) > 1:
            raise RefusedInput(f"{self.where}: expected {name} once, got {values}")
        return values[0] if values else default

    def messages(self, name: str) -> list["Message"]:
        """Every message of a repeated field."""
        return self.all(name, Message)

    def message(self, name: str) -> "Message":
        """A field's message, an empty one where it is absent."""
        found = self._single(name, self.all(name, Message), None)
        return Message(self.where, name) if found is None else found

    def word(self, name: str, default: str = "") -> str:
        """The string of a field that may stand once."""
        return self._single(name, self.all(name, str), default)

    def choice(self, name: str, words: Sequence[str], default: str) -> str:
        """A word of an enumeration, or the number that stands for it, counted from 0."""
        value = self._single(name, self.all(name, (str, int)), default)
        word = words[value] if isinstance(value, int) and 0 <= value < len(words) else value
        if not isinstance(word, str) or word not in words:
            expected = f"{', '.join(words[:-1])} or {words[-1]}"
            raise RefusedInput(f"{self.where}: expected {name} {expected}, got {value}")
        return word

    def number(self, name: str, default: float, least: float = -1e30, most: float = 1e30) -> float:
        """The number of a field that may stand once, finite and within limits."""
        value = self._finite(name, self._single(name, self.all(name, (int, float)), default))
        if not least <= value <= most:
            limits = f"from {least:g} to {most:g}" if most < 1e30 else f"of at least {least:g}"
            raise RefusedInput(f"{self.where}: expected {name} {limits}, got {value:g}")
        return value

    def numbers(self, name: str) -> list[float]:
        """Every number of a repeated field, each finite."""
        return [self._finite(name, value) for value in self.all(name, (int, float))]

    def _finite(self, name: str, value: float) -> float:
        if abs(value) > 1e30 or value != value:
            raise RefusedInput(f"{self.where}: expected a finite {name}, got {value}")
        return float(value)

    def integers(self, name: str, least: int = 1, most: int = 65536) -> list[int]:
        """Every integer of a repeated field, each within limits."""
        values = self.all(name, int)
        for value in values:
            if not least <= value <= most:
                raise RefusedInput(
                    f"{self.where}: expected {name} from {least} to {most}, got {value}"
                )
        return values

    @overload
    def integer(self, name: str, default: int, least: int = 1, most: int = 65536) -> int: ...
    @overload
    def integer(
        self, name: str, default: None, least: int = 1, most: int = 65536
    ) -> int | None: ...
    def integer(
        self, name: str, default: int | None, least: int = 1, most: int = 65536
    ) -> int | None:
        """The integer of a field that may stand once, within limits."""
        return self._single(name, self.integers(name, least, most), default)

    def flag(self, name: str, default: bool) -> bool:
        """A boolean: true or false, or 1 or 0."""
        value = self._single(name, self.all(name, (str, int)), default)
        known: dict[str | int, bool] = {
            **dict.fromkeys(("true", "True", "t", 1), True),
            **dict.fromkeys(("false", "False", "f", 0), False),
        }
        if value not in known:
            raise RefusedInput(f"{self.where}: expected true or false for {name}, got {value!r}")
        return known[value]

    def __repr__(self) -> str:
        return "{...}"


def _named(kind: object) -> str:
    names: dict[object, str] = {
        Message: "{ ... }",
        str: "a word",
        int: "an integer",
        (int, float): "a number",
    }
    return names.get(kind, "true or false")
