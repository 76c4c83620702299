"""The exported SavedModel against the library, and in a process without the package and Keras."""

import contextlib
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import worlds
from commands import Child
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.saved_model import fingerprinting_utils
from tensorflow.python.tools import saved_model_cli
from worlds import tiny_networks

from tf_inverse import export
from tf_inverse.archive import Samples
from tf_inverse.band import Neuron, parse
from tf_inverse.compute.device import looping
from tf_inverse.errors import UsageError
from tf_inverse.export import acceptance, card, endpoints, near
from tf_inverse.method.buffer import Buffer
from tf_inverse.method.normalization import measure
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings
from tf_inverse.networks.codes import Stream

HERE = pathlib.Path(__file__).parents[1]
LAYERS = ("fc3", "conv1")
rng = np.random.default_rng(0)


@pytest.fixture(scope="module")
def networks():
    return tiny_networks(code=300, size=16)


@pytest.fixture(scope="module")
def exported(networks, tmp_path_factory):
    """Folder, figures and the model as loaded."""
    out = tmp_path_factory.mktemp("export") / "tiny"
    figures = export.write(networks, out, LAYERS)
    return out, figures, tf.saved_model.load(str(out / "1"))


def codes(K=3, d=300):
    return rng.standard_normal((K, d)).astype("f4")


def whereabouts(*rows):
    return tf.constant(rows, tf.int32)


def inputs(networks, bands, scale, K, n, limit=300):
    """What `sample` needs to do as the library does with seed 0."""
    c, t = Stream(networks, 0, len(bands), K).rows(0, 40 * K)
    index = [[LAYERS.index(b.neuron.layer), b.neuron.unit, *(b.neuron.at or (0, 0))] for b in bands]
    return {
        "neurons": np.array(index, np.int32),
        "ranges": np.array([(b.z1, b.z2) for b in bands], np.float32),
        "sd": np.asarray(scale.z_sd, np.float32),
        "codes": c,
        "aims": t,
        "rows": np.int32(K),
        "count": np.int32(n),
        "limit": np.int64(limit),
    }


def test_samples_without_package_and_keras_as_the_library_does(networks, exported, tmp_path):
    cases, expected = {}, {}
    for case, targets, K, n in (
        ("one", "fc3:ship@-0.5:0.5", 5, 8),
        ("two", "fc3:cat@-2:2,conv1:1,3,4@-1:3", 3, 4),
    ):
        bands = parse(targets, networks)
        scale = measure(networks, tuple(b.neuron for b in bands))
        batches = [b.samples for b in sample(networks, bands, Settings(n=n, K=K), scale=scale)]
        expected[case] = Samples.joined(batches)
        given = inputs(networks, bands, scale, K, n)
        cases |= {f"{case}/{name}": value for name, value in given.items()}
    np.savez(tmp_path / "in.npz", **cases)
    command = [sys.executable, HERE / "bare_sampler.py", exported[0] / "1"]
    subprocess.run([*command, tmp_path / "in.npz", tmp_path / "out.npz"], check=True, cwd=tmp_path)
    with np.load(tmp_path / "out.npz") as got:
        for case, (images, c, _, z, steps, chain, *_) in expected.items():
            assert got[f"{case}/found"] == len(images)
            for name, value in (
                ("images", images),
                ("codes", c),
                ("activations", z),
                ("steps", steps),
                ("chain", chain),
            ):
                np.testing.assert_array_equal(got[f"{case}/{name}"], value, f"{case} {name}")


