"""Directions sampled as units are: against NumPy in float64, and later without their file."""

import hashlib
import json

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
import worlds

from tf_inverse import archive
from tf_inverse.archive import hdf5, run_folder, sandbox
from tf_inverse.band import Band, Bands, parse
from tf_inverse.directions import Direction
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.method.normalization import measure
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings
from tf_inverse.networks import storage, unit_nature
from tf_inverse.networks.neuron_index import index
from tf_inverse.neuron import Neuron
from tf_inverse.report import standing, text
from tf_inverse.run import figures, job, record, redrawn, resume, verify

K = 4
VALUES = np.random.default_rng(3).standard_normal((2, 7))


@pytest.fixture(scope="module")
def loaded(tiny_folder):
    return storage.load(tiny_folder)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "probe.npy"
    np.save(path, VALUES)
    return path


def outputs(networks, images, layer):
    """What a layer gives, by a plain Keras call, in float64."""
    f = networks.classifier
    model = keras.Model(f.input, f.get_layer(layer).output)
    return np.asarray(model(images.astype(np.float32), training=False), np.float64)


def run(networks, bands, path=None, n=8, **options):
    bands = parse(bands, networks) if isinstance(bands, str) else bands
    return job.run(networks, bands, Settings(n=n, K=K), path, **options)


def test_a_direction_of_one_unit_gives_its_sample_bit_for_bit(loaded, tmp_path):
    np.save(tmp_path / "two.npy", np.eye(4)[2])
    run(loaded, "fc3:ship@p30:p90", tmp_path / "unit.h5")
    run(loaded, f"fc3:@{tmp_path}/two.npy@p30:p90", tmp_path / "direction.h5")
    assert (tmp_path / "unit.h5").read_bytes() == (tmp_path / "direction.h5").read_bytes()


def test_one_graph_gives_units_and_directions(loaded):
    """A unit written as a direction takes the way of directions, and is the unit to the bit."""
    c = tf.constant(np.random.default_rng(0).standard_normal((K, 6)), tf.float32)
    rng, layers = np.random.default_rng(1), ("fc3", "conv1", "conv1", "fc3", "conv1", "conv1")
    units = [Neuron("fc3", 2), Neuron("conv1", 3, (0, 7)), Neuron("conv1", 1, "max")]
    whole = rng.standard_normal((8, 8, 5))
    others = [
        Neuron("fc3", Direction("a", rng.standard_normal(4))),
        Neuron("conv1", Direction("b", rng.standard_normal(5)), "mean"),
        Neuron("conv1", Direction("c", whole)),
    ]
    view = loaded.look(c, layers, index((*units, *others)))
    written = [
        n._replace(unit=Direction("u", np.eye(size)[n.unit]))
        for n, size in zip(units, (4, 5, 5), strict=True)
    ]
    again = loaded.look(c, layers, index((*written, *others)))
    alone = loaded.look(c, layers[:3], index(tuple(units)))
    np.testing.assert_array_equal(view.z, again.z)
    np.testing.assert_array_equal(view.z[:, :3], alone.z)
    h, maps = (outputs(loaded, view.x.numpy(), name) for name in ("fc3", "conv1"))
    expected = [
        h @ others[0].direction.values.astype(float),
        (maps @ others[1].direction.values.astype(float)).mean(axis=(1, 2)),
        (maps * whole.astype("f4")).sum(axis=(1, 2, 3)),
    ]
    np.testing.assert_allclose(view.z[:, 3:], np.stack(expected, 1), rtol=1e-4, atol=1e-4)


def test_directions_of_a_layer_share_their_graphs():
    networks = worlds.tiny_networks()
    for i in range(2):
        neuron = Neuron("fc2", Direction("d", VALUES[i]))
        scale = measure(networks, (neuron,))
        z1, z2 = (float(scale.z_mean[0] + side * scale.z_sd[0]) for side in (0, 1))
        list(sample(networks, Band(neuron, z1, z2), Settings(n=4, K=K), scale=scale))
    kept = {key[0]: one for key, one in networks._compiled.items() if key[:2] != ("read", ())}
    traced = [kept["renewal"][0], kept["look"], kept["read"]]
    assert [one.experimental_get_tracing_count() for one in traced] == [1, 1, 1]


