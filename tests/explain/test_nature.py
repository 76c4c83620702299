"""Natural images of a band, against a loop over all of them by plain Keras calls."""

import dataclasses

import h5py
import numpy as np
import pytest
import worlds
from PIL import Image

from tf_inverse import adopt
from tf_inverse.band import Band, Bands, Neuron
from tf_inverse.errors import UsageError
from tf_inverse.explain import nature
from tf_inverse.networks import image_files, unit_nature


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(2).integers(0, 256, (300, 8, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def source(pictures, tmp_path_factory):
    """The same pictures as arrays in a file of parts, and as a folder of files."""
    folder = tmp_path_factory.mktemp("nature")
    with h5py.File(folder / "arrays.h5", "w") as file:
        file["train/images"], file["test/images"] = pictures[:3], pictures
    (folder / "files").mkdir()
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / "files" / f"{i:03d}.png")
    return folder


@pytest.fixture(scope="module")
def bands(tiny, pictures):
    z = worlds.activation(tiny, pictures, Neuron("fc3", 2), 300)
    low, high = (float(q) for q in np.quantile(z, (0.5, 0.75)))
    return Bands([Band(Neuron("fc3", 2), low, high), Band(Neuron("fc3", 1), -1e6, 1e6)]), z


@pytest.mark.parametrize("name", ["arrays.h5", "files"])
def test_the_natural_images_of_a_band(tiny, bands, pictures, source, name):
    asked, z = bands
    inside = np.flatnonzero((z >= asked[0].z1) & (z <= asked[0].z2))
    found = nature.beside(tiny, asked, source / name)
    assert (found.inside, found.looked_at, found.source) == (len(inside), 300, name)
    assert len(found.images) == nature.MOST < len(inside)
    assert set(found.numbers) <= set(inside) and len(set(found.numbers)) == nature.MOST
    np.testing.assert_array_equal(found.images, pictures[found.numbers])
    np.testing.assert_allclose(found.activations[:, 0], z[found.numbers], rtol=1e-5)
    assert (np.diff(found.activations[:, 0]) >= 0).all()
    again = nature.beside(tiny, asked, source / name)
    np.testing.assert_array_equal(again.numbers, found.numbers)


def test_what_a_network_remembers_is_read_by_its_number(tiny, bands, pictures, source):
    asked, z = bands
    images = adopt.nature.Images(pictures)
    natural = adopt.nature.statistics(dataclasses.replace(tiny, natural=None), images)
    networks = dataclasses.replace(tiny, natural=natural)
    found = nature.remembered(networks, Bands(asked[0]), source / "files", most=500)
    np.testing.assert_array_equal(
        np.sort(found.numbers),
        np.sort(natural.indices[unit_nature.within(networks, Bands(asked[0]))]),
    )
    np.testing.assert_array_equal(found.images, pictures[found.numbers])
    forgotten = dataclasses.replace(natural, indices=None)
    assert (
        nature.remembered(dataclasses.replace(tiny, natural=forgotten), Bands(asked[0]), source)
        is None
    )
    hidden = Bands(Band(Neuron("conv1", 0, (4, 4)), 0.0, 1.0))
    assert nature.remembered(networks, hidden, source / "files") is None


def test_a_source_with_fewer_images_than_are_remembered_is_refused(source):
    with pytest.raises(UsageError, match="expected at least 302 images in .*files, got 300"):
        image_files.load(source / "files", (8, 8), only=[0, 301])
    got, _ = image_files.load(source / "arrays.h5", (8, 8), "test", only=[5, 2, 5])
    whole, _ = image_files.load(source / "arrays.h5", (8, 8), "test")
    np.testing.assert_array_equal(got, whole[[5, 2, 5]])


def test_vectors_have_no_natural_images(tiny, bands, source):
    vectors = dataclasses.replace(tiny, stored="float32")
    with pytest.raises(UsageError, match="expected a network of images"):
        nature.beside(vectors, bands[0], source / "files")