def test_views_are_the_networks_own(networks, exported):
    signatures = exported[2].signatures
    c, where = codes(), whereabouts([0, 3, 0, 0], [1, 2, 5, 6], [1, 2, -1, 0], [1, 2, -2, 0])
    at = ((5, 6), "mean", "max")
    neurons = (Neuron("fc3", 3), *(Neuron("conv1", 2, a) for a in at))
    seen = signatures["look"](codes=tf.constant(c), neurons=where)
    x = seen["images"]
    x = x.numpy()
    e, z = networks.score(x, neurons)
    pixels = np.asarray(networks.generator(c)).clip(0, 255)
    assert x.dtype == np.uint8 and abs(x - pixels).max() <= 0.5 + 1e-4
    np.testing.assert_array_equal(signatures["generate"](codes=tf.constant(c))["images"], x)
    np.testing.assert_allclose(seen["encodings"], e, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(seen["activations"], z, rtol=1e-5, atol=1e-5)
    images = tf.constant(x)
    np.testing.assert_allclose(signatures["encode"](images=images)["encodings"], e, 1e-5, 1e-5)
    got = signatures["activations"](images=images, neurons=where)["activations"]
    np.testing.assert_allclose(got, z, rtol=1e-5, atol=1e-5)


def test_steps_one_by_one_find_what_sample_finds(networks, exported):
    signatures = exported[2].signatures
    bands = parse("fc3:ship@-0.5:0.5", networks)
    given = inputs(networks, bands, measure(networks, (bands[0].neuron,)), 3, 1000, limit=10)
    given = {name: tf.constant(value) for name, value in given.items()}
    whole = signatures["sample"](**given)
    K, fresh = 3, {name: given.pop(name) for name in ("codes", "aims")}
    state = {
        "c": fresh["codes"][:K],
        "lam": tf.zeros((K, 2)),
        "mu": tf.fill((K, 1), 10.0),
        "t": fresh["aims"][:K],
        "age": tf.zeros(K, tf.int32),
        "given": tf.zeros(K, tf.int32),
        "short": tf.zeros((K, 1)),
        "stride": tf.zeros(K),
        "nearest": tf.zeros(K),
        "since": tf.zeros(K, tf.int32),
        "total": tf.zeros(7),
        "found": tf.constant(0, tf.int64),
        "step": tf.constant(0, tf.int64),
    }
    asked = {name: given[name] for name in ("neurons", "ranges", "sd")}
    used, images = K, []
    for _ in range(10):
        rest = {name: value[used : used + K] for name, value in fresh.items()}
        out = signatures["step"](**state, **asked, **rest)
        images += list(out["images"].numpy()[out["done"].numpy()])
        used += int(out["used"])
        state = {name: out[name] for name in state}
    assert int(state["step"]) == 10 and int(state["found"]) == len(images) > 0
    # The limit is looked at between chunks of steps, of which there may be more than ten in two.
    first = whole["steps"].numpy() < 10
    np.testing.assert_array_equal(whole["images"].numpy()[first], images)


def test_no_image_twice(exported):
    c = np.repeat(codes(1), 9, axis=0)
    z = (
        exported[2]
        .signatures["look"](codes=tf.constant(c[:1]), neurons=whereabouts([0, 0, 0, 0]))[
            "activations"
        ]
        .numpy()[0, 0]
    )
    found = exported[2].signatures["sample"](
        neurons=whereabouts([0, 0, 0, 0]),
        ranges=tf.constant([[z - 1, z + 1]]),
        sd=tf.zeros(1),
        codes=tf.constant(c),
        aims=tf.fill((9, 1), 0.5),
        rows=tf.constant(3),
        count=tf.constant(9),
        limit=tf.constant(10, tf.int64),
    )
    assert found["found"] == 1 and found["used"] > 3


def test_kept_are_images_well_inside_the_range_and_new():
    """The ends are drawn in by 1e-5 of the larger, as the library does; at most by a quarter."""
    z = [50, 50.0004, 50.0008, 59.9996, 59.999, 61, 55, 55, 56, np.nan]
    first = np.arange(10)
    first[7] = 6  # twice in the buffer; and number 8 was kept before
    x = np.zeros((11, 2, 2, 3), np.uint8)
    x[:10, 0, 0, 0] = first
    count = tf.constant(10)
    buffer = Buffer(x, np.zeros((11, 1), "f4"), np.arange(11), np.zeros(11, "i4"), count)
    buffer = Buffer(*(tf.convert_to_tensor(part) for part in buffer[:5]))
    table = tf.constant([[value] for value in z])

    def read(x, index):
        return None, tf.gather(table, tf.cast(x[:, 0, 0, 0], tf.int32))

    before = acceptance.Kept(
        *(part[8:9] for part in buffer[:2]),
        tf.constant([[56.0]]),
        *(part[8:9] for part in buffer[2:4]),
        acceptance.digest(buffer.x[8:9]),
    )
    add = looping(acceptance.add)
    for ends, bound, kept in (
        ((50, 60), "both", [8, 2, 4, 6]),
        ((50, 60), "paper", [8, 2, 3, 4, 5, 6]),
        ((59.9996 - 3e-4, 59.9996 + 3e-4), "both", [8, 3]),
    ):
        target = worlds.target(ends)
        found = add(before, buffer, target, tf.constant(4), read, bound)
        assert found.steps.numpy().tolist() == kept
        np.testing.assert_array_equal(found.z[1:, 0], np.float32(z)[kept[1:]])
        np.testing.assert_array_equal(found.x, x[kept])


def test_digest_tells_images_apart():
    x = rng.integers(0, 256, (50, 4, 4, 3), np.uint8)
    x[1], x[2] = x[0], x[0]
    x[2, 3, 3, 2] ^= 1
    x[3] = x[0][::-1]
    h = acceptance.digest(tf.constant(x)).numpy()
    assert h[0] == h[1] and len(set(h)) == 49


def test_weights_once_on_disk(networks, exported):
    weights = networks.classifier.weights + networks.generator.weights
    expected = sum(w.value.numpy().nbytes for w in weights)
    variables = list((exported[0] / "1" / "variables").iterdir())
    assert exported[1]["weights"] == expected
    assert expected <= sum(path.stat().st_size for path in variables) <= 1.05 * expected


def test_graph_is_lean_and_its_fingerprint_its_own(exported, tmp_path):
    folder = exported[0] / "1"
    model = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    functions = model.meta_graphs[0].graph_def.library.function
    branches = {"If", "StatelessIf"}
    kept = {n.op for f in functions for n in f.node_def if "_output_shapes" in n.attr}
    assert kept and kept <= {"StatefulPartitionedCall", "PartitionedCall", "While"} | branches
    written = tf.saved_model.experimental.read_fingerprint(str(folder))
    again = shutil.copytree(folder, tmp_path / "again")
    (again / "fingerprint.pb").unlink()
    fingerprinting_utils.write_fingerprint(str(again))
    expected = tf.saved_model.experimental.read_fingerprint(str(again))
    assert written.saved_model_checksum == expected.saved_model_checksum


def test_served_as_tf_serving_does(exported):
    model = exported[2]
    assert set(model.signatures) == {*endpoints.INPUTS, "serving_default"}
    specs = model.signatures["serving_default"].structured_input_signature[1]
    assert set(specs) == set(endpoints.INPUTS["sample"])
    generate, activations = model.signatures["generate"], model.signatures["activations"]
    with pytest.raises((TypeError, ValueError, tf.errors.InvalidArgumentError)):
        generate(codes=tf.zeros((1, 300), tf.float64))
    with pytest.raises((TypeError, ValueError, tf.errors.InvalidArgumentError)):
        generate(codes=tf.zeros((1, 299)))
    images = tf.zeros((1, 16, 16, 3), tf.uint8)
    for where in ([0, 4, 0, 0], [2, 0, 0, 0], [1, 0, 16, 0], [1, 0, 0, 16], [0, -1, 0, 0]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="expected neurons"):
            activations(images=images, neurons=whereabouts(where))


def test_saved_model_cli_shows_and_runs(exported, tmp_path):
    np.save(tmp_path / "codes.npy", codes(2))
    where = ["--dir", str(exported[0] / "1"), "--tag_set", "serve", "--signature_def", "generate"]
    run = ["run", *where, "--inputs", f"codes={tmp_path / 'codes.npy'}", "--outdir", tmp_path]
    both = [
        Child(*words, cwd=tmp_path, main=saved_model_cli.main) for words in (["show", *where], run)
    ]
    (code, shown, _), (also, _, said) = (one.ended() for one in both)
    assert (code, also) == (0, 0), said
    assert "shape: (-1, 300)" in shown and "DT_UINT8" in shown
    expected = exported[2].signatures["generate"](codes=np.load(tmp_path / "codes.npy"))["images"]
    np.testing.assert_array_equal(np.load(tmp_path / "images.npy"), expected)


def test_card_tells_every_input_and_output(exported):
    text = (exported[0] / "README.md").read_text()
    facts = json.loads((exported[0] / "card.json").read_text())
    assert set(facts["endpoints"]) == set(endpoints.INPUTS)
    assert set(card.SUMMARY) == set(endpoints.INPUTS | near.INPUTS)
    for name, one in facts["endpoints"].items():
        assert f"### {name}" in text and [t["name"] for t in one["inputs"]]
        assert {t["name"] for t in one["inputs"]} == set(endpoints.INPUTS[name])
    assert facts["layers"][0]["labels"][2] == "ship" and "| 1 | `conv1` |" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"layers": ("fc4",)}, "expected a layer of tiny, got 'fc4'; did you mean fc"),
        ({"settings": Settings(method="paper")}, "expected method renewal for an export"),
        ({"settings": Settings(optimizer="adam")}, "expected optimizer None for an export"),
        ({"version": 0}, "expected a version from 1 up"),
    ],
)
def test_refusals(networks, tmp_path, changes, words):
    with pytest.raises(UsageError, match=words):
        export.write(networks, tmp_path / "out", **changes)
    assert not list(tmp_path.iterdir())


