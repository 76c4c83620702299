"""A training is the same on every backend of Keras, and needs TensorFlow on none but its own."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import keras
import pytest
import steps_anywhere
import train_photos
from PIL import Image
from test_training import world

HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="module")
def tensorflow(tmp_path_factory):
    """(folder, losses): what other backends begin with, and what they have to come to."""
    folder = tmp_path_factory.mktemp("steps")
    return folder, steps_anywhere.main(folder)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_come_to_the_same_losses(backend, tensorflow):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"needs {backend}")
    folder, expected = tensorflow
    environment = os.environ | {"KERAS_BACKEND": backend}
    command = [sys.executable, str(HERE / "steps_anywhere.py"), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == len(expected) == 10
    for one, wanted in zip(found, expected, strict=True):
        assert one == pytest.approx(wanted, rel=1e-4, abs=1e-4)


def test_the_tool_of_other_machines_trains_both_networks(tmp_path, capsys):
    """Here on TensorFlow; the files load, and take each other's codes."""
    x, y = world(24, 0)
    for i, (one, label) in enumerate(zip(x, y, strict=True)):
        (tmp_path / "photos" / "ab"[label]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(one).save(tmp_path / "photos" / "ab"[label] / f"{i}.png")
    where = [f"--data={tmp_path / 'photos'}", f"--out={tmp_path / 'out'}"]
    where += ["--size=8", "--epochs=1"]
    assert train_photos.main(["classifier", *where, "--code=5", "--width=0.125"]) == 0
    assert "are given to their class" in capsys.readouterr().out
    words = ["generator", *where, "--batch=8", "--width=0.125", "--compare=relu1_2"]
    words += ["--appearance=2"]
    words += ["--teacher", str(tmp_path / "out" / "classifier.keras"), "--teacher-layers=relu1_1"]
    assert train_photos.main(words) == 0
    f, coded, G = (
        keras.saving.load_model(tmp_path / "out" / f"{name}.keras")
        for name in ("classifier", "coded", "generator")
    )
    size = 5 + 8 * 8 * 2
    assert f.output_shape == (None, 2) and G.input_shape == (None, size)
    assert coded.output_shape == [(None, 2), (None, size)]
    assert G.output_shape == f.input_shape == (None, 8, 8, 3)
    assert train_photos.main(words) == 2
    assert "exists; give --overwrite" in capsys.readouterr().err
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "classifier.keras",
        "coded.keras",
        "generator.keras",
        "network.keras",
    ]