@pytest.fixture(scope="module")
def finished(loaded, file, tmp_path_factory):
    """An archive of three directions, whose file is gone by now; and one that was not stopped."""
    folder = tmp_path_factory.mktemp("directed")
    targets = f"fc3:ship-0.5*cat@p20:p90, fc2:@{file}@p5:p95"
    bands = parse(targets, loaded)
    run(loaded, bands, folder / "whole.h5", n=12)
    run(loaded, bands, folder / "begun.h5", n=5)
    file.unlink()
    return folder


def test_samples_lie_in_their_ranges(loaded, finished):
    opened = archive.open(finished / "whole.h5")
    h, e = (outputs(loaded, opened.images[:], name) for name in ("fc3", "fc2"))
    expected = np.column_stack([h @ [-0.5, 0, 1, 0], e @ VALUES.astype("f4").T])
    np.testing.assert_allclose(opened.activations[:], expected, rtol=1e-4, atol=1e-4)
    for target, z in zip(opened.targets, opened.activations[:].T, strict=True):
        assert target["unit"] == -1 and (target["z1"] <= z).all() and (z <= target["z2"]).all()
    one = opened.targets[2]["direction"]
    raw = VALUES[1].astype("<f4").tobytes()
    assert one == {"name": "@probe.npy[1]", "size": 7, "sha256": hashlib.sha256(raw).hexdigest()}
    question = text.question(opened.targets, "tiny")
    assert "fc3:ship-0.5*cat from" in question and "fc2:@probe.npy[0] from" in question


def test_an_archive_needs_the_file_no_more(loaded, finished, tiny_folder):
    opened = archive.open(finished / "whole.h5")
    found = verify.verify(opened, loaded)
    assert found.problems == () and found.in_range == 1
    plan = resume.plan(finished / "begun.h5", n=12, network=str(tiny_folder), device="cpu")
    job.run(plan.networks, plan.bands, plan.settings, plan.out, resume=True)
    assert (finished / "begun.h5").read_bytes() == (finished / "whole.h5").read_bytes()


def test_an_archive_of_codes_is_drawn_again(loaded, finished, tiny_folder):
    bands = verify.bands(archive.open(finished / "whole.h5"), loaded)
    run(loaded, bands, finished / "codes.h5", n=12, store="codes")
    opened = archive.open(finished / "codes.h5")
    redrawn.proven(opened, network=str(tiny_folder))
    np.testing.assert_array_equal(opened.images[:], archive.open(finished / "whole.h5").images[:])


def test_a_run_that_stored_nothing_is_to_be_begun_again(loaded, finished, tmp_path):
    bands = verify.bands(archive.open(finished / "whole.h5"), loaded)
    path = tmp_path / "a.h5"
    head = record.header(loaded, bands, Settings(n=8, K=K))
    folder = path.with_name("a.h5.run")
    folder.mkdir()
    run_folder.write_header(folder, head)
    with pytest.raises(UsageError, match="fc3:ship-0.5.cat.*begin this run again"):
        verify.bands(archive.open(path), loaded)


