"""No constant of the package that nobody uses."""

import ast
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[1]


def constants(tree):
    """Names in capitals that a module assigns at its top."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for name in (one for target in targets if target for one in ast.walk(target)):
            if isinstance(name, ast.Name) and name.id.lstrip("_").isupper():
                yield name.id


def uses(tree):
    """Every name and attribute that a module reads."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def test_every_constant_is_used():
    folders = ("tf_inverse", "tools")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths}
    used = {name for tree in trees.values() for name in uses(tree)}
    unused = [
        f"{path.relative_to(ROOT)}: {name}"
        for path, tree in trees.items()
        for name in constants(tree)
        if name not in used
    ]
    assert unused == []


def test_an_unused_constant_is_found():
    tree = ast.parse("USED, _IDLE = 1, 2\nOTHER: int = 3\nprint(USED)")
    assert set(constants(tree)) - set(uses(tree)) == {"_IDLE", "OTHER"}
