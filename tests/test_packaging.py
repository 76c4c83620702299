"""What setup.py says is what there is; tools/dev/try_package.py builds and installs for real."""

import pathlib
import re
import subprocess
import sys

import pytest

pytest.importorskip("setuptools", reason="needs setuptools, which Python 3.12 and newer lack")
from distutils.core import run_setup  # noqa: E402  setuptools' own, once that is imported

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="module")
def setup():
    return run_setup(str(ROOT / "setup.py"), stop_after="init")


def test_every_file_of_the_package_is_installed(setup):
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "tf_inverse"]
    told = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True)
    if told.returncode:
        pytest.skip("needs a clone")
    files = {ROOT / name for name in told.stdout.split() if (ROOT / name).is_file()}
    patterns = setup.package_data["tf_inverse"]
    data = {path for pattern in patterns for path in (ROOT / "tf_inverse").glob(pattern)}
    folders = {ROOT.joinpath(*name.split(".")) for name in setup.packages}
    modules = {path for folder in folders for path in folder.glob("*.py")}
    assert files - data - modules == set()
    assert "tf_inverse.tools" in setup.packages and "tf_inverse.tools.dev" not in setup.packages


def test_classifiers_name_the_pythons_that_are_allowed(setup):
    named = re.findall(r"Python :: (3\.\d+)", " ".join(setup.get_classifiers()))
    assert named == ["3.11", "3.12", "3.13"]
    assert setup.python_requires == f">={named[0]}"
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in named


def test_every_extra_that_is_named_exists(setup):
    """In messages, docs and the Dockerfile: an extra that pip does not know is ignored silently."""
    folders = [ROOT / name for name in ("tf_inverse", "tools", "docs", "tests")]
    files = [
        path for folder in folders for path in folder.rglob("*") if path.suffix in (".py", ".md")
    ]
    files += [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    named = re.findall(r"(?:tf_inverse|extra |extras |-e \"?\.)`?\[([a-z,]+)\]", text)
    named += re.findall(r"(?:^ARG EXTRA=|EXTRA=)([\w,]+)", (ROOT / "Dockerfile").read_text(), re.M)
    wanted = {extra for names in named for extra in names.split(",")}
    assert {"publish", "hub", "test", "gpu"} <= wanted
    assert wanted - set(setup.extras_require) == set()
