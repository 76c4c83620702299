"""How the layers of a model of Keras 2 call one another, in the words of Keras 3.

Keras 2 lists a call's tensors as [layer, call, output, keywords], where Keras 3 writes arguments
and keywords. Plain operations between layers, as x / 255, are layers of their own in Keras 2 that
name a function of TensorFlow; those with the same operation in Keras 3 are turned into that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tf_inverse import private
from tf_inverse.errors import RefusedInput

OPERATIONS = {
    "__operators__.add": ("numpy", "Add", "y"),
    "math.add": ("numpy", "Add", "y"),
    "nn.bias_add": ("numpy", "Add", "bias"),
    "math.subtract": ("numpy", "Subtract", "y"),
    "math.multiply": ("numpy", "Multiply", "y"),
    "math.truediv": ("numpy", "TrueDivide", "y"),
    "math.divide": ("numpy", "TrueDivide", "y"),
    "math.negative": ("numpy", "Negative", None),
    "math.square": ("numpy", "Square", None),
    "math.tanh": ("numpy", "Tanh", None),
    "math.sigmoid": ("nn", "Sigmoid", None),
    "nn.relu": ("nn", "Relu", None),
    "nn.relu6": ("nn", "Relu6", None),
    "__operators__.getitem": ("numpy", "GetItem", "slice_spec"),
}
"""Function of TensorFlow -> module and class in keras.ops, and the second argument's name."""

SLICE = ("start", "stop", "step")
AS_USUAL = {"data_format": "NHWC"}


class Unknown(RefusedInput):
    """Something that Keras 2 had and Keras 3 lacks."""


def plain(name: str) -> str:
    """A layer's name without slashes, which Keras 2 allowed."""
    return name.replace("/", "_")


def mapped(value: Any, function: Callable[[Any], Any]) -> Any:
    """Applies a function to every [layer, call, output, ...] in lists and dictionaries."""
    if isinstance(value, dict):
        return {key: mapped(one, function) for key, one in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) > 2 and isinstance(value[0], str) and isinstance(value[1], int):
        return function(value)
    return [mapped(one, function) for one in value]


def counted(leaf: list, early: dict[str, int]) -> list:
    """[layer, call, output] with the call counted from as many as `early` says of the layer."""
    return [plain(leaf[0]), leaf[1] - early.get(leaf[0], 0), leaf[2]]


def call(node: Any, early: dict[str, int]) -> dict:
    """One call of a layer: `args` and `kwargs`.

    Args:
        node: As Keras 2 or Keras 3 writes it; the latter's stays as it is.
        early: What `counted` takes.
    """
    if isinstance(node, dict):
        return node
    args, kwargs = _arguments(node, early)
    return {"args": [args], "kwargs": kwargs}


def _arguments(node: list, early: dict[str, int]) -> tuple[Any, dict[str, Any]]:
    keywords: dict = {}

    def argument(leaf: list) -> Any:
        keywords.update(leaf[3] if len(leaf) > 3 else {})
        return leaf[2] if leaf[0] == "_CONSTANT_VALUE" else _tensor(leaf, early)

    args = mapped(node, argument)
    args = args[0] if isinstance(args, list) and len(args) == 1 else args
    return args, mapped(keywords, lambda leaf: _tensor(leaf, early))


def _tensor(leaf: list, early: dict[str, int]) -> dict:
    # The tensor is looked up by its history; shape and type are there for form alone.
    config = {"shape": [], "dtype": "float32", "keras_history": counted(leaf, early)}
    return {"class_name": "__keras_tensor__", "config": config}


def operation(part: dict, early: dict[str, int]) -> dict:
    """A plain operation of Keras 2 (TFOpLambda, SlicingOpLambda) as one of Keras 3.

    Args:
        part: Of a functional model's layers.
        early: What `counted` takes.

    Raises:
        Unknown: There is none that does the same.
    """
    function, name = part["config"]["function"], plain(part["name"])
    if function not in OPERATIONS:
        raise Unknown(f"its plain operation tf.{function} cannot be told in Keras 3's words")
    module, own, second = OPERATIONS[function]
    nodes = []
    for node in part["inbound_nodes"]:
        first, keywords = _arguments(node, early)
        args = [first] if second is None else [first, _constant(keywords.pop(second))]
        for key, value in keywords.items():
            if key != "name" and value not in (None, AS_USUAL.get(key)):
                raise Unknown(f"tf.{function} with {key}={value!r} has no like in Keras 3")
        nodes.append({"args": args, "kwargs": {}})
    return {
        "module": f"{private.OPERATIONS}.{module}",
        "class_name": own,
        "config": {"name": name},
        "registered_name": own,
        "name": name,
        "inbound_nodes": nodes,
    }


def _constant(value: Any) -> Any:
    """A number, a tensor, an array, or the parts of an index, as an argument in a `.keras` file."""
    if isinstance(value, list) and value and all(isinstance(one, int | float) for one in value):
        return {"class_name": "__numpy__", "config": {"value": value, "dtype": "float32"}}
    return [_part(one) for one in value] if isinstance(value, list) else _part(value)


def _part(value: Any) -> Any:
    if not isinstance(value, dict) or value.get("class_name") == "__keras_tensor__":
        return value
    if value.get("class_name") == "__ellipsis__":
        return {"class_name": "__ellipsis__", "config": {}}
    return {"class_name": "__slice__", "config": {key: value[key] for key in SLICE}}
