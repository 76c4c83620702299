"""The pickle of a PyTorch checkpoint, interpreted: numbers, names and tensors, and nothing else.

Python's own unpickler calls whatever function a file names; and even one that may call nothing sets
aside gigabytes for a file of nine bytes that asks for them. Here the standard library only cuts the
stream into its operations (`pickletools.genops`, which executes nothing); the few operations that
`torch.save` writes for tensors act on plain lists and dictionaries, and all others are refused.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO

from tf_inverse.caffe.pytorch import tensors
from tf_inverse.caffe.pytorch.tensors import Global, Storage, Tensor
from tf_inverse.errors import RefusedInput, reason

MOST_OPERATIONS = 500_000

_ORDERED_DICT = ("collections", "OrderedDict")
# The first is of PyTorch before 0.4. Both begin with the same four arguments.
_REBUILD_TENSOR = (("torch._utils", "_rebuild_tensor"), ("torch._utils", "_rebuild_tensor_v2"))
# A tensor that is trained, as `named_parameters` gives it in place of a state dict's.
_REBUILD_PARAMETER = ("torch._utils", "_rebuild_parameter")
_CALLED = (_ORDERED_DICT, *_REBUILD_TENSOR, _REBUILD_PARAMETER)
_MARK = object()


def load(stream: BinaryIO, storages: dict[str, Storage] | None = None) -> object:
    """The object that one pickle describes; the stream is left at the pickle's end.

    Args:
        stream: Seekable, at the beginning of a pickle.
        storages: Gets every storage that the pickle names, by its key, whoever uses it.

    Returns:
        Dictionaries, lists, tuples, texts, numbers, None and `tensors.Tensor`.

    Raises:
        RefusedInput: Damaged, or something other than tensors and plain values.
    """
    machine = _Machine({} if storages is None else storages)
    try:
        for count, (operation, argument, _) in enumerate(pickletools.genops(stream)):
            if count >= MOST_OPERATIONS:
                raise RefusedInput(f"expected at most {MOST_OPERATIONS} operations in its pickle")
            if operation.name == "STOP":
                return machine.pop()
            machine.apply(operation.name, argument)
    except (ValueError, IndexError, KeyError, OverflowError) as error:
        # pickletools raises these for a stream that is cut off or is no pickle.
        raise RefusedInput(f"its pickle is damaged: {reason(error)}") from None
    raise RefusedInput("its pickle has no end")


class _Machine:
    """The stack and the memory of a pickle, with the operations that are allowed."""

    def __init__(self, storages: dict[str, Storage]) -> None:
        self.stack: list[object] = []
        self.memory: dict[int, object] = {}
        self.storages = storages

    def pop(self) -> object:
        if not self.stack or self.stack[-1] is _MARK:
            raise RefusedInput("its pickle is damaged: nothing on its stack")
        return self.stack.pop()

    def apply(self, name: str, argument: Any) -> None:
        """Carries out one operation of the stream."""
        if name in _VALUES:
            self.stack.append(argument)
        elif name in _MADE:
            self.stack.append(_MADE[name]())
        elif name in _TUPLES:
            self._put_tuple([self.pop() for _ in range(_TUPLES[name])][::-1])
        elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self.memory[len(self.memory) if name == "MEMOIZE" else argument] = self._top()
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self.memory[argument])
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        elif name not in ("PROTO", "FRAME"):
            raise RefusedInput(f"its pickle uses {name}, which no file of tensors needs")

    def _top(self) -> object:
        value = self.pop()
        self.stack.append(value)
        return value

    def _since_mark(self) -> list[object]:
        at = len(self.stack) - 1
        while at >= 0 and self.stack[at] is not _MARK:
            at -= 1
        if at < 0:
            raise RefusedInput("its pickle is damaged: a mark is missing")
        values = self.stack[at + 1 :]
        del self.stack[at:]
        return values

    def _put_tuple(self, values: list[object]) -> None:
        self.stack.append(tuple(values))

    def _tuple(self, _: object) -> None:
        self._put_tuple(self._since_mark())

    def _set_items(self, _: object) -> None:
        values = self._since_mark()
        _fill(self._top(), values)

    def _set_item(self, _: object) -> None:
        value, key = self.pop(), self.pop()
        _fill(self._top(), [key, value])

    def _append(self, _: object) -> None:
        value = self.pop()
        _list(self._top()).append(value)

    def _appends(self, _: object) -> None:
        values = self._since_mark()
        _list(self._top()).extend(values)

    def _global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self.stack.append(_allowed(module, name))

    def _stack_global(self, _: object) -> None:
        name, module = self.pop(), self.pop()
        self.stack.append(_allowed(module, name))

    def _reduce(self, _: object) -> None:
        arguments, called = self.pop(), self.pop()
        if not isinstance(called, Global) or not isinstance(arguments, tuple):
            raise RefusedInput("its pickle calls something that is no tensor")
        if called == _ORDERED_DICT:
            self.stack.append(_ordered(arguments))
        elif called in _REBUILD_TENSOR:
            self.stack.append(tensors.tensor(arguments))
        elif called == _REBUILD_PARAMETER and isinstance(next(iter(arguments), None), Tensor):
            self.stack.append(arguments[0])
        else:
            raise RefusedInput("its pickle calls something that is no tensor")

    def _build(self, _: object) -> None:
        # The attribute _metadata of a state dict, which tells versions of modules.
        state = self.pop()
        if not isinstance(self._top(), dict) or not isinstance(state, dict):
            raise RefusedInput("its pickle sets the attributes of an object")

    def _storage(self, _: object) -> None:
        found = tensors.storage(self.pop())
        self.storages[found.key] = found
        self.stack.append(found)


_VALUES = {
    "BININT",
    "BININT1",
    "BININT2",
    "LONG1",
    "BINFLOAT",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    # Texts of Python 2.
    "BINSTRING",
    "SHORT_BINSTRING",
}
_MADE: dict[str, Callable[[], object]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "MARK": lambda: _MARK,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "TUPLE": _Machine._tuple,
    "SETITEM": _Machine._set_item,
    "SETITEMS": _Machine._set_items,
    "APPEND": _Machine._append,
    "APPENDS": _Machine._appends,
    "GLOBAL": _Machine._global,
    "STACK_GLOBAL": _Machine._stack_global,
    "REDUCE": _Machine._reduce,
    "BUILD": _Machine._build,
    "BINPERSID": _Machine._storage,
}


def _allowed(module: object, name: object) -> Global:
    """The name of something that may be called, or the type of a storage."""
    if not isinstance(module, str) or not isinstance(name, str):
        raise RefusedInput("its pickle is damaged: a name is no text")
    found = Global(module, name)
    if found in _CALLED or (module == "torch" and name in tensors.STORAGES):
        return found
    raise RefusedInput(
        f"its pickle wants {f'{module[:80]}.{name[:80]}'!r}, which is not allowed: expected "
        f"tensors alone; save them with torch.save(model.state_dict(), FILE)"
    )


def _ordered(arguments: tuple[Any, ...]) -> dict[str | int, object]:
    """An OrderedDict: empty, to be filled, or as Python 2 writes it, of a list of [key, value]."""
    found: dict[str | int, object] = {}
    for item in _list(arguments[0]) if arguments else []:
        if not isinstance(item, list) or len(item) != 2:
            raise RefusedInput("its pickle is damaged: an item of a dictionary is no pair")
        _fill(found, item)
    return found


def _fill(target: object, values: list[object]) -> None:
    # Texts and numbers only: hashing tuples of tuples can take for ever.
    if not isinstance(target, dict) or len(values) % 2:
        raise RefusedInput("its pickle is damaged: items for something that is no dictionary")
    for key, value in zip(values[::2], values[1::2], strict=True):
        if not isinstance(key, str | int):
            raise RefusedInput("its pickle has a dictionary whose keys are not texts")
        target[key] = value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise RefusedInput("its pickle is damaged: an item for something that is no list")
    return value
