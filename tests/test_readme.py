"""What README tells a reader to type, typed: its Python block, and its shell lines but installs."""

import json
import os
import pathlib

import book
import keras
import numpy as np
import pytest
import thin
from PIL import Image
from tf_inverse.tools import cli
from webserver import server as server

from tf_inverse import archive, metrics
from tf_inverse.networks import places, storage

README = book.ROOT / "README.md"
# The runs are as printed but for the number of images: the last of two flags counts.
FEWER = {
    "sample": ["--n=6"],
    "ladder": ["--n=3"],
    "experiment": ["--n=2", "--K=2", "--neurons=1", "--patience=5"],
    "train": ["--epochs=1", "--width=0.1"],
}


def test_there_is_something_to_run():
    names = [words[0] for words in book.commands(README)]
    assert names[0] == "sample" and {"compare", "report"} <= set(names)
    assert len(book.blocks(README, "python")) >= 1


def bring_your_own():
    """What README leaves to the reader, tiny: photos/ of two colours, my.keras and gan.keras."""
    rng = np.random.default_rng(0)
    for i in range(30):
        colour = ("blue", "red")[i % 2]
        pathlib.Path("photos", colour).mkdir(parents=True, exist_ok=True)
        x = rng.integers(0, 150, (12, 12, 3)) + np.array((100, 0, 0)) * (i % 2)
        Image.fromarray(x.astype(np.uint8)).save(f"photos/{colour}/{i}.png")
    # Layers draw the seeds of their weights when they are made, so that the seed comes first.
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = [keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Flatten()]
    model += [layers.Dense(6, activation="relu"), layers.Dense(2)]
    keras.Sequential(model).save("my.keras")
    gan = [keras.Input((5,)), layers.Dense(192, activation="tanh"), layers.Reshape((8, 8, 3))]
    keras.Sequential(gan).save("gan.keras")


def test_shell_lines_run_in_order_in_one_folder(server, tmp_path, monkeypatch, capsys, loaded_once):
    monkeypatch.chdir(tmp_path)
    bring_your_own()
    # The paper's networks come from a local server, with few channels.
    thin.serve(server, monkeypatch)
    for words in book.commands(README):
        with pytest.raises(SystemExit) as stopped:
            cli.main([*words, *FEWER.get(words[0], ())])
        # An experiment may find fewer images than asked within so few steps.
        allowed = (0, 3) if words[0] == "experiment" else (0,)
        assert stopped.value.code in allowed, (words, capsys.readouterr().err)
    assert json.loads(pathlib.Path("table1/table1.json").read_text())["network"] == "caffenet"
    assert json.loads(pathlib.Path("figure6/figure6.json").read_text())["network"] == "places205"
    assert {"samples.h5", "samples.png", "report.html"} <= set(os.listdir())
    for path in pathlib.Path().glob("*.h5"):
        opened = archive.open(path)
        z1, z2 = zip(*((t["z1"], t["z2"]) for t in opened.targets), strict=True)
        assert len(opened) == 6 and metrics.in_range(opened.activations[:], z1, z2).all()


@pytest.mark.parametrize("block", book.blocks(README, "python"))
def test_python_blocks_run(block, tmp_path, monkeypatch, capsys, loaded_once):
    monkeypatch.chdir(tmp_path)
    assert block.count("n=20") == 1
    exec(compile(block.replace("n=20", "n=4"), "README.md", "exec"), {})
    assert capsys.readouterr().out.splitlines()[-1].startswith("4 ")


@pytest.mark.parametrize("name", ["cifar10", "cifar10_layer"])
def test_a_shipped_pair_is_what_its_card_says(name):
    """network.json names its files and licence; the package stays small."""
    path = places.find(name)
    entries = storage.manifest(path)
    assert entries["licence"] and entries["source"] and entries["default"]
    assert json.dumps(entries["labels"]["names"]).count('", "') == 9
    assert sum(file.stat().st_size for file in path.iterdir()) <= 8e6
