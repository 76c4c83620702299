"""Names of units: a pair is taken as labels wherever a network gets them."""

import dataclasses
import json

import commands
import pytest
import worlds

from tf_inverse.errors import UsageError
from tf_inverse.networks.unit_labels import Labels


def test_a_pair_becomes_labels_however_it_is_assigned(tiny):
    networks = dataclasses.replace(tiny, labels=["fc3", ["a", "b", "c", "d"]])
    assert networks.labels == Labels("fc3", ("a", "b", "c", "d"))
    assert networks.names("fc3") == ("a", "b", "c", "d")
    networks.labels = ("conv1", ("x", "y"))
    assert networks.labels.of("conv1") == ("x", "y") and networks.labels.of("fc3") is None
    networks.labels = None
    assert networks.labels is None and networks.names("fc3") is None
    assert worlds.tiny_networks(labels=None).labels is None
    assert tiny.labels.layer == "fc3"


def test_an_entry_is_read_as_it_was_written():
    labels = Labels("fc8", ("cat", "dog, hound"))
    assert labels.entry() == {"layer": "fc8", "names": ["cat", "dog, hound"]}
    assert Labels.read(labels.entry()) == labels
    assert Labels.read(None) is Labels.read({}) is None


@pytest.mark.parametrize("wrong", ["fc8", ("fc8",), ("fc8", "cat"), (3, ["cat"]), ("fc8", [1, 2])])
def test_labels_of_another_form_are_refused(tiny, wrong):
    with pytest.raises(UsageError, match=r"expected labels \(layer, names of its units\)"):
        dataclasses.replace(tiny, labels=wrong)


@pytest.mark.parametrize(
    ("layer", "count", "said"),
    [
        ("fc9", 4, "the labels of tiny are of no layer: expected a layer of tiny, got 'fc9'"),
        ("fc3", 3, "expected 4 labels for the units of fc3, got 3"),
        ("conv1", 6, "expected 5 labels for the units of conv1, got 6"),
    ],
)
def test_labels_that_fit_no_layer_are_refused_where_a_folder_is_loaded(
    tmp_path, capsys, layer, count, said
):
    folder = worlds.write(tmp_path / "tiny")
    manifest = json.loads((folder / "network.json").read_text())
    manifest["labels"] = {"layer": layer, "names": [str(i) for i in range(count)]}
    (folder / "network.json").write_text(json.dumps(manifest))
    out = tmp_path / "a.h5"
    flags = (f"--network={folder}", "--targets=fc3:0@0:1", "--device=cpu")
    assert commands.run("sample", str(out), *flags) == 2
    assert said in capsys.readouterr().err and not out.exists()
