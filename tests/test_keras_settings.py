"""Settings of Keras that it cannot start with are told in one line, by commands and in Python."""

import itertools
import json
import pathlib
import re
import subprocess
import sys

import pytest

from tf_inverse import keras_settings
from tf_inverse.errors import UsageError
from tf_inverse.networks import storage

ROOT = pathlib.Path(__file__).parents[1]
# What stands in keras.json, KERAS_BACKEND if it is set, and what a command says of them.
CASES = (
    ('{"floatx": "bfloat16"}', None, "expected floatx of float16, float32, float64 in .*bfloat16"),
    ('{"image_data_format": []}', None, "expected image_data_format of channels_last, channels_f"),
    ('{"epsilon": 1}', None, "expected epsilon with a point, .* got 1: change it"),
    ("[1]", None, r"expected an object in .*keras.json, got \[1\]: change it there, or remove it"),
    (None, None, r"expected Keras's settings in .*keras.json .*Is a directory.*: mend or remove"),
    ('{"backend": "torch"}', None, "has the backend 'torch': change it there, or set KERAS_BACK"),
    ('{"backend": "torch"}', "jax", "KERAS_BACKEND is jax: unset it, or set KERAS_BACKEND=tensor"),
    ("[" * 100_000, None, r"expected Keras's settings in .*keras.json \(.*recursion.*\)"),
)
# Each case is asked in a process that is forked before anything is imported.
ASK = """
import importlib, os, sys
from tf_inverse.tools import cli

def forked(how):
    sys.stdout.flush()
    child = os.fork()
    if not child:
        os.dup2(1, 2)
        how()
        os._exit(0)
    print("->", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

def python():
    for name in ("keras", "tensorflow"):
        try:
            importlib.import_module(name)
        except ValueError as error:
            print(type(error).__name__, error, flush=True)

for line in sys.stdin:
    home, backend, twice = line.rstrip("\\n").split("\\t")
    os.environ |= {"KERAS_HOME": home, "KERAS_BACKEND": backend}
    forked(lambda: cli.main(["units"]))
    if twice:
        forked(python)
"""


def test_each_is_one_line(tmp_path):
    lines = []
    for i, (text, backend, words) in enumerate(CASES):
        home = tmp_path / str(i)
        home.mkdir()
        if text is None:
            (home / "keras.json").mkdir()
        else:
            (home / "keras.json").write_text(text)
        lines.append(f"{home}\t{backend or ''}\t{'' if 'KERAS_BACK' in words else 'twice'}\n")
    command = [sys.executable, "-c", ASK]
    done = subprocess.run(
        command, cwd=ROOT, input="".join(lines), capture_output=True, text=True, check=True
    )
    said = iter(done.stdout.splitlines())
    for _, _, words in CASES:
        line = next(said)
        assert line.startswith("tf-inverse: ") and next(said) == "-> 2"
        assert re.search(words, line), line
        # Training runs on other backends: in Python, what cannot start at all is refused alone.
        if "KERAS_BACK" not in words:
            refused = line.replace("tf-inverse:", "UsageError")
            assert list(itertools.islice(said, 3)) == [refused, refused, "-> 0"]
    assert not list(said)


def test_what_keras_takes_is_taken(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    written = {"floatx": "float64", "epsilon": 1e-7, "backend": "tensorflow"}
    for text in (None, json.dumps(written), "no JSON, which Keras takes for none"):
        if text:
            (tmp_path / "keras.json").write_text(text)
        keras_settings.expect_usable()
        keras_settings.expect_tensorflow()
    # The environment goes before the file.
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    keras_settings.expect_tensorflow()


def test_a_pair_is_not_loaded_on_another_backend(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(UsageError, match="expected Keras to run on tensorflow"):
        storage.load("cifar10")
