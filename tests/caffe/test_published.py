"""The paper's networks by name, from an empty cache and a local server of thin files to samples."""

import numpy as np
import pytest
import thin
from oracles import torch_files
from tf_inverse.tools import cli
from webserver import server as server

from tf_inverse import archive, metrics
from tf_inverse.archive import lock
from tf_inverse.caffe import checksums, fetch, published, sources
from tf_inverse.errors import ConversionError, RefusedInput, UsageError
from tf_inverse.experiments import neurons, recipes
from tf_inverse.experiments.runner import Lab
from tf_inverse.networks import storage, yardstick


@pytest.fixture
def web(server, monkeypatch, tmp_path):
    thin.serve(server, monkeypatch)
    monkeypatch.chdir(tmp_path)
    return server


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A cache folder in which what was converted stays."""
    return str(tmp_path_factory.mktemp("kept"))


@pytest.fixture
def both(web, kept, monkeypatch, loaded_once):
    """CaffeNet's pair and that of Places205, converted and loaded once for several tests."""
    monkeypatch.setenv("TF_INVERSE_CACHE", kept)
    return {name: published.load(name) for name in ("caffenet", "places205")}


def run(*words):
    with pytest.raises(SystemExit) as stopped:
        cli.main(list(words))
    return stopped.value.code or 0


