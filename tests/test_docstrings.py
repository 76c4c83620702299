"""What docstrings and comments refer to exists: modules, what is in them, and files."""

import ast
import doctest
import functools
import importlib
import pathlib
import re
import tokenize

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDERS = ("tf_inverse", "tools")
# `networks.Networks`, `archive.open(path)`, guard.Parts; not tf.function, 0.5 or e.g.
REFERENCE = re.compile(r"(?<![\w.$/\"'-])([a-z_]\w*(?:\.[A-Za-z_]\w*)+)(?![\w\"'-]|\.\w)")
FILE = re.compile(r"(?<![\w.])((?:[\w]+/)*\w+\.(?:py|md))\b")
# Libraries, and words that stand for a variable of any program.
PPGN = {"act_max.py", "sampling_class.py"}  # files of its authors' repository
FOREIGN = """
    caffe csv datasets fire functools h5py hashlib html image imaging importlib io json keras
    math matplotlib mypy np numpy os pathlib pickle pkg_resources pytest re scipy self sys tb
    tempfile tensorboard tensorflow tf torch typing urllib zipfile
""".split()
ENDINGS = """
    avi bin caffemodel cff csv gz h5 hdf5 html ini jpg jpeg js json jsonl keras lock log mat md
    npy npz onnx pb png prototxt pt pth py safetensors so svg tar tgz toml txt xz yaml yml zip
    com org net edu io
""".split()


def sources():
    return {
        path: path.read_text(encoding="utf-8")
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


def names_of(tree):
    """Everything that a module or a class in it defines, assigns or imports, at any depth."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found


def modules(files):
    """Last word of a module's name -> names in the modules so called, and in a package's files."""
    found = {}
    for path, text in files.items():
        parts = path.relative_to(ROOT).with_suffix("").parts
        inside = names_of(ast.parse(text))
        word = parts[-2] if parts[-1] == "__init__" else parts[-1]
        found.setdefault(word, set()).update(inside)
        for above, below in zip(parts, parts[1:], strict=False):
            found.setdefault(above, set()).add(below)
    return found


@functools.cache
def words(path, text):
    """[(line, text)] of every docstring and comment."""
    with open(path, "rb") as file:
        tokens = list(tokenize.tokenize(file.readline))
    found = [(one.start[0], one.string) for one in tokens if one.type == tokenize.COMMENT]
    for node in ast.walk(ast.parse(text)):
        body = getattr(node, "body", None)
        for one in body if isinstance(body, list) else ():
            if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant):
                if isinstance(one.value.value, str):
                    found.append((one.lineno, one.value.value))
    return found


def unknown(text, own, known):
    """References in a text that lead nowhere.

    Args:
        text: A docstring or a comment.
        own: Names in the module that it stands in.
        known: From `modules`.
    """
    text = re.sub(r"(?m)^\s*(>>>|\.\.\.).*$", "", text)
    # An example binds names of its own.
    own = own | set(re.findall(r"\bas (\w+)", text)) | set(re.findall(r"(\w+) = ", text))
    for match in REFERENCE.finditer(text):
        first, *rest = match[1].split(".")
        if rest[-1] in ENDINGS or first in FOREIGN or len(first) == 1:
            continue
        if first not in known:
            if first not in own:
                yield match[1]
        elif rest[0] not in known[first] and first not in own:
            yield match[1]


@pytest.fixture(scope="module")
def known():
    return modules(sources())


def test_what_docstrings_refer_to_exists(known):
    wrong = []
    for path, text in sources().items():
        own = names_of(ast.parse(text))
        for line, said in words(path, text):
            found = unknown(said, own, known)
            wrong += [f"{path.relative_to(ROOT)}:{line}: {one}" for one in found]
    assert wrong == []


def test_files_that_docstrings_name_exist():
    names = {path.name for path in [*ROOT.rglob("*.py"), *ROOT.rglob("*.md")]} | PPGN
    wrong = []
    for path, text in sources().items():
        for line, said in words(path, text):
            named = [match.rpartition("/")[2] for match in FILE.findall(said)]
            named = [one for one in named if not one.partition(".")[0].isupper()]
            wrong += [
                f"{path.relative_to(ROOT)}:{line}: {one}" for one in named if one not in names
            ]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("See `guard.Parts`.", ["guard.Parts"]),
        ("A file's guard.Parts, valid until", ["guard.Parts"]),
        ("From `networks.Nets`", ["networks.Nets"]),
        ("`band.Neuron`, tf.function, x.h5, networks.Networks and layer.weights", []),
    ],
)
def test_a_reference_that_leads_nowhere_is_found(text, found, known):
    assert list(unknown(text, {"layer"}, known)) == found


SHOWING = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path, text in sources().items()
    if "    >>> " in text and "dev" not in path.parts
]


@pytest.mark.parametrize("name", SHOWING)
def test_what_docstrings_show_comes_out(name):
    failed, attempted = doctest.testmod(importlib.import_module(name.removesuffix(".__init__")))
    assert attempted and not failed
