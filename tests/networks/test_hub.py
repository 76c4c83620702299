"""hf://user/repo through the hub's own library; a server on loopback speaks as the hub does."""

import json
import pathlib

import hubserver
import pytest
from commands import run
from hubserver import FIRST

from tf_inverse import archive
from tf_inverse.adopt import loading
from tf_inverse.caffe import published
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.networks import hub, storage

huggingface_hub = pytest.importorskip("huggingface_hub", reason="needs the extra [hub]")
SECOND = "2" * 40


@pytest.fixture
def server(tiny_folder, tmp_path, monkeypatch):
    with hubserver.serving(tiny_folder, tmp_path, monkeypatch) as running:
        yield running


def test_fetched_once_pinned_and_offline_from_then_on(server, tiny_folder, capsys):
    folder = published.find("hf://you/net")
    assert (
        folder.name == FIRST and f"fetching hf://you/net, commit {FIRST}" in capsys.readouterr().err
    )
    # What network.json names, as it is, and nothing else.
    assert {p.name for p in folder.iterdir()} == {
        p.name for p in pathlib.Path(tiny_folder).iterdir()
    }
    assert storage.manifest(folder) == storage.manifest(pathlib.Path(tiny_folder))
    # adopt and pair take it as they take a folder; there it is a path, of one slash.
    assert loading.about("hf://you/net")["folder"] == folder
    assert published.find(pathlib.Path("hf://you/net")) == folder
    asked, server.commit = len(server.seen), SECOND
    # The branch has moved on; the name alone stays where it was, and asks nobody.
    assert (
        published.find("hf://you/net") == folder
        and published.find(f"hf://you/net@{FIRST}") == folder
    )
    assert len(server.seen) == asked
    newer = published.find("hf://you/net@main")
    assert newer.name == SECOND and published.find("hf://you/net") == newer


def test_without_the_hub_a_branch_is_what_it_was(server, monkeypatch, capsys):
    folder = published.find("hf://you/net@main")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert published.find("hf://you/net@main") == folder
    assert f"taking commit {FIRST} from the cache" in capsys.readouterr().err
    with pytest.raises(UsageError, match="cannot fetch hf://you/other: the hub cannot be reached"):
        published.find("hf://you/other")


def test_sample_verify_and_resume_of_a_network_on_the_hub(server, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small = ["--n=4", "--K=4", "--precision=float32"]
    assert run("sample", "a.h5", "--network=hf://you/net", *small) == 0
    pinned = f"hf://you/net@{FIRST}"
    with archive.open("a.h5") as opened:
        assert opened.header["folder"] == {"relative": pinned, "absolute": pinned}
    asked = len(server.seen)
    assert run("verify", "a.h5") == 0 and run("resume", "a.h5", "--n=6") == 0
    assert len(server.seen) == asked
    # Elsewhere nothing is fetched for a file's sake: the line says what to ask for.
    monkeypatch.setenv("TF_INVERSE_CACHE", str(tmp_path / "empty"))
    capsys.readouterr()
    assert run("verify", "a.h5") == 2
    assert f"it is not in the cache ({pinned}): give --network={pinned}" in capsys.readouterr().err
    assert len(server.seen) == asked
    assert run("verify", "a.h5", f"--network={pinned}") == 0


def changed(**files):
    return lambda server: server.files.update({k.replace("_", "."): v for k, v in files.items()})


def claimed(**sizes):
    return lambda server: server.claimed.update({k.replace("_", "."): v for k, v in sizes.items()})


def without(name):
    return lambda server: server.files.pop(name)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (changed(generator_keras=b"other"), "expected sha256"),
        (without("generator.keras"), "expected a file 'generator.keras' in hf://you/net, found"),
        (without("network.json"), "expected a file 'network.json' in hf://you/net, found none"),
        (changed(network_json=b"{}"), "expected a network in hf://you/net"),
        (lambda server: setattr(server, "commit", "main/../x"), "expected a commit of hf://you"),
        (claimed(generator_keras=5 << 30), "expected at most 4294967296 bytes of"),
        (claimed(network_json=5 << 20), "expected at most 4194304 bytes of network.json"),
    ],
)
def test_what_is_refused_leaves_nothing_behind(server, spoil, said):
    spoil(server)
    with pytest.raises(RefusedInput, match=said):
        published.find("hf://you/net")
    assert not [p for p in hub.parse("hf://you/net").home().rglob("*") if p.is_file()]


@pytest.mark.parametrize("inside", ["../classifier.keras", "a/b.keras", ".."])
def test_a_manifest_that_names_a_path(server, inside):
    entries = json.loads(server.files["network.json"])
    entries["classifier"]["file"] = inside
    server.files["network.json"] = json.dumps(entries).encode()
    server.claimed[inside] = 10
    with pytest.raises(RefusedInput, match="expected a file"):
        published.find("hf://you/net")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("hf://you", "expected hf://USER/REPO or hf://USER/REPO@REVISION, got 'hf://you'"),
        ("hf://you/net/deep", "expected hf://USER/REPO"),
        ("hf://../net", "expected hf://USER/REPO"),
        ("hf://you/net@../x", "expected hf://USER/REPO"),
        ("hf://you/none", "the hub has none of that name, or it is private: see hf auth login"),
        ("hf://you/net@nowhere", "the hub has no such revision of it"),
    ],
)
def test_addresses_that_lead_nowhere(server, address, said, capsys):
    assert run("units", f"--network={address}") == 2
    line = capsys.readouterr().err
    assert said in line and line.count("\n") == 1


def test_the_library_is_an_extra(server, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(UsageError, match=r"pip install 'tf_inverse\[hub\]'"):
        published.find("hf://you/net")
