"""Arrays of .npz files: NumPy's own numbers, and headers that are not believed."""

import io
import zipfile

import numpy as np
import pytest

from tf_inverse.errors import RefusedInput
from tf_inverse.networks import image_files, npz

VALUES = np.random.default_rng(0).integers(0, 256, (7, 6, 5, 3), np.uint8)
OTHERS = {"labels": np.arange(7.0), "one": np.float32(3.5), "none": np.zeros((0, 2), np.int64)}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("images", [VALUES, np.asfortranarray(VALUES)])
def test_numbers_are_those_that_numpy_reads(tmp_path, save, images):
    save(tmp_path / "a.npz", images=images, **OTHERS)
    with np.load(tmp_path / "a.npz") as wanted, npz.Arrays(tmp_path / "a.npz") as got:
        assert set(got) == set(wanted.files) and "other" not in got
        for name in wanted.files:
            array = got[name]
            assert (array.shape, array.dtype) == (wanted[name].shape, wanted[name].dtype)
            np.testing.assert_array_equal(array[()], wanted[name])
        found = got["images"]
        # Parts in order, a part once more, and numbers of rows.
        for key in (slice(0, 3), slice(3, 9), slice(1, 2), slice(5, 5), np.array([0, 2, 6])):
            np.testing.assert_array_equal(found[key], wanted["images"][key])


def test_the_file_is_closed_though_an_array_of_it_is_held(tmp_path):
    """As by the traceback of a refusal."""
    np.savez(tmp_path / "a.npz", images=VALUES)
    with npz.Arrays(tmp_path / "a.npz") as arrays:
        held = arrays["images"]
        assert held[:1].size
    with pytest.raises(ValueError, match="closed"):
        held[:1]


def forged(path, shape, data=b"", dtype="|u1"):
    """A file whose header declares what it does not hold."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("images.npy", head.getvalue() + data)


def test_what_a_header_declares_is_held_against_the_file(tmp_path):
    forged(tmp_path / "a.npz", (1 << 40, 8, 8, 3))
    with pytest.raises(RefusedInput, match=r"images in .*a.npz declares uint8 \[1099511627776, "):
        image_files.load(tmp_path / "a.npz", (8, 8))
    forged(tmp_path / "a.npz", (1, 8, 8, 3), bytes(191))
    with pytest.raises(RefusedInput, match="declares"):
        image_files.load(tmp_path / "a.npz", (8, 8))
    np.savez(tmp_path / "a.npz", images=np.array([{}], object))
    with pytest.raises(RefusedInput, match="images in .*a.npz holds Python objects"):
        image_files.load(tmp_path / "a.npz", (8, 8))


@pytest.mark.parametrize("name", ["labels", "images"])
def test_nothing_large_is_read_as_a_whole(tmp_path, name, monkeypatch):
    labels = np.arange(7) if name == "labels" else np.zeros(7, np.uint8)
    images = VALUES if name == "labels" else np.asfortranarray(VALUES)
    np.savez(tmp_path / "a.npz", images=images, labels=labels)
    assert len(image_files.load(tmp_path / "a.npz", (6, 5))[0]) == 7
    monkeypatch.setattr(npz, "MOST_WHOLE", 50)
    with pytest.raises(RefusedInput, match=f"at most 50 bytes of {name} in .*a.npz"):
        image_files.load(tmp_path / "a.npz", (6, 5))
