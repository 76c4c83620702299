"""The floors of the package: an import goes down, never up or sideways, and never in a circle.

Every import counts, those inside functions too; only those under `if TYPE_CHECKING` do not, for
they tell a type and are never run.
"""

import ast
import functools
import graphlib
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
# The rooms of each floor, from the ground up.
FLOORS = (
    ("values",),
    ("layers", "archive", "compute"),
    ("networks", "zoo"),
    ("method", "caffe", "report"),
    ("export", "adopt", "publish", "explain"),
    ("run",),
    ("judging", "atlas"),
    ("training", "baselines"),
    ("experiments",),
    ("tools",),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
VALUES = ("band", "choosing", "directions", "diversity", "errors", "facets", "grammar", "grid")
VALUES += ("keras_settings", "metrics", "neuron", "npy", "private", "tensors", "unit_names")
VALUES += ("version",)
# In running order: no module of the method imports one that comes after it.
METHOD = ("rule", "lagrangian", "problem", "pool", "step_size", "seeds", "walk", "company")
METHOD += (
    "renewal",
    "loops",
    "langevin",
    "splitting",
    "kernel",
    "volume",
    "chains",
    "sampler",
    "group",
)


def modules():
    """Name -> source of every module of the package and of the tools beside it."""
    found = {}
    for path in [*(ROOT / "tf_inverse").rglob("*.py"), *(ROOT / "tools").rglob("*.py")]:
        parts = list(path.relative_to(ROOT).with_suffix("").parts)
        parts = parts if parts[0] == "tf_inverse" else ["tf_inverse", *parts]
        if parts != ["tf_inverse", "__init__"]:
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = path.read_text(encoding="utf-8")
    return found


def room(module):
    """The room that a module is in.

    Raises:
        LookupError: It lies in no room that the floors know.
    """
    name = module.split(".")[1]
    name = "values" if name in VALUES else name
    if name not in FLOOR:
        raise LookupError(f"{module}: no floor has a room {name!r}; add it to FLOORS")
    return name


def _statements(node):
    """All nodes that are run: what `if TYPE_CHECKING` guards is left out."""
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        for child in node.orelse:
            yield from _statements(child)
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _statements(child)


@functools.cache
def _imports(package, source):
    """Whole names of what a source in a package imports: each source is parsed once for all tests.

    Returns:
        A list; names in a module are told as modules are.
    """
    found = []
    for node in _statements(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(above if node.level else ()), *filter(None, [node.module])])
            found += [f"{base}.{alias.name}" for alias in node.names]
    return found


def imported(module, source, known):
    """Modules of the package that a module imports, wherever in its source."""
    found = set()
    package = module if any(name.startswith(f"{module}.") for name in known) else None
    for name in _imports(package or module.rpartition(".")[0], source):
        while name and name not in known:
            name = name.rpartition(".")[0]
        if name and name != module:
            found.add(name)
    return found


def graph(sources):
    """Module -> the modules that it imports."""
    return {name: imported(name, source, sources) for name, source in sources.items()}


def faults(sources):
    """Arrows between rooms that do not go down, and circles of modules within a room."""
    arrows, wrong = graph(sources), []
    for module, targets in arrows.items():
        for target in sorted(targets):
            here, there = room(module), room(target)
            if here != there and FLOOR[there] >= FLOOR[here]:
                wrong.append(f"{module} imports {target}: {here} is not above {there}")
            asks = here == "tools" or module.endswith(".command")
            if target.endswith(".command") and not asks:
                wrong.append(f"{module} imports {target}: what a command prints is for tools alone")
    for i, name in enumerate(METHOD):
        for later in METHOD[i + 1 :]:
            if f"tf_inverse.method.{later}" in arrows.get(f"tf_inverse.method.{name}", ()):
                wrong.append(f"method.{name} imports method.{later}, which comes after it")
    try:
        # A package is loaded before its modules; that it also gathers them is no circle of code.
        packages = {name.rpartition(".")[0] for name in arrows}
        inner = {a: b - packages for a, b in arrows.items() if a not in packages}
        graphlib.TopologicalSorter(inner).prepare()
    except graphlib.CycleError as error:
        wrong.append(f"a circle: {' -> '.join(error.args[1])}")
    return wrong


def test_every_import_goes_down():
    assert faults(modules()) == []


def test_every_room_has_a_floor_and_no_floor_an_empty_room():
    assert {room(module) for module in modules()} == set(FLOOR)


@pytest.mark.parametrize(
    ("module", "line", "said"),
    [
        ("method.walk", "from tf_inverse.run import job", "walk imports tf_inverse.run.job"),
        ("method.walk", "import tf_inverse.run.job", "walk imports tf_inverse.run.job"),
        ("method.walk", "from ..run import job", "walk imports tf_inverse.run.job"),
        ("method.walk", "from ..run.job import run", "walk imports tf_inverse.run.job"),
        ("method.walk", "def f():\n    import tf_inverse.run.job", "imports tf_inverse.run.job"),
        ("method.walk", "from tf_inverse.method import sampler", "which comes after it"),
        ("networks.storage", "from tf_inverse.zoo import caffenet", "networks is not above zoo"),
        ("networks.codes", "from tf_inverse.networks.networks import Networks", "a circle: "),
        ("band", "from tf_inverse.networks.codes import Codes", "values is not above networks"),
        ("adopt", "from ..export import card", "adopt is not above export"),
        ("run.draw", "from tf_inverse.run import command", "prints is for tools alone"),
        ("run.job", "from tf_inverse.tools import cli", "run is not above tools"),
    ],
)
def test_an_arrow_that_does_not_go_down_is_found(module, line, said):
    sources = modules()
    sources[f"tf_inverse.{module}"] += f"\n{line}\n"
    assert any(said in fault for fault in faults(sources))


def test_types_alone_may_look_up():
    sources = modules()
    line = "from tf_inverse.networks.networks import Networks"
    sources["tf_inverse.band"] += f"\nif TYPE_CHECKING:\n    {line}\n"
    assert faults(sources) == []
    sources["tf_inverse.band"] += f"else:\n    {line}\n"
    assert len(faults(sources)) > 0


def test_a_room_without_a_floor_is_refused():
    with pytest.raises(LookupError, match="no floor has a room 'attic'"):
        faults(modules() | {"tf_inverse.attic.box": "from tf_inverse import band"})


def test_the_page_of_the_house_has_the_same_floors():
    """docs/architecture.md draws the floors from the top down."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-z, ]+) \| (.+) \|$", page, re.MULTILINE)[1:]
    drawn = [tuple(name.strip() for name in rooms.split(",")) for rooms, _ in rows]
    assert drawn == [tuple(rooms) for rooms in reversed(FLOORS)]
    values = re.search(r"^\| values \| (.+): plain", page, re.MULTILINE).group(1)
    assert tuple(re.findall(r"`(\w+)`", values)) == VALUES


def test_no_two_test_files_have_one_name():
    """Pytest refuses to collect the second of them, so that the whole suite fails."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) > 100 and sorted(names) == sorted(set(names))