def test_existing_folders_are_kept(networks, exported, tmp_path):
    (tmp_path / "mine").write_text("x")
    with pytest.raises(FileExistsError, match="holds no export"):
        export.write(networks, tmp_path, overwrite=True)
    assert (tmp_path / "mine").read_text() == "x"
    with pytest.raises(FileExistsError, match="mine is a file: export writes the sampler of a n"):
        export.write(networks, tmp_path / "mine", overwrite=True)
    with pytest.raises(FileExistsError, match="give --overwrite to replace it, or another"):
        export.write(networks, exported[0])


def test_versions_stand_beside_each_other(networks, tmp_path, monkeypatch):
    out, texts = tmp_path / "out", iter("abcd")

    def save(functions, folder, exported):
        folder.mkdir(exist_ok=True, parents=True)
        (folder / "saved_model.pb").write_text(next(texts))
        return {"weights": 0, "variables": 0, "files": 0}

    monkeypatch.setattr(endpoints, "make", lambda exported: {})
    monkeypatch.setattr(export, "_save", save)
    for version in (1, 2, 1):
        export.write(networks, out, version=version, overwrite=True)
    assert sorted(p.name for p in out.iterdir()) == ["1", "2", "README.md", "card.json"]
    models = {v: (out / v / "saved_model.pb").read_text() for v in ("1", "2")}
    assert models == {"1": "c", "2": "b"}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        # Killed as soon as the version has its name: it has its own card by then.
        patch.setattr(export, "_put_starts", lambda *_: pytest.fail("too late"))
        real = export.atomic_folder.folder

        @contextlib.contextmanager
        def killed(*arguments):
            with real(*arguments) as made:
                yield made
            raise KeyboardInterrupt

        patch.setattr(export.atomic_folder, "folder", killed)
        export.write(networks, out, version=2, overwrite=True)
    assert (out / "2" / "saved_model.pb").read_text() == "d"
    inside = json.loads((out / "2" / "card.json").read_text())
    assert inside["checksums"] == networks.checksums
    (out / "1" / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="1 holds notes.txt, which tf-inverse did not write"):
        export.write(networks, out, overwrite=True)
    assert (out / "1" / "notes.txt").read_text() == "mine"
