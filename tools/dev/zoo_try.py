"""What is tried with one network of the zoo, stage by stage; run by `try_models.py`.

    python tools/dev/zoo_try.py NAME FOLDER STAGE,STAGE ...

A stage's figures go into FOLDER/result.json as soon as they are known; FOLDER keeps the network.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import pathlib
import re
import shutil
import sys
import time
import traceback

import keras
import numpy as np
import tensorflow as tf
import zoo
import zoo_own
from PIL import Image
from tf_inverse.tools import cli

from tf_inverse import adopt, archive, export
from tf_inverse.band import parse
from tf_inverse.export.inputs import question
from tf_inverse.method.settings import Settings
from tf_inverse.networks import codes, places, storage
from tf_inverse.networks.networks import index
from tf_inverse.run import command as running

N, SEED, CODES = 10, 0, 24
COMPARED = ("images", "codes", "activations", "steps", "chain")


class Failed(Exception):
    """A command did not do what was asked of it; in its own words."""


def command(*arguments: str) -> tuple[str, str]:
    """What `tf-inverse` prints, to standard output and to standard error.

    Raises:
        Failed: It ends with another exit code than 0.
    """
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main(list(arguments))
        except SystemExit as end:
            if end.code:
                raise Failed(f"{arguments[0]} exits {end.code}: {_last(err.getvalue())}") from None
    return out.getvalue(), err.getvalue()


def _last(text):
    return ([line for line in text.splitlines() if line.strip()] or [""])[-1]


class Trial:
    """One network on its way from a model to its samples and its export.

    Args:
        entry: `zoo.Entry`.
        where: Folder for all files of the trial.
        target: Of `sample`, once the pair was adopted.
    """

    def __init__(self, entry: zoo.Entry, where: pathlib.Path, target: str | None = None):
        self.entry, self.where, self.pair, self.target = entry, where, where / "pair", target
        where.mkdir(parents=True, exist_ok=True)
        keras.utils.set_random_seed(SEED)
        self.original = entry.classifier()

    @functools.cached_property
    def networks(self):
        """The adopted pair: read from its folder, or the object itself where there is none."""
        if self.entry.form == "object":
            size = zoo_own.image_shape(self.original)
            return adopt.adopt(self.original, self._generator(), size=size).networks
        return storage.load(self.pair, trust=self.entry.form == "saved")

    def adopt(self) -> dict:
        """`tf-inverse adopt`, from files on the disk to a folder."""
        if self.entry.form != "object":
            command("adopt", *self._told(), f"--out={self.pair}", "--overwrite")
        self.target = self.entry.target or self.networks.default
        if "@" not in self.target:
            self.target = self._ranged(self.target)
        return {"encoder": self.networks.encoder, "target": self.target}

    def _told(self):
        """The arguments of `adopt`; what they name is written."""
        f, G = self._written()
        low, high = self.entry.pixels
        arguments = [f"--classifier={f}", f"--generator={G}", f"--pixels={low:g}:{high:g}"]
        arguments += [f"--encoder={self.entry.encoder}"] if self.entry.encoder else []
        fixed = ",".join(f"{name}={self._value(name)}" for name in self.entry.fixed)
        arguments += [f"--fixed={fixed}"] if fixed else []
        return arguments + (["--trust"] if self.entry.form == "saved" else [])

    def _value(self, name):
        value = self.entry.fixed[name]
        if not isinstance(value, np.ndarray):
            return f"{value:g}"
        Image.fromarray(value).save(self.where / f"{name}.png")
        return self.where / f"{name}.png"

    def _written(self):
        out = self.where / self.entry.form
        if self.entry.form in places.shipped():
            return self.entry.form, self.entry.form
        if self.entry.form == "saved":
            self.original.export(out, verbose=False)
        else:
            self.original.save(out)
        self._generator().save(self.where / "generator.keras")
        return out, self.where / "generator.keras"

    def _generator(self):
        side, _, channels = zoo_own.image_shape(self.original)
        return (self.entry.generator or (lambda: zoo.generator(side, channels)))()

    def _ranged(self, neuron):
        one = parse(f"{neuron}@0:1", self.networks)[0].neuron
        c = codes.draw(self.networks, CODES, codes.generator(SEED, 2))
        images = np.asarray(self.networks.images(c)).astype(np.uint8)
        low, high = np.percentile(self.networks.activations(images, (one,)), (60, 95))
        return f"{one}@{low:.6g}:{high:.6g}"

    def sample(self, precision: str) -> dict:
        """`tf-inverse sample`, and the stored activations beside those of the original model.

        Args:
            precision: Of the search; "auto" is the default.
        """
        out = self.where / f"{precision}.h5"
        figures, words = self._sampled(out, precision)
        with archive.open(out) as samples:
            target = samples.targets[0]
            own = zoo_own.activations(self.original, self.entry, samples.images[:], target)
            stored = samples.activations[:][:, 0]
        return {
            "found": figures["found"],
            "steps": figures["steps"],
            "precision": _chosen(words) or precision,
            "difference": float(np.abs(stored - own).max() / np.abs(own).max()),
        }

    def _sampled(self, out, precision, *more):
        if self.entry.form == "object":
            words, printed = io.StringIO(), io.StringIO()
            with contextlib.redirect_stderr(words), contextlib.redirect_stdout(printed):
                options = {"n": N, "precision": precision}
                settings, _ = running.placed(options, name="auto", xla=None)
                bands = parse(self.target, self.networks)
                running.run(out, self.networks, bands, settings, overwrite=True, as_json=True)
            return json.loads(printed.getvalue()), words.getvalue()
        arguments = [f"{out}", f"--network={self.pair}", f"--n={N}", "--overwrite", "--json"]
        # What is left out is what a user leaves out.
        arguments += [f"--targets={self.target}"] if self.entry.target else []
        arguments += [f"--precision={precision}"] if precision != "auto" else []
        printed, words = command("sample", *arguments, *more)
        return json.loads(printed), words

    def half(self) -> dict:
        """How far the search in bfloat16 is from float32 on the same codes."""
        networks, neuron = self.networks, parse(self.target, self.networks)[0].neuron
        c = tf.constant(codes.draw(networks, CODES, codes.generator(SEED, 3)))
        layers, places = (neuron.layer,), index((neuron,))
        exact, rough = (one.look(c, layers, places) for one in (networks, networks.at("bfloat16")))
        apart = {}
        for name in ("e", "z"):
            a, b = (np.asarray(getattr(look, name)) for look in (exact, rough))
            apart[name] = float(np.abs(b - a).max() / np.abs(a).max())
        return apart

    def export(self) -> dict:
        """`tf-inverse export`, asked what `sample --precision=float32` was asked.

        An export has one candidate a sample, where `sample` may choose among several.
        """
        out, bands = self.where / "export", parse(self.target, self.networks)
        layers = (bands[0].neuron.layer,)
        if self.entry.form == "object":
            export.write(self.networks, out, layers, overwrite=out.exists())
        else:
            trust = ["--trust"] if self.entry.form == "saved" else []
            arguments = [f"--out={out}", f"--network={self.pair}", f"--layers={layers[0]}"]
            command("export", *arguments, "--overwrite", *trust)
        asked = question(self.networks, layers, bands, Settings(n=N, seed=SEED))
        run = tf.saved_model.load(str(out / "1")).signatures["sample"]
        answer = run(**{name: tf.constant(value) for name, value in asked.items()})
        library_run = self.where / "float32.h5"
        if self.networks.codes.kind == "bank":
            library_run = self.where / "one_candidate.h5"
            self._sampled(library_run, "float32", "--starts=near")
        with archive.open(library_run) as samples:
            library = {name: getattr(samples, name)[:] for name in COMPARED}
        shutil.rmtree(out)
        found = {name: answer[name].numpy() for name in COMPARED}
        if len(found["chain"]) != N:
            return {"found": len(found["chain"])}
        return {"found": N, "apart": {n: _apart(library[n], found[n]) for n in COMPARED}}


def _apart(a, b):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.abs(a - b).max())


def _chosen(words):
    """The precision that a run names last: the one that suits the machine, or the network."""
    named = re.findall(r"searching in (\w+)(: .*)?", words)
    return "".join(named[-1]) if named else None


STAGES = {
    "adopt": Trial.adopt,
    "float32": lambda trial: trial.sample("float32"),
    "default": lambda trial: trial.sample("auto"),
    "half": Trial.half,
    "export": Trial.export,
}


def attempt(name: str, where: pathlib.Path, stages: list[str]) -> None:
    """Go through some stages with a network; stops after the first where adoption fails.

    Args:
        name: In `zoo.ZOO`.
        where: Folder of its files and of result.json.
        stages: Of `STAGES`.
    """
    path = where / "result.json"
    result = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    try:
        trial = Trial(zoo.ZOO[name], where, result.get("adopt", {}).get("target"))
    except FileNotFoundError as error:
        result = {"skipped": str(error)}
        stages = []
    for stage in stages:
        began = time.monotonic()
        try:
            result[stage] = STAGES[stage](trial)
        except Exception as error:  # whatever ends a command is what the table is to tell
            known = isinstance(error, Failed)
            said = str(error) if known else f"traceback: {_last(traceback.format_exc())}"
            result[stage] = {"trouble": said}
            if not known:
                traceback.print_exc()
        result[stage]["seconds"] = time.monotonic() - began
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        if "trouble" in result.get("adopt", {}):
            break
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    attempt(sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3].split(","))
