"""Statistics over natural images: units against NumPy, the file there and back, refusals."""

import dataclasses
import types

import h5py
import numpy as np
import pytest

from tf_inverse.band import Band, Bands, Neuron
from tf_inverse.directions import Direction
from tf_inverse.errors import RefusedInput
from tf_inverse.networks import natural, natural_file, unit_nature, unit_statistics, yardstick


@pytest.fixture
def z():
    return np.random.default_rng(0).gamma(2.0, 3.0, (500, 3)).astype(np.float32)


@pytest.fixture
def stored(z):
    rng = np.random.default_rng(1)
    levels = np.array(natural.LEVELS, float)
    columns = (z.mean(axis=0), z.std(axis=0), np.percentile(z, levels, axis=0).T.astype("f4"))
    e = rng.standard_normal((500, 4)).astype(np.float16).astype(np.float32)
    z16 = z.astype(np.float16).astype(np.float32)
    gaussian = (e[0], e[1:3])
    return natural.Natural(500, "five hundred", levels, {"fc8": columns}, e, {"fc8": z16}, e[:50],
                           gaussian)  # fmt: skip


def test_text_has_no_arrays(stored):
    assert repr(stored) == "Natural(images=500, description='five hundred', random=None)"


def test_units_against_numpy(stored, z):
    unit = stored.unit(Neuron("fc8", 1))
    own = z[:, 1].astype(float)
    assert unit.mean == pytest.approx(own.mean(), rel=1e-5)
    assert unit.sd == pytest.approx(own.std(), rel=1e-5)
    for level in (0, 5, 50, 99, 100):
        assert unit.percentile(level) == pytest.approx(np.percentile(own, level), rel=1e-5)
    assert unit.deviation(-1.5) == pytest.approx(own.mean() - 1.5 * own.std(), abs=1e-4)
    assert unit.deviations(unit.deviation(2.0)) == pytest.approx(2.0)
    share = np.mean(own <= 6.0)  # between two levels the scale is interpolated
    assert unit.level(6.0) == pytest.approx(100 * share, abs=4)
    assert unit.level(-1) == 0 and unit.level(1e9) == 100


def test_what_has_no_statistics(stored):
    assert stored.unit(Neuron("fc7", 0)) is None
    assert stored.unit(Neuron("fc8", 0, "mean")) is None
    flat = natural.UnitStatistics(1.0, 0.0, np.array([0, 100]), np.ones(2))
    assert np.isnan(flat.deviations(3.0))


def test_images_within_bands_by_brute_force(stored):
    bands = Bands([Band(Neuron("fc8", 0), 3, 7), Band(Neuron("fc8", 2), 2, 9)])
    columns = stored.activations["fc8"]
    expected = [i for i in range(500) if 3 <= columns[i, 0] <= 7 and 2 <= columns[i, 2] <= 9]
    assert 20 < len(expected) < 400
    networks = keeping(stored)
    assert unit_nature.within(networks, bands).tolist() == expected
    assert unit_nature.within(networks, Bands([Band(Neuron("fc7", 0), 0, 1)])) is None
    assert unit_nature.within(networks, Bands([Band(Neuron("fc8", 0, "max"), 0, 99)])) is None


def keeping(stored):
    """What of a pair says which natural images it keeps."""
    return types.SimpleNamespace(natural=stored, encoder="fc6", layer_path=str)


def test_directions_of_the_encoder_and_of_the_layer_before_its_maps(stored):
    e = stored.encodings.astype(np.float64)
    shapes = {"fc6": (3,), "fc6_maps": e.shape[1:], "fc7": (3,)}
    networks = types.SimpleNamespace(
        natural=stored, encoder="fc6_maps", layer_path=str, layer_shape=shapes.get
    )

    def kept(layer, *values):
        return unit_nature.kept(networks, Neuron(layer, Direction("d", np.array(values, "f4"))))

    first = [row[0] - 2 * row[2] for row in e]
    np.testing.assert_allclose(kept("fc6", 1, 0, -2), first, rtol=1e-6)
    whole = [row.sum() for row in e]
    np.testing.assert_allclose(kept("fc6_maps", *np.ones(e.shape[1])), whole, rtol=1e-6)
    assert kept("fc7", 1, 0, 0) is None


