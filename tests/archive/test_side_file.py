"""What others say of an archive lies beside it, and cannot be taken for another archive's."""

import threading

import h5py
import numpy as np
import pytest
import specimen

from tf_inverse import archive
from tf_inverse.archive import atomic, side_file
from tf_inverse.archive.lock import Lock
from tf_inverse.errors import RefusedInput


@pytest.fixture
def path(tmp_path):
    specimen.write(tmp_path / "a.h5", 12)
    return tmp_path / "a.h5"


def test_sections_come_back_and_the_archive_is_untouched(path):
    before = path.read_bytes()
    maps = np.random.default_rng(0).normal(size=(12, 40, 40)).astype(np.float32)
    side_file.put(path, "maps", {"maps": maps}, {"of": "fc8:8"})
    side_file.put(path, "judge", {"classes": np.arange(12, dtype=np.int32)}, {"k": [1]})
    side_file.put(path, "judge", {"classes": np.arange(12, dtype=np.int32) + 1}, {"k": [2]})
    found = side_file.sections(path)
    assert sorted(found) == ["judge", "maps"] and found["judge"].facts == {"k": [2]}
    np.testing.assert_array_equal(found["judge"].arrays["classes"][:], np.arange(12) + 1)
    np.testing.assert_array_equal(found["maps"].arrays["maps"][3:5], maps[3:5])
    np.testing.assert_array_equal(found["maps"].arrays["maps"][[7, 1]], maps[[7, 1]])
    assert path.read_bytes() == before
    left = {file.name for file in path.parent.iterdir()}
    assert left == {"a.h5", "a.h5.extra.h5"}
    assert side_file.sections(specimen.write(path.with_name("b.h5")).path) == {}


def test_of_another_archive_it_is_refused_and_kept(path):
    side_file.put(path, "judge", {"classes": np.arange(12)}, {})
    kept = side_file.beside(path).read_bytes()
    path.unlink()
    specimen.write(path, 12, seed=1)
    with pytest.raises(RefusedInput, match=r"tells of another a\.h5, .* remove it"):
        side_file.sections(path)
    with pytest.raises(FileExistsError, match=r"tells of another a\.h5"):
        side_file.put(path, "maps", {"maps": np.zeros((12, 2))}, {})
    assert side_file.beside(path).read_bytes() == kept


def test_an_archive_that_is_replaced_takes_it_along(path, monkeypatch):
    """By another archive, once that is in place; what spoke of neither archive stays."""
    side_file.put(path, "judge", {"classes": np.arange(12)}, {})
    kept, stays = side_file.beside(path), side_file.beside(path).read_bytes()
    specimen.write(path, 12, overwrite=True)
    assert kept.read_bytes() == stays and "judge" in side_file.sections(path)
    with monkeypatch.context() as patch, pytest.raises(archive.StorageError):
        patch.setattr(atomic, "publish", full)
        specimen.write(path, 12, seed=1, overwrite=True)
    assert kept.read_bytes() == stays
    archive.Writer(path, specimen.header(), overwrite=True).close()  # no sample was found
    assert "judge" in side_file.sections(path)
    specimen.write(path, 12, seed=1, overwrite=True)
    assert not kept.exists() and side_file.sections(path) == {}
    kept.write_bytes(stays)
    specimen.write(path, 12, seed=2, overwrite=True)
    assert kept.read_bytes() == stays


def full(temporary, target):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("name", "arrays", "said"),
    [
        ("a/b", {"x": np.zeros(12)}, "plain name"),
        ("a", {"x": np.zeros(11)}, "12 rows"),
        ("a", {"x": np.array(["t"] * 12)}, "expected numbers"),
    ],
)
def test_what_cannot_be_stored_is_named(path, name, arrays, said):
    with pytest.raises(ValueError, match=said):
        side_file.put(path, name, arrays, {})
    assert not side_file.beside(path).exists()


def forged(path, change):
    """A side file of the archive that was written by other means."""
    with h5py.File(side_file.beside(path), "w", libver="v110") as file:
        file.attrs["format"] = np.bytes_(side_file.FORMAT)
        file.attrs["version"] = side_file.VERSION
        file.attrs["archive"] = np.bytes_(atomic.checksum(path))
        group = file.create_group("judge")
        group.attrs["facts"] = np.bytes_("{}")
        group.create_dataset(
            "classes", data=np.arange(12), chunks=(12,), compression=4, fletcher32=True
        )
        change(file, group)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda file, group: file.attrs.__setitem__("version", 9), "got 'tf_inverse extra' v"),
        (lambda file, group: file.__setitem__("link", h5py.SoftLink("/judge")), "a soft link"),
        (lambda file, group: group.__setitem__("more", np.arange(7)), "neither chunked nor comp"),
        (
            lambda file, group: group.create_dataset(
                "more", data=np.arange(7), chunks=(7,), compression=4, fletcher32=True
            ),
            "expected 12 rows",
        ),
        (lambda file, group: group.attrs.__setitem__("facts", np.bytes_("{")), "not valid JSON"),
        (lambda file, group: file.create_dataset("flat", data=np.arange(12)), "is not a group"),
    ],
)
def test_a_forged_side_file_is_refused_by_name(path, change, said):
    forged(path, lambda file, group: None)
    np.testing.assert_array_equal(side_file.sections(path)["judge"].arrays["classes"][:], range(12))
    forged(path, change)
    with pytest.raises(RefusedInput, match=said):
        side_file.sections(path)


def test_damage_anywhere_is_refused(path):
    """Of its numbers, and of what HDF5 writes around them, of which HDF5 complains otherwise."""
    numbers = np.random.default_rng(0).integers(0, 255, (12, 500)).astype(np.uint8)
    side_file.put(path, "maps", {"maps": numbers}, {})
    target = side_file.beside(path)
    whole = target.read_bytes()
    heads = [i for i in range(len(whole)) if whole[i : i + 4] in (b"OHDR", b"FRHP", b"FHDB")]
    for at in [len(whole) // 2, *(head + by for head in heads for by in (4, 12))]:
        data = bytearray(whole)
        data[at] ^= 1
        target.write_bytes(data)
        with pytest.raises(RefusedInput):
            side_file.sections(path)["maps"].arrays["maps"][:]
        with pytest.raises(RefusedInput):
            side_file.put(path, "more", {}, {})
            side_file.sections(path)["maps"].arrays["maps"][:]


def test_a_second_writer_waits_for_the_first(path, monkeypatch):
    """It has done its work by then, and nothing of it may be lost."""
    target = side_file.beside(path)
    lock = Lock(target.with_name(target.name + side_file.LOCK), target)
    threading.Timer(0.3, lock.release).start()
    side_file.put(path, "late", {"a": np.arange(12)}, {})
    assert "late" in side_file.sections(path)
    monkeypatch.setattr(side_file, "WAIT", 0.1)
    lock = Lock(target.with_name(target.name + side_file.LOCK), target)
    with pytest.raises(FileExistsError, match="is being written by process"):
        side_file.put(path, "later", {}, {})
    lock.release()
