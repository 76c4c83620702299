"""Tries networks of every kind, from a file on the disk to samples and an export: a table.

    python tools/try_models.py [--only=NAME,NAME] [--results=FOLDER] [--again=STAGE,STAGE]

Nothing is downloaded. Each network has a process of its own. What came of each is kept in the
folder of results (build/zoo), so that a run that was stopped goes on, and the table can be printed
again; `--again` repeats stages (adopt, float32, default, half, export). The exit code is 1 where a
network failed.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
STAGES = ("adopt", "float32", "default", "half", "export")
ASKED = 10
# Sums of float32 come out a little different in other orders; a deep network makes more of it.
TOLERANCE = 3e-4
ROUNDING = {"codes": 1e-4, "activations": 1e-4}
HEAD = (
    "network",
    "encoder",
    "target",
    "found",
    "searched in",
    "steps",
    "in float32",
    "stored = own",
    "bfloat16: encoding, target",
    "export",
    "s",
    "trouble",
)


def names(only: str | None) -> list[str]:
    """The networks to try: all, or those whose names are given, separated by commas."""
    from tf_inverse.tools import zoo

    wanted = only.split(",") if only else list(zoo.ZOO)
    unknown = [name for name in wanted if name not in zoo.ZOO]
    if unknown:
        sys.exit(f"expected --only= some of {', '.join(zoo.ZOO)}; got {unknown[0]!r}")
    return wanted


def place(results: pathlib.Path, name: str) -> pathlib.Path:
    """The folder of a network's files."""
    return results / re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def read(where: pathlib.Path) -> dict:
    """What is known of a network: stage -> figures."""
    path = where / "result.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def attempt(name: str, where: pathlib.Path, again: set[str]) -> dict:
    """Go through the stages that are missing, or to be repeated, in a process of their own."""
    done = read(where)
    stages = [s for s in STAGES if s in again or "trouble" in done.get(s, {"trouble": ""})]
    if "adopt" in stages:
        stages = list(STAGES)
    if stages:
        where.mkdir(parents=True, exist_ok=True)
        with open(where / "log.txt", "w", encoding="utf-8") as log:
            command = [sys.executable, HERE / "zoo_try.py", name, where, ",".join(stages)]
            # What is trusted here is not to be trusted by the user's own commands.
            own = os.environ | {"TF_INVERSE_CACHE": str(where / "cache")}
            ended = subprocess.run(command, stderr=log, stdout=log, env=own, check=False)
        done = read(where)
        if ended.returncode:
            stopped = next((stage for stage in stages if stage not in done), stages[-1])
            done[stopped] = {"trouble": f"the process ended with {ended.returncode}"}
    return done


def trouble(done: dict) -> str:
    """Why a network failed, or nothing."""
    said = [f"{stage}: {done[stage]['trouble']}" for stage in STAGES if "trouble" in done[stage]]
    for stage in ("float32", "default"):
        one = {"found": ASKED, "difference": 0.0} | done[stage]
        said += [f"{stage}: {one['found']} of {ASKED}"] if one["found"] != ASKED else []
        apart = one["difference"]
        said += [f"{stage}: stored differ by {apart:.1e}"] if not apart <= TOLERANCE else []
    if done["export"].get("found", ASKED) != ASKED:
        said += [f"export: {done['export']['found']} of {ASKED}"]
    apart = done["export"].get("apart", {})
    # The library and an export compile their gradients apart: codes may round the other way.
    other = [name for name, most in apart.items() if most > ROUNDING.get(name, 0.0)]
    said += [f"export: other {', '.join(other)}"] if other else []
    return "; ".join(said)


def compared(apart: dict[str, float]) -> str:
    """How far the answer of an export is from the library's, in words."""
    if not apart or not any(apart.values()):
        return "equal" if apart else ""
    return ", ".join(f"{name} within {most:.0e}" for name, most in apart.items() if most)


def row(name: str, done: dict) -> str:
    """A network's row of the table."""
    default, exact = done["default"], done["float32"]
    apart = [one["difference"] for one in (default, exact) if "difference" in one]
    cells = (
        name,
        done["adopt"].get("encoder", "").rpartition("/")[2],
        done["adopt"].get("target", "").rpartition("/")[2],
        f"{default.get('found', 0)}/{ASKED}",
        default.get("precision", ""),
        default.get("steps", ""),
        exact.get("steps", ""),
        f"{max(apart):.0e}" if apart else "",
        ", ".join(f"{done['half'][key]:.0e}" for key in ("e", "z") if key in done["half"]),
        compared(done["export"].get("apart", {})),
        f"{sum(one.get('seconds', 0) for one in done.values()):.0f}",
        trouble(done),
    )
    return f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |"


def together(all_done: list[dict]) -> str:
    """Steps of all networks together, in the default precision and in float32."""
    runs = [(one["default"].get("steps"), one["float32"].get("steps")) for one in all_done]
    runs = [pair for pair in runs if None not in pair]
    default, exact = (sum(steps) for steps in zip(*runs, strict=True)) if runs else (0, 0)
    ratio = f"{default / exact:.2f} times" if exact else "nothing to compare"
    return f"{len(runs)} networks: {default} steps, {exact} in float32, {ratio}"


def main() -> int:
    """Try the networks and print the table, a row as soon as it is known."""
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("--only", help="names, separated by commas")
    words.add_argument("--results", type=pathlib.Path, default=pathlib.Path("build/zoo"))
    words.add_argument("--again", default="", help=f"stages to repeat: {','.join(STAGES)}")
    given = words.parse_args()
    wanted, again = names(given.only), set(filter(None, given.again.split(",")))
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}", flush=True)
    tried = []
    for i, name in enumerate(wanted, 1):
        print(f"{i} of {len(wanted)}: {name}", file=sys.stderr, flush=True)
        done = attempt(name, place(given.results, name), again)
        if "skipped" in done:
            print(f"| {name} | skipped: {done['skipped']} |{' |' * (len(HEAD) - 2)}", flush=True)
            continue
        tried.append({stage: done.get(stage, {}) for stage in STAGES})
        print(row(name, tried[-1]), flush=True)
    print(f"\n{together(tried)}")
    return 1 if any(map(trouble, tried)) else 0


if __name__ == "__main__":
    sys.exit(main())
