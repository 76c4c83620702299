"""`tf-inverse experiment`: one recipe from the networks to the page."""

from __future__ import annotations

import contextlib
import json
import pathlib
import shlex
from typing import TYPE_CHECKING, Any

from tf_inverse import archive
from tf_inverse.caffe import published
from tf_inverse.compute import precision as precisions
from tf_inverse.errors import UsageError
from tf_inverse.experiments import page, paper
from tf_inverse.experiments.ledger import Ledger
from tf_inverse.experiments.recipes import RECIPES
from tf_inverse.experiments.runner import Lab
from tf_inverse.grammar import say
from tf_inverse.judging import judges
from tf_inverse.report import png
from tf_inverse.tensors import StrPath
from tf_inverse.version import versions

if TYPE_CHECKING:
    from tf_inverse.experiments.recipes import Outcome

SUFFIXES = ("md", "html", "json", "png")
"""Of the files that tell an outcome."""


def run(
    name: str,
    out: StrPath,
    network: str,
    judge: str | None,
    precision: str,
    overwrite: bool,
    as_json: bool,
    trust: bool = False,
    **options: Any,
) -> int:
    """One recipe; one that was stopped goes on after the last of its runs that ended.

    Args:
        name: Of `RECIPES`.
        out: Folder; NAME by default.
        network: A shipped name or a folder.
        judge: A .keras file, or None.
        precision: As of `sample`.
        overwrite: Replace an earlier outcome.
        as_json: Print the outcome as JSON in place of the Markdown page.
        trust: As of `storage.load`.
        **options: Fields of `runner.Lab`.

    Returns:
        0, or 3 where a run found fewer samples than asked.

    Raises:
        UsageError: No such recipe, fewer than one neuron, or what was stopped had other settings.
        FileExistsError: The outcome is there, or archives of something else are, and overwrite is
            not set.
    """
    if name not in RECIPES:
        raise UsageError(f"expected one of {', '.join(RECIPES)}, got {name!r}")
    neurons = options.get("neurons")
    if neurons is not None and neurons < 1:
        raise UsageError(f"expected --neurons of 1 or more, got {neurons}")
    out = pathlib.Path(out or name)
    ledger = Ledger(out, name, anew=overwrite)
    # Recipes share names of archives: another one's, or the user's own, would be replaced.
    archives = sorted(out.glob("*.h5"))
    others = (path for path in archives if not ledger.owns(path))
    for there in (out / f"{name}.json", *others):
        if there.exists() and not overwrite:
            raise FileExistsError(f"{there} exists; give --overwrite or another --out")
    # The paper's size has networks of its own.
    networks = None if name == "size" else published.load(network, trust)
    told = networks.name if networks else "CaffeNet's shapes, random weights"
    asked = options | {"precision": None if precision == "auto" else precision}
    command = typed(name, network if networks else None, judge, asked)
    lab = Lab(
        networks=networks,
        out=out,
        judge=judges.load(judge, trust=trust) if judge else None,
        precision=precisions.resolve(precision),
        say=say,
        ledger=ledger,
        **options,
    )
    before = out.exists()
    out.mkdir(parents=True, exist_ok=True)
    begun = options | {"network": told, "judge": judge, "precision": lab.precision}
    sources = {"checksums": networks.checksums if networks else {}, "versions": versions()}
    told_before = [out / f"{name}.{suffix}" for suffix in SUFFIXES]
    replaced = archives if overwrite else ()
    if done := ledger.begin(begun | sources, replaced, told_before):
        say(f"{out}: going on after {done} runs that are done")
    try:
        outcome = RECIPES[name](lab)
    except KeyboardInterrupt:
        again = "the same command without --overwrite" if overwrite else "the same command"
        say(f"stopped; {again} goes on with {out}")
        raise
    except UsageError:
        if not before and not any(out.iterdir()):
            out.rmdir()
        raise
    text = write(out, name, outcome, command, told)
    data = record(name, outcome, told)
    ledger.close()
    say(f"{out / name}.html")
    print(json.dumps(data) if as_json else text)
    return 3 if any("trouble" in row for row in outcome.rows) else 0


def typed(name: str, network: str | None, judge: str | None, options: dict) -> str:
    """The command line that runs it again."""
    flags = {"network": network, "judge": judge, **options}
    given = [f"--{key}={value}" for key, value in flags.items() if value is not None]
    return shlex.join(["tf-inverse", "experiment", name, *given])


def record(name: str, outcome: Outcome, network: str) -> dict:
    """The outcome as plain data: rows with a `ratio` a neuron, claims, the paper's figures."""
    return {
        "experiment": name,
        "network": network,
        "rows": outcome.rows,
        "claims": [claim._asdict() for claim in outcome.claims],
        "paper": dict(paper.GIVEN[name]),
    }


def write(out: pathlib.Path, name: str, outcome: Outcome, command: str, network: str) -> str:
    """Puts NAME.md, NAME.html, NAME.json and NAME.png into the folder; returns the Markdown."""
    text = page.markdown(outcome, name, command, network)
    with contextlib.ExitStack() as stack:
        names = [row["archive"] for row in outcome.rows if row.get("archive")]
        opened = {one: stack.enter_context(archive.open(out / one)) for one in names}
        picture = page.rows_sheet(outcome, opened)
    files = {
        "md": text.encode(),
        "html": page.page(outcome, name, command, network, picture).encode(),
        "json": (json.dumps(record(name, outcome, network), indent=1) + "\n").encode(),
    }
    if picture is not None:
        files["png"] = picture
    for suffix, data in files.items():
        png.save(out / f"{name}.{suffix}", data, overwrite=True)
    return text