def test_natural_images_are_those_that_are_kept(loaded, finished):
    natural = loaded.natural
    bands = verify.bands(archive.open(finished / "whole.h5"), loaded)
    count = natural.typical
    z = natural.activations["fc3"].astype(float) @ [-0.5, 0, 1, 0]
    e = natural.encodings.astype(float) @ VALUES[1].astype("f4")
    for neuron, column in zip((bands.neurons[0], bands.neurons[2]), (z, e), strict=True):
        known = loaded.nature(neuron)
        assert known.percentile(99) == pytest.approx(np.percentile(column[:count], 99), rel=1e-5)
        assert (known.mean, known.sd) == pytest.approx(
            (column[:count].mean(), column[:count].std())
        )
    assert bands[2].z2 == pytest.approx(np.percentile(e[:count], 95), rel=1e-5)
    both = Bands([bands[0], bands[2]])
    inside = (both.z1 <= np.column_stack([z, e])) & (np.column_stack([z, e]) <= both.z2)
    nature = figures.natural(loaded, both)
    np.testing.assert_allclose(nature["encodings"], natural.encodings[inside.all(axis=1)])
    np.testing.assert_allclose(nature["activations"][:, 0], z[:count], rtol=1e-5)
    lines = standing.lines(archive.open(finished / "whole.h5"))
    assert "of natural images excite fc3:ship-0.5*cat to this range: " in lines[0]
    assert f"over {count} natural images: those of" in lines[0]


def test_without_natural_images_random_codes_stand_for_them(tiny, capsys):
    (band,) = parse("conv1:3-1,0,7@p10:p90", tiny)
    c = unit_nature.codes.draw(tiny, unit_nature.COUNT, unit_nature.codes.generator(0, 0))
    maps = outputs(tiny, worlds.images(tiny, c), "conv1")
    low, high = np.percentile(maps[:, 0, 7, 3] - maps[:, 0, 7, 1], (10, 90))
    assert (band.z1, band.z2) == pytest.approx((low, high), rel=1e-3)
    said = capsys.readouterr().err
    assert "p10 and p90 are of the images of 500 random codes, not of natural ones" in said
    # A unit has no such statistics, and an archive tells of natural ones alone.
    assert unit_nature.told(tiny, [band]) is None


def lies(path, change):
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def renamed(file):
    file.move("directions/0", "directions/7")


def altered(file):
    values = file["directions/1"][...]
    values[0] += 1
    del file["directions/1"]
    hdf5.put_array(file["directions"], "1", values)


def told(file, unit=-1, **changes):
    targets = json.loads(file.attrs["targets"])
    targets[0]["direction"] |= changes
    targets[0]["unit"] = unit
    file.attrs["targets"] = np.bytes_(json.dumps(targets))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda file: file.pop("directions"),
            r"directions of targets \[0, 1, 2\], got those of \[\]",
        ),
        (renamed, r"got those of \[1, 2, 7\]"),
        (altered, "direction of target 1 is not the one whose checksum"),
        (lambda file: told(file, sha256="0" * 64), "direction of target 0 is not the one"),
        (lambda file: told(file, size="4"), "expected name, sha256 and size of a direction"),
        (lambda file: told(file, unit=2), "expected name, sha256 and size of a direction"),
        (lambda file: told(file, name="a\nb"), "expected name, sha256 and size of a direction"),
        (
            lambda file: file["directions"].create_dataset("x", data=1.0),
            "/directions/x is unexpected",
        ),
        (lambda file: file.create_dataset("directions/3", data=np.ones(4)), "/directions/3"),
    ],
)
def test_lies_about_directions_are_refused(finished, tmp_path, change, words):
    path = tmp_path / "a.h5"
    path.write_bytes((finished / "whole.h5").read_bytes())
    with pytest.raises(RefusedInput, match=words):
        archive.open(lies(path, change))


def test_archives_from_elsewhere_bring_their_directions(finished):
    path = finished / "whole.h5"
    there, here = sandbox.open_untrusted(path).directions, archive.open(path).directions
    assert set(there) == set(here) == {0, 1, 2}
    for place, values in here.items():
        np.testing.assert_array_equal(there[place], values)
    np.testing.assert_array_equal(here[0], np.array([-0.5, 0, 1, 0], "f4"))


def test_more_directions_than_an_archive_holds(loaded, monkeypatch, tmp_path):
    monkeypatch.setattr(record, "MAX_DIRECTIONS", 5)
    bands = [Band(Neuron("fc3", Direction(name, [1, 2, 3, 4])), 0, 1) for name in "ab"]
    with pytest.raises(UsageError, match="at most 5 numbers of directions in all targets, got 8"):
        run(loaded, bands, tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []
