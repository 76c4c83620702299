"""HDF5 files from elsewhere that say little and mean much: refused before HDF5 unpacks anything."""

import zlib

import h5py
import numpy as np
import pytest
import worlds

from tf_inverse.caffe import mat
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.networks import image_files, natural_file

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 6, 5, 3), np.uint8)


def packed(file, name, shape=(64,), chunks=(64,), **options):
    options = {"dtype": "f4", "chunks": chunks, "compression": "gzip"} | options
    return file.create_dataset(name, shape, **options)


def unpacks_to(file, size):
    """An array of 256 bytes whose one chunk unpacks to so many."""
    packed(file, "t").id.write_direct_chunk((0,), zlib.compress(bytes(size)))


FORGED = {
    "more than is declared": (lambda f: unpacks_to(f, 1 << 24), "/t: a chunk unpacks to more than"),
    "no stream": (
        lambda f: packed(f, "t").id.write_direct_chunk((0,), b"no stream"),
        "/t: a chunk is damaged",
    ),
    "a filter left out": (
        lambda f: packed(f, "t").id.write_direct_chunk((0,), bytes(256), filter_mask=1),
        "/t: a chunk leaves out filters",
    ),
    "another filter": (lambda f: packed(f, "t", compression="lzf"), r"/t has filters \[32000\]"),
    "a chunk larger than its array": (
        lambda f: [packed(f, f"t{i}", (1,), (1 << 29,), maxshape=(None,)) for i in range(3)],
        "expected at most",
    ),
}


@pytest.mark.parametrize("what", FORGED)
@pytest.mark.parametrize("reader", ["natural", "mat"])
def test_arrays_that_unpack_to_more_than_they_declare(tmp_path, reader, what):
    change, words = FORGED[what]
    path = tmp_path / "f.h5"
    if reader == "natural":
        natural_file.write(path, worlds.natural(worlds.tiny_networks(), 8))
        natural_file.read(path)
    read = {"natural": natural_file.read, "mat": mat.read}[reader]
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(RefusedInput, match=words):
        read(path)


@pytest.mark.parametrize("options", [{}, {"shuffle": True}, {"shuffle": True, "fletcher32": True}])
def test_arrays_as_others_pack_them_are_read(tmp_path, options):
    values = np.arange(60.0).reshape(12, 5)
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file.create_dataset("v", data=values, chunks=(5, 5), compression="gzip", **options)
    np.testing.assert_array_equal(mat.read(tmp_path / "a.mat")["v"], values.T)


def elsewhere(path, how):
    """A file of images that lie in another one; or, of huge, in one chunk of gigabytes."""
    other = path.with_name("other.h5")
    with h5py.File(other, "w") as file:
        file["images"] = IMAGES
    other.with_name("raw").write_bytes(IMAGES.tobytes())
    with h5py.File(path, "w") as file:
        if how == "link":
            file["images"] = h5py.ExternalLink(str(other), "/images")
        elif how == "group":
            file["test"] = h5py.ExternalLink(str(other), "/")
        elif how == "raw":
            outside = [(str(other.with_name("raw")), 0, IMAGES.nbytes)]
            file.create_dataset("images", IMAGES.shape, "u1", external=outside)
        elif how == "virtual":
            layout = h5py.VirtualLayout(IMAGES.shape, "u1")
            layout[:] = h5py.VirtualSource(str(other.with_name("gone.h5")), "images", IMAGES.shape)
            file.create_virtual_dataset("images", layout)
        else:
            grown = {"maxshape": (None, None, None, None)}
            packed(file, "images", IMAGES.shape, (1 << 10, 1 << 9, 1 << 9, 3), dtype="u1", **grown)


@pytest.mark.parametrize("how", ["link", "group", "raw", "virtual", "huge"])
def test_images_lie_in_the_file_itself(tmp_path, how):
    elsewhere(tmp_path / "a.h5", how)
    words = "expected chunks of at most" if how == "huge" else "expected images in .*a.h5 itself"
    with pytest.raises(RefusedInput, match=words):
        image_files.load(tmp_path / "a.h5", (6, 5), "test")


def test_an_array_in_the_place_of_a_part_is_no_part(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["train"] = np.arange(5)
        file["images"] = IMAGES
    np.testing.assert_array_equal(image_files.load(tmp_path / "a.h5", (6, 5))[0], IMAGES)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["train"] = np.arange(5)
    with pytest.raises(UsageError, match="expected images, or jpeg_bytes and offsets, in b.h5"):
        image_files.load(tmp_path / "b.h5", (6, 5))
