"""The types of the package, as mypy reads them: one run over it and over a user's program."""

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
CLIENT = ROOT / "tests" / "typed_client.py"
ERROR = re.compile(r"(?P<path>\S+?):(?P<line>\d+): error: .*\[(?P<code>[\w-]+)\]")
UNFINISHED = "ignore_errors = true"


def config():
    return (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def unfinished():
    """The rooms and modules whose errors the configuration leaves out."""
    before, found, _ = config().partition(UNFINISHED)
    return re.findall(
        r'"(tf_inverse[\w.]*?)(?:\.\*)?"', before.rpartition("module =")[2] * bool(found)
    )


@pytest.fixture(scope="module")
def errors(pytestconfig):
    """(path, line, code) of every error of the package and of the client, no room left out."""
    cache = pytestconfig.cache.mkdir("mypy")
    everything = cache / "pyproject.toml"
    everything.write_text(config().replace(UNFINISHED, "ignore_errors = false"), encoding="utf-8")
    command = [sys.executable, "-m", "mypy", f"--config-file={everything}"]
    command += [f"--cache-dir={cache}", "--no-error-summary", "tf_inverse", str(CLIENT)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if ": error: " in line]
    matches = [ERROR.match(line) for line in lines]
    assert all(matches), lines
    return [(pathlib.Path(m["path"]), int(m["line"]), m["code"], m[0]) for m in matches]


def of_room(room, path):
    parts = path.with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(parts).startswith(f"{room}.") or ".".join(parts) == room


def test_right_uses_pass_and_each_wrong_one_is_an_error(errors):
    lines = enumerate(CLIENT.read_text(encoding="utf-8").splitlines(), 1)
    marked = {i: line.rpartition("# E: ")[2] for i, line in lines if "# E: " in line}
    assert len(marked) > 20
    found = {line: code for path, line, code, _ in errors if path.name == CLIENT.name}
    assert found == marked


def test_rooms_that_are_typed_stay_so(errors):
    package = [(path, text) for path, _, _, text in errors if path.name != CLIENT.name]
    done = [text for path, text in package if not any(of_room(r, path) for r in unfinished())]
    assert done == []


def test_a_room_that_is_typed_to_the_end_is_no_longer_left_out(errors):
    paths = {path for path, _, _, _ in errors}
    assert [room for room in unfinished() if not any(of_room(room, path) for path in paths)] == []
