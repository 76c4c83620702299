"""The types of the package, as mypy reads them: one run over it and over a user's program."""

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
CLIENT = ROOT / "tests" / "typed_client.py"
ERROR = re.compile(r"(?P<path>\S+?):(?P<line>\d+): error: .*\[(?P<code>[\w-]+)\]")


@pytest.fixture(scope="module")
def errors(pytestconfig):
    """(path, line, code, text) of every error of the package and of the client."""
    cache = pytestconfig.cache.mkdir("mypy")
    command = [sys.executable, "-m", "mypy", f"--cache-dir={cache}"]
    command += ["--no-error-summary", "tf_inverse", str(CLIENT)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if ": error: " in line]
    matches = [ERROR.match(line) for line in lines]
    assert all(matches), lines
    return [(pathlib.Path(m["path"]), int(m["line"]), m["code"], m[0]) for m in matches]


def test_right_uses_pass_and_each_wrong_one_is_an_error(errors):
    lines = enumerate(CLIENT.read_text(encoding="utf-8").splitlines(), 1)
    marked = {i: line.rpartition("# E: ")[2] for i, line in lines if "# E: " in line}
    assert len(marked) > 20
    found = {line: code for path, line, code, _ in errors if path.name == CLIENT.name}
    assert found == marked


def test_the_package_is_typed_to_the_end(errors):
    assert [text for path, _, _, text in errors if path.name != CLIENT.name] == []


def test_no_room_is_left_out():
    config = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "ignore_errors" not in config and "disallow_untyped_defs = true" in config
