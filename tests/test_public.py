"""The public names: one list, the same for programs, type checkers and `dir`."""

import ast
import pathlib
import re
import subprocess
import sys
import types

import tf_inverse

SOURCE = pathlib.Path(tf_inverse.__file__).read_text(encoding="utf-8")


def test_every_public_name_is_there():
    for name in tf_inverse.__all__:
        assert getattr(tf_inverse, name) is not None
    assert set(tf_inverse.__all__) <= set(dir(tf_inverse))
    assert not hasattr(tf_inverse, "nonsense")


def test_type_checkers_see_the_same_names():
    """They read the imports under TYPE_CHECKING, which are never run."""
    (guarded,) = (
        node
        for node in ast.parse(SOURCE).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = {alias.name for line in guarded.body for alias in line.names}
    assert seen == set(tf_inverse.__all__) - {"__version__"}
    for line in guarded.body:
        for alias in line.names:
            __import__(line.module)
            there = getattr(sys.modules[line.module], alias.name)
            assert getattr(tf_inverse, alias.name) is there


def test_readers_of_archives_do_not_wait_for_tensorflow():
    code = "import sys, tf_inverse; tf_inverse.archive.open, tf_inverse.metrics.vendi; "
    code += "tf_inverse.parse; print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_the_page_of_public_names_is_complete():
    page = (pathlib.Path(__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", page, re.MULTILINE)
    assert [name for name, _ in rows] == sorted(tf_inverse.__all__)
    for name, text in rows:
        is_module = isinstance(getattr(tf_inverse, name), types.ModuleType)
        assert text.startswith("Module: ") == is_module, name
        for dotted in re.findall(r"`(\w+\.\w+)`", text) if is_module else ():
            module, inside = dotted.split(".")
            assert module == name and hasattr(getattr(tf_inverse, module), inside), dotted
