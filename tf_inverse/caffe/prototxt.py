"""Reads Caffe's network descriptions: the text form of protocol buffers."""

import os
import pathlib
import re

from tf_inverse.caffe import wire
from tf_inverse.errors import RefusedInput

# ResNet-152 takes 100 kB and four levels.
MOST_BYTES, MOST_DEPTH = 2_000_000, 20

# Each step of the gap takes one character or one whole comment, so no text makes it backtrack.
_GAP = re.compile(r"(?:[ \t\r\n,;]|#[^\n]*(?:\n|\Z))*")
_TOKEN = re.compile(
    r"""(?:(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<number>[-+]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)[fF]?|-inf|-nan)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<mark>[{}<>:\[\]])
    |(?P<end>\Z))""",
    re.VERBOSE,
)


class Message:
    """Fields of one message: name -> values in order. Values are str, int, float or Message.

    Attributes:
        fields: {name: [values]}.
        where: What the message is, for errors: "layer 'conv1'".
    """

    def __init__(self, where="the network"):
        self.fields, self.where = {}, where

    def all(self, name: str, kind: type | tuple = object) -> list:
        """Every value of a repeated field, each checked to be of a type."""
        values = self.fields.get(name, [])
        for value in values:
            if not isinstance(value, kind) or (kind is str and isinstance(value, Message)):
                raise RefusedInput(
                    f"{self.where}: expected {_named(kind)} for {name}, got {value!r}"
                )
        return values

    def messages(self, name: str) -> list["Message"]:
        """Every message of a repeated field."""
        return self.all(name, Message)

    def message(self, name: str) -> "Message":
        """A field's message, an empty one where it is absent."""
        found = self.messages(name)
        return found[-1] if found else Message(self.where)

    def word(self, name: str, default: str = "") -> str:
        """A string or an enumeration's word; the last one counts."""
        return [default, *self.all(name, str)][-1]

    def number(self, name: str, default: float) -> float:
        """A finite number; the last one counts."""
        value = [default, *self.all(name, (int, float))][-1]
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

    def integer(self, name: str, default: int | None, least: int = 1, most: int = 65536):
        """One integer within limits; the last one counts."""
        return [default, *self.integers(name, least, most)][-1]

    def flag(self, name: str, default: bool) -> bool:
        """A boolean: true or false, or 1 or 0."""
        value = [default, *self.all(name, (str, int))][-1]
        known = {"true": True, "false": False, "t": True, "f": False, 1: True, 0: False}
        if value not in known:
            raise RefusedInput(f"{self.where}: expected true or false for {name}, got {value!r}")
        return known[value]

    def __repr__(self):
        return "{...}"


def _named(kind):
    names = {Message: "{ ... }", str: "a word", int: "an integer", (int, float): "a number"}
    return names.get(kind, "true or false")


def read(path: str | os.PathLike) -> Message:
    """Read a prototxt file.

    Raises:
        RefusedInput: Not a prototxt, damaged, too large or too deep; names file and line.
        FileNotFoundError: No such file.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"expected a file, found none at {path}")
    if path.stat().st_size > MOST_BYTES:
        raise RefusedInput(f"expected a prototxt of at most {MOST_BYTES} bytes, {path} is larger")
    data = path.read_bytes()
    wire.check_head(path, data[:64])
    try:
        return parse(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise RefusedInput(f"expected text, {path} is not; is it the .caffemodel?") from None
    except RefusedInput as error:
        raise RefusedInput(f"{path}: {error}") from None


def parse(text: str) -> Message:
    """The message that a prototxt text holds."""
    tokens = _Tokens(text)
    stack, closers = [Message()], [""]
    while True:
        kind, name = tokens.take()
        if kind == "end" and len(stack) == 1:
            return stack[0]
        if kind == "mark" and name == closers[-1]:
            stack.pop()
            closers.pop()
            continue
        if kind != "word":
            raise tokens.refusal(f"expected a field, got {name or 'the end'!r}")
        kind, value = tokens.take()
        colon = value == ":" and kind == "mark"
        if colon:
            kind, value = tokens.take()
        if kind == "mark" and value in "{<":
            stack.append(Message(name))
            closers.append({"{": "}", "<": ">"}[value])
            stack[-2].fields.setdefault(name, []).append(stack[-1])
            if len(stack) > MOST_DEPTH:
                raise tokens.refusal(f"expected at most {MOST_DEPTH} levels of braces, got more")
        elif colon:
            stack[-1].fields.setdefault(name, []).extend(tokens.values(kind, value))
        else:
            raise tokens.refusal(f"expected ':' or '{{' after {name!r}, got {value!r}")


class _Tokens:
    """The text's tokens one by one; knows the line it is at."""

    def __init__(self, text):
        self.text, self.at = text, 0

    def next(self):
        return _TOKEN.match(self.text, _GAP.match(self.text, self.at).end())

    def take(self):
        match = self.next()
        if not match:
            raise self.refusal(f"expected a prototxt, got {self.text[self.at :].lstrip()[:20]!r}")
        self.at = match.end()
        return match.lastgroup, match[match.lastgroup]

    def refusal(self, what):
        return RefusedInput(f"line {self.text.count(chr(10), 0, self.at) + 1}: {what}")

    def values(self, kind, token):
        """The value that a token begins: a list's several, or one."""
        if (kind, token) != ("mark", "["):
            return [self.scalar(kind, token)]
        values = []
        while (pair := self.take()) != ("mark", "]"):
            values.append(self.scalar(*pair))
        return values

    def scalar(self, kind, token):
        if kind == "number":
            return self.amount(token)
        if kind == "string":
            return token[1:-1] + self.more_string()
        if kind != "word":
            raise self.refusal(f"expected a value, got {token or 'the end'!r}")
        return {"inf": float("inf"), "nan": float("nan")}.get(token, token)

    def amount(self, token):
        if len(token) > 40:
            raise self.refusal(f"expected a number, got {len(token)} digits")
        if token[:2].lower() == "0x":
            return int(token, 16)
        try:
            return int(token)
        except ValueError:
            return float(token.rstrip("fF"))

    def more_string(self):
        """What other strings follow directly: they are part of the first."""
        parts = []
        while (match := self.next()) and match.lastgroup == "string":
            self.at = match.end()
            parts.append(match["string"][1:-1])
        return "".join(parts)
