"""Files of NumPy's .npy format, for each of their readers: what a header says is not believed."""

import functools
import os
import pathlib
import re
import tracemalloc
import zipfile

import keras
import numpy as np
import pytest

from tf_inverse import directions, npy
from tf_inverse.atlas import kept_directions
from tf_inverse.caffe import means
from tf_inverse.directions import Direction
from tf_inverse.errors import RefusedInput
from tf_inverse.networks import image_files
from tf_inverse.training import checkpoint

LONG = 1 << 24
MAGIC = b"\x93NUMPY"
SAID = r"{'descr': '<f4', 'fortran_order': False, 'shape': "


def forged(text, *, version=2, length=None):
    """The bytes of a file with a header of any text, which says that it has any length."""
    digits = (len(text) if length is None else length).to_bytes(2 if version == 1 else 4, "little")
    return MAGIC + bytes((version, 0)) + digits + text.encode() + bytes(16)


FORGED = {
    "a header longer than the file": forged(SAID + "(4,)}", length=(1 << 32) - 1),
    "a header of megabytes": forged(SAID.ljust(LONG)),
    "brackets without an end": forged("(" * 5000),
    "more numbers than there are": forged(SAID + f"({1 << 45}, 4)" + "}", version=1),
    "fewer numbers than there are": forged(SAID + "(3,)}"),
    "sides below zero": forged(SAID + "(-2, -2)}"),
    "numbers of no bytes": forged("{'descr': '|S0', 'fortran_order': False, 'shape': (4,)}"),
    "Python objects": forged("{'descr': '|O', 'fortran_order': False, 'shape': (2,)}"),
    "an unknown version": forged(SAID + "(4,)}", version=7),
    "nothing": b"",
}


def of_means(path, data):
    (path / "mean.npy").write_bytes(data)
    means.read(path / "mean.npy")


def of_directions(path, data):
    (path / "d.npy").write_bytes(data)
    directions.read(f"@{path / 'd.npy'}", "fc", (4,))


def of_kept_directions(path, data):
    (path / "0123.npy").write_bytes(data)
    kept_directions.read(path, "ship-cat", "0123")


def of_images(path, data):
    packed(path / "a.npz", {"images": data})
    image_files.load(path / "a.npz", (8, 8))


def of_a_training(path, data):
    packed(path / checkpoint.NAME, {"steps": data, "0": data})
    checkpoint.restore(path, [keras.Variable(np.zeros(4, "f4"))])


READERS = [of_means, of_directions, of_kept_directions, of_images, of_a_training]


def packed(path, entries, how=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", how) as file:
        for name, data in entries.items():
            file.writestr(f"{name}.npy", data)


@pytest.mark.parametrize("read", READERS)
def test_a_header_is_held_against_its_file_before_it_is_read(tmp_path, read):
    for what, data in FORGED.items():
        refuse = functools.partial(read, tmp_path, data)
        tracemalloc.start()
        try:
            with pytest.raises(RefusedInput) as refused:
                refuse()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert "\n" not in str(refused.value) and ".npy format" in str(refused.value), what
        # Writing a file takes no more memory than its bytes, which are there already.
        assert peak < LONG // 2, f"{what}: {peak} bytes"


@pytest.mark.parametrize("fortran", [False, True])
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_arrays_are_those_that_numpy_reads(tmp_path, fortran, version):
    values = np.random.default_rng(0).integers(-9, 9, (3, 4, 5)).astype(">i2")
    for one in (values, values[:0], values[0, 0, 0]):
        path = tmp_path / "a.npy"
        with open(path, "wb") as file:
            array = np.asarray(one, order="F" if fortran else "C")
            np.lib.format.write_array(file, array, version)
        found = npy.mapped(path)
        assert found.dtype == one.dtype and found.shape == one.shape
        np.testing.assert_array_equal(found, np.load(path))


def test_a_pipe_is_not_waited_for(tmp_path):
    for name in ("d.npy", "a.npz", "a.h5", "a.png"):
        os.mkfifo(tmp_path / name)
    for read in (
        lambda: npy.mapped(tmp_path / "d.npy"),
        lambda: directions.read(f"@{tmp_path / 'd.npy'}", "fc", (4,)),
        lambda: image_files.load(tmp_path / "a.npz", (8, 8)),
        lambda: image_files.load(tmp_path / "a.h5", (8, 8)),
    ):
        with pytest.raises(RefusedInput, match="expected a (plain )?file"):
            read()
    with pytest.raises(RefusedInput, match="a.png: no picture that can be read"):
        image_files.load(tmp_path, (8, 8))


def test_entries_of_an_npz_file_are_packed_as_numpy_packs_them(tmp_path):
    for how in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        packed(tmp_path / "a.npz", {"images": forged(SAID + "(4,)}")}, how)
        with pytest.raises(RefusedInput, match="images in .*a.npz is packed in a way that NumPy"):
            image_files.load(tmp_path / "a.npz", (8, 8))


def test_a_kept_direction_of_other_numbers_is_refused(tmp_path):
    kept = Direction("d", [1, 2, 3])
    kept_directions.write(tmp_path, kept)
    assert kept_directions.read(tmp_path, "d", kept.sha256) == kept
    np.save(tmp_path / f"{kept.sha256}.npy", np.float32([1, 2, 4]))
    with pytest.raises(RefusedInput, match="got other numbers"):
        kept_directions.read(tmp_path, "d", kept.sha256)


def test_an_array_written_by_rows_is_the_file_that_numpy_writes(tmp_path):
    for shape in ((7, 2, 3), (5,), (3, 0), (0, 4)):
        array = np.random.default_rng(0).random(shape).astype(np.float32)
        array[4:5] = 0
        np.save(tmp_path / "whole.npy", array)
        rows = npy.Rows(tmp_path / "rows.npy", np.float32, shape)
        rows.put(5, array.astype(np.float64).T.T[5:])
        rows.put(0, array[1:3])
        rows.put(0, array[:4])
        rows.close()
        assert (tmp_path / "rows.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()


def test_a_full_disk_is_an_error_and_not_the_end_of_the_process():
    """Nothing is mapped for writing: memory that no disk has room for ends whoever writes to it."""
    package = pathlib.Path(npy.__file__).parent
    writing = re.compile(r"open_memmap|memmap\([^)]*\"[wr]\+|ACCESS_WRITE|PROT_WRITE")
    files = list(package.rglob("*.py"))
    assert files and not [str(f) for f in files if writing.search(f.read_text(encoding="utf-8"))]
