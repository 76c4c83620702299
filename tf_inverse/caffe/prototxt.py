"""Reads Caffe's network descriptions: the text form of protocol buffers."""

import os
import pathlib
import re

from tf_inverse.caffe import wire_format
from tf_inverse.caffe.message import Message, Value
from tf_inverse.errors import RefusedInput

# ResNet-152 takes 100 kB and four levels.
MOST_BYTES, MOST_DEPTH = 2_000_000, 20

# Each step of the gap takes one character or one whole comment, so no text makes it backtrack.
_GAP = re.compile(r"(?:[ \t\r\n,;]|#[^\n]*(?:\n|\Z))*")
_OCTAL = re.compile("0[0-7]+")
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|(.))", re.DOTALL)
_CONTROL = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_TOKEN = re.compile(
    r"""(?:(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<number>[-+]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)[fF]?|-inf|-nan)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<mark>[{}<>:\[\]])
    |(?P<end>\Z))""",
    re.VERBOSE,
)


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
    wire_format.check_head(path, data[:64])
    if b"\0" in data:
        raise RefusedInput(f"expected text in UTF-8, {path} is none; is it the .caffemodel?")
    try:
        # Caffe passes comments by whatever they are written in. Names are read as in a .caffemodel.
        return parse(data.decode("utf-8-sig", "replace"))
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
        line = tokens.line
        kind, value = tokens.take()
        colon = value == ":" and kind == "mark"
        if colon:
            kind, value = tokens.take()
        if kind == "mark" and value in "{<":
            stack.append(Message(name, name))
            closers.append({"{": "}", "<": ">"}[value])
            stack[-2].add(name, [stack[-1]], line)
            if len(stack) > MOST_DEPTH:
                raise tokens.refusal(f"expected at most {MOST_DEPTH} levels of braces, got more")
        elif colon:
            stack[-1].add(name, tokens.values(kind, value), line)
        else:
            raise tokens.refusal(f"expected ':' or '{{' after {name!r}, got {value!r}")


class _Tokens:
    """The text's tokens one by one; knows the line it is at."""

    def __init__(self, text: str):
        self.text, self.at, self.line = text, 0, 1

    def next(self) -> re.Match[str] | None:
        gap = _GAP.match(self.text, self.at)
        return _TOKEN.match(self.text, gap.end() if gap else self.at)

    def take(self) -> tuple[str, str]:
        match = self.next()
        if not match:
            raise self.refusal(f"expected a prototxt, got {self.text[self.at :].lstrip()[:20]!r}")
        self._go(match.end())
        kind = str(match.lastgroup)
        return kind, match[kind]

    def _go(self, at: int) -> None:
        self.line += self.text.count("\n", self.at, at)
        self.at = at

    def refusal(self, what: str) -> RefusedInput:
        return RefusedInput(f"line {self.line}: {what}")

    def values(self, kind: str, token: str) -> list[Value]:
        """The value that a token begins: a list's several, or one."""
        if (kind, token) != ("mark", "["):
            return [self.scalar(kind, token)]
        values = []
        while (pair := self.take()) != ("mark", "]"):
            values.append(self.scalar(*pair))
        return values

    def scalar(self, kind: str, token: str) -> Value:
        if kind == "number":
            return self.amount(token)
        if kind == "string":
            return _unescaped(token) + self.more_string()
        if kind != "word":
            raise self.refusal(f"expected a value, got {token or 'the end'!r}")
        return {"inf": float("inf"), "nan": float("nan")}.get(token, token)

    def amount(self, token: str) -> float:
        if len(token) > 40:
            raise self.refusal(f"expected a number, got {len(token)} digits")
        digits = token.lstrip("+-")
        if _OCTAL.fullmatch(digits) or digits[:2].lower() == "0x":
            return int(token, 8 if _OCTAL.fullmatch(digits) else 16)
        try:
            return int(token)
        except ValueError:
            # The f of 0.5f is no part of the number, that of -inf is.
            return float(token if digits.isalpha() else token.rstrip("fF"))

    def more_string(self) -> str:
        """What other strings follow directly: they are part of the first."""
        parts = []
        while (match := self.next()) and match.lastgroup == "string":
            self._go(match.end())
            parts.append(_unescaped(match["string"]))
        return "".join(parts)


def _unescaped(token: str) -> str:
    r"""A string without its quotes and escapes; protobuf writes a letter as bytes, \303\251."""

    def byte(match: re.Match[bytes]) -> bytes:
        octal, hexadecimal, other = match.groups()
        if other:
            return _CONTROL.get(other, other)
        return bytes([int(octal, 8) & 255 if octal else int(hexadecimal, 16)])

    return _ESCAPE.sub(byte, token[1:-1].encode()).decode("utf-8", "replace")