def test_statistics_of_a_network_with_fewer_units_are_refused(stored):
    for asked in (
        lambda neuron: stored.unit(neuron),
        lambda neuron: unit_nature.within(keeping(stored), [Band(neuron, 0, 1)]),
    ):
        with pytest.raises(RefusedInput, match="of fc8:3, they are of 3 units.*another network"):
            asked(Neuron("fc8", 3))


def test_file_there_and_back(stored, tmp_path):
    natural_file.write(tmp_path / "natural.h5", stored)
    read = natural_file.read(tmp_path / "natural.h5")
    assert (read.images, read.description) == (500, "five hundred")
    np.testing.assert_array_equal(read.levels, stored.levels)
    for a, b in zip(read.layers["fc8"], stored.layers["fc8"], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    for name in ("encodings", "bank"):
        np.testing.assert_array_equal(getattr(read, name), getattr(stored, name))
    np.testing.assert_array_equal(read.activations["fc8"], stored.activations["fc8"])
    for a, b in zip(read.gaussian, stored.gaussian, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("bank", [None, 20])
def test_encodings_of_other_images_leave_nothing_of_those_before(stored, tmp_path, bank):
    numbered = dataclasses.replace(stored, indices=np.arange(500), random=70)
    e = None if bank is None else np.ones((30, 4), np.float32)
    made = numbered.of_other_images(e, None if e is None else e[:bank])
    natural_file.write(tmp_path / "n.h5", made)
    got = natural_file.read(tmp_path / "n.h5")
    assert got.indices is None and got.activations == {} and got.typical == (bank or 0)
    assert (got.encodings is None) == (e is None) and got.unit(Neuron("fc8", 1)) is not None


def test_the_same_statistics_give_the_same_bytes(stored, tmp_path):
    for name in "ab":
        natural_file.write(tmp_path / name, stored)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_layers_alone_are_enough(stored, tmp_path):
    bare = natural.Natural(3, "", stored.levels, stored.layers)
    natural_file.write(tmp_path / "n.h5", bare)
    read = natural_file.read(tmp_path / "n.h5")
    assert read.encodings is read.bank is read.gaussian is None and read.activations == {}
    assert unit_nature.within(keeping(read), Bands([Band(Neuron("fc8", 0), 0, 1)])) is None


@pytest.mark.parametrize("layer", ["net/fc8", "net/a/mean", "50%2F", "net/mean/sd"])
def test_layers_of_models_within_the_model(stored, tmp_path, layer):
    """A path as name: there and back, and as older versions wrote it, a group a level."""
    columns = stored.layers["fc8"]
    several = {"net": columns, layer: columns, "net/mean": columns}
    z = {name: stored.activations["fc8"] + i for i, name in enumerate(several)}
    made = dataclasses.replace(stored, layers=several, activations=z)
    natural_file.write(tmp_path / "n.h5", made)
    read = natural_file.read(tmp_path / "n.h5")
    assert set(read.layers) == set(read.activations) == set(several)
    assert read.unit(Neuron(layer, 1)).mean == stored.unit(Neuron("fc8", 1)).mean
    for name in several:
        np.testing.assert_array_equal(read.activations[name], z[name].astype("f2").astype("f4"))


def test_files_with_a_group_a_level(stored, tmp_path):
    natural_file.write(tmp_path / "n.h5", stored)
    with h5py.File(tmp_path / "n.h5", "a") as file:
        for group in ("layers", "activations"):
            file.move(f"{group}/fc8", f"{group}/net/top/fc8")
    read = natural_file.read(tmp_path / "n.h5")
    assert list(read.layers) == list(read.activations) == ["net/top/fc8"]
    np.testing.assert_array_equal(read.layers["net/top/fc8"][0], stored.layers["fc8"][0])
    with h5py.File(tmp_path / "n.h5", "a") as file:
        del file["layers/net/top/fc8/percentiles"]
    with pytest.raises(RefusedInput, match="layers/net/top/fc8/percentiles .* is missing"):
        natural_file.read(tmp_path / "n.h5")


def test_images_chosen_at_random(stored, tmp_path):
    """Those that may stand for nature: said, or the bank, or all."""
    assert stored.typical == 50
    natural_file.write(tmp_path / "n.h5", dataclasses.replace(stored, random=70, bank=None))
    assert natural_file.read(tmp_path / "n.h5").typical == 70
    assert dataclasses.replace(stored, bank=None).typical == 500


def replaced(file, name, values):
    del file[name]
    file[name] = values


def spoiled(path, stored, change):
    natural_file.write(path, stored)
    with h5py.File(path, "a") as file:
        change(file)
    return path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda f: f.attrs.update(version=2),
            "version 1 in n.h5, got 'tf_inverse natural' version",
        ),
        (lambda f: f.attrs.update(format="other"), "got 'other' version 1"),
        (lambda f: f.__delitem__("levels"), "expected levels in the natural statistics"),
        (lambda f: f.__delitem__("layers/fc8/sd"), "expected layers/fc8/sd in the natural"),
        (lambda f: f.__delitem__("gaussian/factor"), "expected gaussian/factor in the natural"),
        (lambda f: f.__delitem__("encodings"), "expected encodings of 50 images"),
        (lambda f: f.attrs.__delitem__("images"), "cannot read natural statistics"),
        (
            lambda f: replaced(f, "layers/fc8/sd", np.ones(4)),
            "expected layers/fc8/sd of shape [3] in",
        ),
        (
            lambda f: replaced(f, "activations/fc8", np.ones((4, 3))),
            "expected activations/fc8 of shape [500, None] in",
        ),
        (lambda f: f.__setitem__("l", h5py.ExternalLink("x.h5", "/")), "/l is an external link"),
        (lambda f: f.__setitem__("l", h5py.SoftLink("/encodings")), "/l is a soft link"),
        (lambda f: f.__setitem__("l", f["encodings"]), "is there under two names"),
        (lambda f: f["layers"].__setitem__("round", f["layers"]), "is there under two names"),
        (lambda f: f.__setitem__("t", np.dtype("f4")), "/t is neither a group nor an array"),
        (lambda f: f.create_dataset("t", data=[b"x"]), "expected plain numbers"),
        (
            lambda f: f.create_dataset("huge", (1 << 40,), "f4", chunks=(1 << 16,)),
            f"expected at most {natural_file.MAX_BYTES} bytes",
        ),
        (
            lambda f: f.create_dataset("out", (4,), "f4", external=[("x.raw", 0, 16)]),
            "/out has no shape, or is stored in other files",
        ),
    ],
)
def test_files_of_another_form_are_refused(stored, tmp_path, change, words):
    with pytest.raises(RefusedInput) as refused:
        natural_file.read(spoiled(tmp_path / "n.h5", stored, change))
    assert words in str(refused.value)


