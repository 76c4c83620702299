"""What Keras and TensorFlow keep private is used in one module, and what that holds is in use."""

import ast
import builtins
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
PRIVATE = ROOT / "tf_inverse" / "private.py"
MODULES = ("keras.src", "tensorflow.python", "tensorflow.compat")
SPACES = ("__internal__", "compat", "_api")
# Documented by Python for everybody's use in spite of their names.
DOCUMENTED = {"_asdict", "_exit", "_field_defaults", "_fields", "_make", "_replace"}
FILES = sorted(
    path
    for folder in ("tf_inverse", "tools")
    for path in (ROOT / folder).rglob("*.py")
    if path != PRIVATE
)


def own_names(trees):
    """Names with an underscore that the package itself defines, anywhere."""
    found = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            # Past Keras's own setattr: layer.__dict__["_kept"] = value.
            found.add(getattr(node.slice, "value", None))
    return found


def uses(tree, own):
    """Every use of something private of another library in a module, in words."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            # By importlib, or in the words of a file.
            names = [node.value] if " " not in node.value else []
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr"):
            name = ast.literal_eval(node.args[1]) if isinstance(node.args[1], ast.Constant) else ""
            names = [name] if _is_foreign(name, own) else []
            yield from names
        elif isinstance(node, ast.Attribute):
            names = [ast.unparse(node)]
            if node.attr in SPACES or _is_foreign(node.attr, own):
                yield ast.unparse(node)
        else:
            continue
        yield from (n for n in names if any(f"{n}.".startswith(f"{m}.") for m in MODULES))


def _is_foreign(name, own):
    single = name.startswith("_") and not name.startswith("__") and name.isidentifier()
    return single and name not in own | DOCUMENTED | set(dir(builtins))


def test_private_things_of_other_libraries_are_used_in_one_module():
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
    own = own_names(trees.values())
    found = {path.name: sorted({*uses(tree, own)}) for path, tree in trees.items()}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "line",
    [
        "from keras.src.models import Functional",
        "from keras.src import ops",
        "from keras import src",
        "import keras.src.ops as o",
        "def f():\n    from tensorflow.python.client import device_lib",
        "tf.__internal__.FuncGraph('x')",
        "tf.compat.v1.placeholder(x)",
        "import tensorflow.compat.v1 as tf1",
        "model._flatten_layers()",
        "getattr(model, '_functional', model)",
        "importlib.import_module('keras.src.ops')",
    ],
)
def test_a_private_use_is_found(line):
    assert list(uses(ast.parse(line), set()))


def test_own_and_documented_names_are_none():
    source = "self._own(); pool._replace(c=1); os._exit(1); 'keras.src is private'; __name__"
    assert list(uses(ast.parse(source), {"_own"})) == []


def test_nothing_is_kept_that_nobody_uses():
    held = {
        name
        for node in ast.parse(PRIVATE.read_text(encoding="utf-8")).body
        for name in (
            [node.name]
            if isinstance(node, ast.FunctionDef)
            else [one.id for one in getattr(node, "targets", ()) if isinstance(one, ast.Name)]
        )
    }
    used = {
        node.attr
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "private"
    }
    assert held == used