def test_a_name_is_fetched_converted_sampled_and_used_offline(web, capsys):
    words = ["--network=caffenet", "--n=2", "--K=2", "--precision=float32"]
    assert run("sample", "volcano.h5", "--targets=fc8:volcano@50:60", *words) == 0
    told = capsys.readouterr().err
    for text in (
        "fetching caffenet, CaffeNet, the classifier: bvlc_reference_caffenet.caffemodel, about "
        f"244 MB, from {web.address}/bvlc_reference_caffenet.caffemodel; licence: Released by BVLC",
        "fetching deepsim-fc6, DeePSiM's generator of fc6 codes: upconvGAN_fc6.pt, about 224 MB",
        "upconvGAN_fc6.pt: its sha256 is the published one",
        "self-check: E(G(c)) finite, relu6 [256]",
    ):
        assert text in told
    with archive.open("volcano.h5") as opened:
        assert len(opened) == 2 and opened.network == "caffenet"
        assert metrics.in_range(opened.activations[:], [50], [60]).all()
        assert opened.targets[0]["label"] == "volcano"
    asked = len(web.seen)
    web.files.clear()
    assert run("units", "--network=caffenet", "--search=volcano") == 0
    assert run("verify", "volcano.h5") == 0
    assert len(web.seen) == asked
    entries = storage.manifest(published.find("caffenet"))
    assert entries["source"]["generator"]["published"] == "deepsim-fc6"
    assert "research purposes only" in entries["licence"] and entries["default"] == sources.VOLCANO
    assert entries["codes"] == {"kind": "noise", "size": 256, "bounds": [0.0, 30.0]}
    # So that no run measures it again.
    assert entries["yardstick"]["source"] == yardstick.RANDOM
    capsys.readouterr()
    assert run("fetch", "--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "caffenet          caffenet + deepsim-fc6          ready" in lines
    assert "caffenet-fc7      caffenet + deepsim-fc7          lacks deepsim-fc7" in lines


def test_fetch_brings_what_a_network_needs_and_says_where_it_is(web, capsys):
    assert run("fetch", "caffenet") == 0
    names = ["bvlc_reference_caffenet.caffemodel", "upconvGAN_fc6.pt"]
    assert capsys.readouterr().out.split() == [str(fetch.cache_folder() / n) for n in names]
    assert "fetched; converted when it is first used" in published.listing()
    assert (
        run("convert", "caffenet", "--out=f") == 0 and run("convert", "generator", "--out=g") == 0
    )
    told = capsys.readouterr().out
    assert "upconvGAN_fc6.pt: deepsim-fc6 (DeePSiM's generator of fc6 codes), by its sha256" in told


def test_generators_of_equal_shapes_are_told_apart(web, tmp_path, capsys):
    """DeePSiM's file is no stand-in for PPGN's, and of two that are there none is taken unasked."""
    deepsim, ppgn = tmp_path / "d.caffemodel", tmp_path / "p.caffemodel"
    deepsim.write_bytes(thin.files()["upconvGAN_fc6.pt"])
    torch_files.write(ppgn, thin.generator_weights("fc6"))
    assert run("fetch", "ppgn-fc6", f"--from={deepsim}") == 4
    assert "is deepsim-fc6 (DeePSiM's generator of fc6 codes) by its" in capsys.readouterr().err
    assert run("fetch", "ppgn-fc6", f"--from={ppgn}") == 0
    assert "no checksum is published; recorded" in capsys.readouterr().err
    assert run("fetch", "deepsim-fc6", f"--from={deepsim}") == 0
    assert run("convert", "generator", "--out=g") == 2
    assert "as two are fetched" in capsys.readouterr().err


def unchecked(name, where):
    """The first file of a source, whose checksum does not matter from now on."""
    form = sources.SOURCES[name].forms[0]._replace(checksum=None)
    sources.SOURCES[name] = sources.SOURCES[name]._replace(forms=(form,))
    return where / form.file


def test_every_pair_has_the_encoder_of_its_codes(web, tmp_path):
    """Generators of a convolution's codes, of several image sizes, fit the classifier."""
    for name, encoder, crop in (
        ("caffenet-norm1", "norm1", 227),
        ("caffenet-pool5", "pool5", 227),
        ("caffenet-fc8", "fc8", 227),
    ):
        pair = sources.PAIRS[name]
        file = unchecked(pair.generator, tmp_path)
        torch_files.write(file, thin.generator_weights(pair.code))
        web.files[f"/{file.name}"] = file.read_bytes()
        networks = storage.load(published.prepare(name, [].append))
        assert (networks.encoder, networks.crop) == (encoder, crop)
        c = np.abs(np.random.default_rng(0).standard_normal((2, networks.codes.size), np.float32))
        assert networks.encode(np.asarray(networks.generator(c))[:, :227, :227]).shape == c.shape


def test_weights_that_do_not_fit_leave_nothing_behind(web, tmp_path):
    file = unchecked("deepsim-fc6", tmp_path)
    torch_files.write(file, thin.generator_weights("fc6"))
    fetched = fetch.bring("deepsim-fc6", file, [].append)
    torch_files.write(fetched.path, thin.generator_weights("fc8"))
    checksums.record(fetched.path).unlink()
    whole = "'defc7' .*expected blobs.*another with tf-inverse fetch deepsim-fc6 --from=FILE"
    with pytest.raises(ConversionError, match=whole):
        published.prepare("caffenet", [].append)
    # A file that was damaged before its checksum was recorded.
    fetched.path.write_bytes(file.read_bytes()[:-200])
    fetched.path.with_name(f"{file.name}.sha256").unlink()
    with pytest.raises(RefusedInput, match=f"damaged or truncated.*; remove .*{file.name} and"):
        published.prepare("caffenet", [].append)
    assert list(published.prepared("caffenet").parent.iterdir()) == []


def test_one_process_converts_at_a_time(web):
    published.prepare("caffenet", [].append)
    made = published.prepared("caffenet")
    (made / "network.json").rename(made / "aside")
    held = lock.Lock(made.with_name(".caffenet.lock"), made)
    with pytest.raises(lock.LockedError, match="wait for it or stop it"):
        published.prepare("caffenet", [].append)
    held.release()


def test_an_unknown_name_tells_the_known_ones():
    with pytest.raises(
        UsageError, match="one of .*caffenet, caffenet-ppgn, places205, .*or a fold"
    ):
        published.find("alexnet")


NAMES = ["volcano", "cardoon", "toilet tissue", "monastery", "toilet seat"]
RECIPES = ["table1", *(f"figure{i}" for i in range(1, 7))]


def test_the_papers_neurons_have_names(both):
    from tf_inverse import band

    networks, places = both["caffenet"], both["places205"]
    found = [band.parse(f"fc8:{name}@50:60", networks)[0] for name in NAMES]
    assert found == neurons.classes(networks, None, 5)
    found = [band.parse(f"fc8:{name}@50:60", places)[0] for name in ("gas station", "phone booth")]
    assert found == neurons.classes(places, None, 5)
    hidden = [(str(one.neuron), one.z1, one.z2) for one in neurons.hidden(networks, None)]
    assert hidden == [("conv5:196,6,6", 170, 200), ("conv5:196,6,6", 260, 300)]


class Recorder(Lab):
    """A lab whose runs only tell what they would sample."""

    def ours(self, name, bands, networks=None, scale=None, **options):
        self.runs.update(map(str, bands))
        return {"passes": 100, "found": self.n, "in_range": 1, "pair_distance": 1.0}

    def ppgn(self, name, bands, passes, rule=None):
        return self.ours(name, bands)

    def ascent(self, name, bands, passes):
        return self.ours(name, bands)

    def rejection(self, name, bands, passes):
        return self.ours(name, bands) | {"found": 0}


def test_recipes_of_the_paper_are_run_on_its_neurons(both, tmp_path):
    """README's test runs two of them in earnest."""
    asked = {}
    for name in RECIPES:
        lab = Recorder(both["places205" if name == "figure6" else "caffenet"], tmp_path, n=6)
        outcome = recipes.RECIPES[name](lab)
        assert outcome.rows, name
        asked[name] = lab.runs
    classes = {f"fc8:{unit}@50:60" for unit in (980, 946, 999, 663, 861)}
    assert asked["table1"] == classes and asked["figure2"] < classes
    hidden = ["conv5:196,6,6@170:200", "conv5:196,6,6@260:300"]
    assert asked["figure3"] == set(hidden) and asked["figure5"] == {"fc8:980@50:60", hidden[0]}
    assert asked["figure4"] == {"fc8:980@20:30", "fc8:946@20:30"}
    assert asked["figure6"] == {"fc8:87@50:60", "fc8:140@50:60"}
    assert {band.split("@")[0] for band in asked["figure1"]} == {"fc8:980"}
    assert len(asked["figure1"]) == 6