def test_no_hdf5_at_all(tmp_path):
    (tmp_path / "n.h5").write_bytes(b"not HDF5")
    with pytest.raises(RefusedInput, match="cannot read natural statistics"):
        natural_file.read(tmp_path / "n.h5")


def test_a_unit_that_never_changes_has_no_spread_however_many_images():
    z = np.stack([np.full(60_000, 0.1, "f4"), np.arange(60_000, dtype="f4")], axis=1)
    mean, sd = unit_statistics.spread(z)
    assert mean[0] == np.float32(0.1) and sd[0] == 0.0
    assert sd[1] == pytest.approx(np.sqrt((60_000**2 - 1) / 12), rel=1e-7)


@pytest.mark.parametrize("scale", [1e6, 1e-9])
def test_what_half_precision_does_not_hold_is_kept_in_float32(stored, tmp_path, scale):
    huge = dataclasses.replace(
        stored,
        encodings=scale * stored.encodings,
        activations={"fc8": scale * stored.activations["fc8"]},
    )
    natural_file.write(tmp_path / "n.h5", huge)
    again = natural_file.read(tmp_path / "n.h5")
    np.testing.assert_allclose(again.encodings, huge.encodings, rtol=1e-6)
    np.testing.assert_allclose(again.activations["fc8"], huge.activations["fc8"], rtol=1e-6)
    assert yardstick.of_nature(again) == yardstick.of_nature(huge)
    expected = scale * yardstick.of_nature(stored).bandwidth
    assert yardstick.of_nature(huge).bandwidth == pytest.approx(expected, rel=1e-2)
