"""Arrays in memory are the oracle of the file; h5py alone reads the finished one."""

import errno
import json
import os
import pathlib
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
from oracles.archive_samples import NATURAL, header, rows, samples, state

from tf_inverse import archive
from tf_inverse.archive import atomic, attributes, chunk_reader, schema
from tf_inverse.archive.writer import StorageError
from tf_inverse.errors import RefusedInput, UsageError


def fill(path, batch, cuts=(12,), step=4, head=None, finish=True, **options):
    """Appends batch[: cuts[-1]] in steps; a new writer carries on at every cut."""
    i = 0
    for cut in cuts:
        with archive.Writer(path, head or header(cuts[-1]), resume=True, **options) as out:
            assert out.found == i
            while i < cut:
                j = min(i + step, cut)
                out.append(rows(batch, i, j), state(j))
                i = j
            if cut == cuts[-1] and finish:
                out.finish({"steps": 9, "seconds": time.time()})


def assert_equals(opened, batch):
    assert len(opened) == len(batch.steps)
    for name, array in batch._asdict().items():
        stored = getattr(opened, name)[:]
        assert stored.dtype == array.dtype, name
        np.testing.assert_array_equal(stored, array, err_msg=name)


def test_finished_equals_memory(tmp_path):
    batch = samples()
    fill(tmp_path / "a.h5", batch, natural=NATURAL)
    assert os.listdir(tmp_path) == ["a.h5"]
    with archive.open(tmp_path / "a.h5") as a:
        assert_equals(a, batch)
        assert a.complete and not a.in_progress and a.summary == {"steps": 9}
        assert {name: getattr(a, name) for name in attributes.GIVEN} == header()
        np.testing.assert_array_equal(a.natural.activations, NATURAL["activations"])
        np.testing.assert_array_equal(a.natural.mean, NATURAL["mean"])
        for name, array in state(12).items():
            np.testing.assert_array_equal(a.state[name], array)


def test_run_in_progress_equals_memory(tmp_path):
    batch = samples()
    fill(tmp_path / "a.h5", batch, cuts=(12,), step=5, finish=False, natural=NATURAL)
    for path in (tmp_path / "a.h5", tmp_path / "a.h5.run"):
        a = archive.open(path)
        assert_equals(a, batch)
        assert a.in_progress and not a.complete and a.natural.sd == 2
        assert a.state["next"] == 12


def test_indexing_is_numpys(tmp_path):
    batch = samples()
    fill(tmp_path / "a.h5", batch, step=5, finish=False)
    a = archive.open(tmp_path / "a.h5")
    mask = batch.activations[:, 0] > 55
    for key in (0, -1, slice(3, 9), slice(None, None, 3), slice(9, 2), [7, 1], [], mask):
        np.testing.assert_array_equal(a.images[key], batch.images[key])
    np.testing.assert_array_equal(np.asarray(a.codes), batch.codes)
    with pytest.raises(IndexError):
        a.steps[12]


def test_h5py_alone_reads_it(tmp_path):
    batch = samples()
    fill(tmp_path / "a.h5", batch)
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["images"].chunks == (1, 16, 16, 3)
        for name, array in batch._asdict().items():
            dataset = file[name]
            np.testing.assert_array_equal(dataset[:], array)
            assert dataset.fletcher32 and dataset.compression == "gzip"
            assert dataset.compression_opts == 4
            column = schema.COLUMNS[name]
            assert dataset.attrs["symbol"].decode() == column.symbol
            assert dataset.attrs["units"].decode() == column.units
            assert dataset.attrs["description"].decode() == column.description
        assert json.loads(file.attrs["targets"])[0]["z2"] == 60
        assert file.attrs["complete"] and file.attrs["version"] == 1


@pytest.mark.parametrize("store", ["images", "codes"])
def test_images_follow_hdf5s_image_convention(tmp_path, store):
    """Types and values are those that HDF5's H5IMmake_image_24bit writes and H5IMis_image takes."""
    fill(tmp_path / "a.h5", samples(), head=header(settings={"store": store}))
    with h5py.File(tmp_path / "a.h5") as file:
        stored = file["images" if store == "images" else "thumbnails"]
        for name, text in {
            "CLASS": b"IMAGE",
            "IMAGE_VERSION": b"1.2",
            "IMAGE_SUBCLASS": b"IMAGE_TRUECOLOR",
            "INTERLACE_MODE": b"INTERLACE_PIXEL",
        }.items():
            kind = stored.attrs.get_id(name).get_type()
            assert (kind.get_strpad(), kind.get_size()) == (h5py.h5t.STR_NULLTERM, len(text) + 1)
            assert stored.attrs[name] == text
        assert "CLASS" not in file["encodings"].attrs


@pytest.mark.parametrize("cuts", [(3, 12), (4, 8, 12), (1, 2, 12)])
def test_same_bytes_however_it_was_interrupted(tmp_path, cuts):
    batch = samples()
    fill(tmp_path / "whole.h5", batch, natural=NATURAL)
    time.sleep(1.1)  # HDF5's times have seconds
    fill(tmp_path / "parts.h5", batch, cuts, natural=NATURAL)
    assert (tmp_path / "whole.h5").read_bytes() == (tmp_path / "parts.h5").read_bytes()


def test_n_raised_on_a_finished_archive(tmp_path):
    batch = samples()
    fill(tmp_path / "whole.h5", batch, natural=NATURAL)
    fill(tmp_path / "raised.h5", rows(batch, 0, 8), (8,), natural=NATURAL)
    with archive.Writer(tmp_path / "raised.h5", header(12), resume=True) as out:
        assert out.found == 8 and out.state["next"] == 8
        assert len(archive.open(tmp_path / "raised.h5")) == 8
        out.append(rows(batch, 8, 12), state(12))
        out.finish({"steps": 9})
    assert (tmp_path / "whole.h5").read_bytes() == (tmp_path / "raised.h5").read_bytes()


def test_wide_rows_and_many_rows(tmp_path):
    batch = samples(n=150, side=4, d=5000, d_e=3, p=2)
    fill(tmp_path / "a.h5", batch, (150,), step=67, head=header(150, p=2))
    assert_equals(archive.open(tmp_path / "a.h5"), batch)


def test_batches_without_samples_keep_the_state(tmp_path):
    batch = samples()
    with archive.Writer(tmp_path / "a.h5", header()) as out:
        out.append(rows(batch, 0, 0), {"next": np.int64(-1)})
    with archive.Writer(tmp_path / "a.h5", header(), resume=True) as out:
        assert out.found == 0 and out.state["next"] == -1
        with pytest.raises(ValueError, match="nothing to finish"):
            out.finish({})
        out.append(batch, state(12))
        out.append(rows(batch, 0, 0), state(13))
        out.finish({})
    a = archive.open(tmp_path / "a.h5")
    assert_equals(a, batch)
    assert a.state["next"] == 13


def test_stopped_short_is_not_complete(tmp_path):
    fill(tmp_path / "a.h5", samples(8), (8,), head=header(12))
    assert not archive.open(tmp_path / "a.h5").complete


def test_store_codes(tmp_path):
    batch = samples(side=70)
    head = header(settings={"store": "codes"})
    fill(tmp_path / "codes.h5", batch, head=head)
    a = archive.open(tmp_path / "codes.h5")
    # A mean over 3 x 3 blocks, by a loop.
    blocks = batch.images[5, 30:33, 6:9].reshape(9, 3).mean(axis=0)
    np.testing.assert_array_equal(a.thumbnails[5][10, 2], np.rint(blocks))
    assert a.thumbnails.shape == (12, 23, 23, 3)
    np.testing.assert_array_equal(a.codes[:], batch.codes)
    with pytest.raises(UsageError, match="stores codes, not images"):
        len(a.images)

    def render(codes):
        return np.clip(np.rint(codes[:, None, None, :3] * 100), 0, 255).astype(np.uint8)

    rendered = a.rendered(render).images[4:6]
    expected = np.clip(np.round(batch.codes[4:6, :3] * 100), 0, 255)
    np.testing.assert_array_equal(rendered[:, 0, 0], expected)


def test_thumbnails_of_an_image_much_wider_than_high(tmp_path):
    """128 columns in blocks of four, which two rows are too few for: a block is a whole column."""
    batch = samples(side=2)
    images = np.random.default_rng(0).integers(0, 256, (12, 2, 128, 3)).astype(np.uint8)
    fill(tmp_path / "a.h5", batch._replace(images=images), head=header(settings={"store": "codes"}))
    small = archive.open(tmp_path / "a.h5").thumbnails[:]
    assert small.shape == (12, 1, 32, 3)
    np.testing.assert_array_equal(small[5, 0, 7], np.rint(images[5, :, 28:32].mean(axis=(0, 1))))


PLACE = {"relative": "../net", "absolute": "/home/someone/net"}


def test_the_networks_folder_is_told_and_does_not_make_another_run(tmp_path):
    fill(tmp_path / "a.h5", samples(8), (8,), head=header(12, folder=PLACE), finish=False)
    assert archive.open(tmp_path / "a.h5").header["folder"] == PLACE
    # Carried on from another place: the same run, and the archive tells where the network is now.
    moved = PLACE | {"absolute": "/elsewhere/net"}
    with archive.Writer(tmp_path / "a.h5", header(12, folder=moved), resume=True) as out:
        assert out.found == 8
        out.append(rows(samples(), 8, 12), state(12))
        out.finish({"steps": 9})
    assert archive.open(tmp_path / "a.h5").header["folder"] == moved
    fill(tmp_path / "b.h5", samples())
    assert "folder" not in archive.open(tmp_path / "b.h5").header


@pytest.mark.parametrize(
    "place",
    [{}, {"relative": "a"}, PLACE | {"more": "b"}, PLACE | {"absolute": 1}, "a",
     PLACE | {"absolute": "a\0b"}, PLACE | {"relative": "a" * 5000}],
)  # fmt: skip
def test_a_folder_that_is_none(tmp_path, place):
    with pytest.raises(ValueError, match="folder"):
        archive.Writer(tmp_path / "a.h5", header(folder=place))


class TestRefusals:
    def test_existing(self, tmp_path):
        fill(tmp_path / "a.h5", samples())
        with pytest.raises(FileExistsError, match="a.h5 exists"):
            archive.Writer(tmp_path / "a.h5", header())
        with pytest.raises(FileExistsError, match="finished with 12 samples; ask for more"):
            archive.Writer(tmp_path / "a.h5", header(), resume=True)
        assert os.listdir(tmp_path) == ["a.h5"]

    @pytest.mark.parametrize("finish", [True, False])
    def test_a_run_of_before_is_not_carried_on_but_read(self, tmp_path, finish):
        """Its samples lack columns that those to come would have."""
        old = samples()._replace(from_start=None, from_bank=None)
        fill(tmp_path / "a.h5", old, finish=finish)
        now = header(20, yardstick={"bandwidth": 2.5, "source": "natural images", "count": 9})
        with pytest.raises(UsageError, match="cannot be carried on, .* yardstick: absent there"):
            archive.Writer(tmp_path / "a.h5", now, resume=True)
        with archive.open(tmp_path / "a.h5") as a:
            np.testing.assert_array_equal(a.images[:], old.images)
            assert a.from_start is None and a.from_bank is None

    @pytest.mark.parametrize(
        "entry",
        [
            {"bandwidth": 0.0, "source": "x", "count": 1},
            {"bandwidth": True, "source": "x", "count": 1},
            {"bandwidth": 1.0, "source": "x", "count": 0},
            {"bandwidth": 1.0, "source": "x\ny", "count": 1},
            {"bandwidth": 1.0, "count": 1},
        ],
    )
    def test_a_yardstick_that_is_none(self, entry):
        with pytest.raises(ValueError, match="yardstick"):
            attributes.check_header(header(yardstick=entry))

    def test_unfinished(self, tmp_path):
        fill(tmp_path / "a.h5", samples(), finish=False)
        with pytest.raises(FileExistsError, match="unfinished run; tf-inverse resume"):
            archive.Writer(tmp_path / "a.h5", header())

    def test_overwrite_keeps_the_old_until_the_end(self, tmp_path):
        fill(tmp_path / "a.h5", samples())
        new = samples(seed=1)
        with archive.Writer(tmp_path / "a.h5", header(seed=9), overwrite=True) as out:
            out.append(new, state(12))
            assert_equals(archive.open(tmp_path / "a.h5"), samples())
            out.finish({})
        assert_equals(archive.open(tmp_path / "a.h5"), new)

    @pytest.mark.parametrize(
        ("changes", "named"),
        [
            ({"settings": {"K": 5, "n": 12, "store": "images"}}, "settings.K: 4 there, 5 now"),
            ({"checksums": {"classifier.keras": "1" * 64}}, "checksums.classifier.keras"),
            ({"seed": 4}, "seed: 3 there, 4 now"),
            ({"versions": {"numpy": "0"}}, "versions.numpy"),
        ],
    )
    @pytest.mark.parametrize("finished", [True, False])
    def test_other_settings(self, tmp_path, changes, named, finished):
        fill(tmp_path / "a.h5", samples(), finish=finished)
        with pytest.raises(UsageError, match=named):
            archive.Writer(tmp_path / "a.h5", header(20, **changes), resume=True)
        assert len(archive.open(tmp_path / "a.h5")) == 12

    def test_fewer_samples_than_an_unfinished_run_was_asked_for(self, tmp_path):
        fill(tmp_path / "a.h5", samples(8), (8,), head=header(12), finish=False)
        with pytest.raises(UsageError, match="holds 8 of 12 samples of an .* --n=10 asks for few"):
            archive.Writer(tmp_path / "a.h5", header(10), resume=True)
        with archive.Writer(tmp_path / "a.h5", header(20), resume=True) as out:
            assert out.found == 8 and out.header["asked"] == 20
        assert archive.open(tmp_path / "a.h5").asked == 20

    @pytest.mark.parametrize("whole", [True, False])
    def test_open_for_writing_elsewhere(self, tmp_path, whole):
        """Another program holds it: whole, or just begun and still without HDF5's signature."""
        path = tmp_path / "a.h5"
        if whole:
            fill(path, samples())
        code = "import h5py, sys; f = h5py.File(sys.argv[1], 'a'); print('held', flush=True); "
        code += "sys.stdin.read()"
        command = [sys.executable, "-c", code, str(path)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, **pipes) as other:
            assert other.stdout.readline() == b"held\n"
            for untrusted in (False, True):
                with pytest.raises(archive.LockedError, match=f"{path} is locked: another program"):
                    archive.open(path, untrusted=untrusted)
            other.stdin.close()
        if whole:
            assert_equals(archive.open(path), samples())

    def test_marked_as_open_by_a_program_that_was_killed(self, tmp_path):
        path = tmp_path / "a.h5"
        code = "import h5py, os, sys; f = h5py.File(sys.argv[1], 'w', libver='latest'); "
        code += "f['a'] = 1; f.flush(); os._exit(0)"
        subprocess.run([sys.executable, "-c", code, str(path)], check=True)
        with pytest.raises(archive.LockedError, match="mend it with h5clear --status .*a.h5"):
            archive.open(path)

    def test_other_format_version(self, tmp_path):
        fill(tmp_path / "a.h5", samples(), finish=False)
        place = tmp_path / "a.h5.run" / "header.json"
        place.write_text(place.read_text().replace('"version":1', '"version":2'))
        with pytest.raises(RefusedInput, match="schema version 2, expected 1"):
            archive.Writer(tmp_path / "a.h5", header(), resume=True)

    def test_two_writers(self, tmp_path):
        with archive.Writer(tmp_path / "a.h5", header()):
            start = time.process_time()
            with pytest.raises(archive.LockedError, match=f"written by process {os.getpid()}"):
                archive.Writer(tmp_path / "a.h5", header(), resume=True)
            assert time.process_time() - start < 1
        with archive.Writer(tmp_path / "a.h5", header()):
            pass
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize(
        ("name", "change", "message"),
        [
            ("images", lambda a: a.astype(np.float32), "images: expected"),
            ("codes", lambda a: a[:5], "codes: expected"),
            ("activations", lambda a: a * np.nan, "activations: NaN"),
            # What no reader takes must not be written: the run could not be finished.
            ("images", lambda a: np.repeat(a, 2, axis=3), "images: .* out of the bounds"),
            ("images", lambda a: np.repeat(a, 2049, axis=2)[:, :1, :2049], "images: .* bounds"),
            ("encodings", lambda a: a[:, :3], "as before"),
        ],
    )
    def test_wrong_batches(self, tmp_path, name, change, message):
        batch = samples()
        with archive.Writer(tmp_path / "a.h5", header()) as out:
            out.append(batch, state(12))
            with pytest.raises(ValueError, match=message):
                out.append(batch._replace(**{name: change(getattr(batch, name))}), state(12))
            assert out.found == 12

    def test_no_such_folder(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="is not a folder"):
            archive.Writer(tmp_path / "none" / "a.h5", header())
        with pytest.raises(FileNotFoundError, match="does not exist"):
            archive.open(tmp_path / "a.h5")

    @pytest.mark.parametrize(
        "changes", [{"targets": []}, {"seed": -1}, {"asked": "12"}, {"settings": {"a": np.inf}}]
    )
    def test_wrong_headers(self, tmp_path, changes):
        with pytest.raises(ValueError):
            archive.Writer(tmp_path / "a.h5", header(**changes))
        assert not os.listdir(tmp_path)


def test_vanished_folder(tmp_path):
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "a.h5"
    with archive.Writer(path, header()) as out:
        out.append(rows(samples(), 0, 4), state(4))
        os.rename(tmp_path / "in", tmp_path / "out")
        with pytest.raises(StorageError, match="No such file or directory; 4 samples are safe"):
            out.append(rows(samples(), 4, 8), state(8))
    assert len(archive.open(tmp_path / "out" / "a.h5")) == 4


TESTS = pathlib.Path(__file__).parents[1]
FULL = """
import resource, signal, sys
from oracles.archive_samples import header, samples, state
from tf_inverse import archive
from tf_inverse.archive.writer import StorageError
batch = samples(4, side=100)
with archive.Writer(sys.argv[1], header(400)) as out:
    for i in range(4):
        out.append(batch, state(i))
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
    try:
        out.append(batch, state(4)) if sys.argv[3] == "append" else out.finish({})
    except StorageError as error:
        print(error)
"""


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(28, "full")])
def test_a_file_whose_writing_was_stopped_leaves_nothing(tmp_path, monkeypatch, stop):
    (tmp_path / "a").write_bytes(b"before")
    (tmp_path / "b").write_bytes(b"other")

    def stopped(source, target, *_):
        target.write(b"half")
        raise stop

    monkeypatch.setattr(atomic.shutil, "copyfileobj", stopped)
    with pytest.raises((KeyboardInterrupt, OSError)):
        atomic.copy(tmp_path / "b", tmp_path / "a")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
    assert (tmp_path / "a").read_bytes() == b"before"
    monkeypatch.undo()
    atomic.copy(tmp_path / "b", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"other"


def test_a_disk_that_was_full_from_the_first_leaves_nothing_to_go_on_with(tmp_path):
    with (
        archive.Writer(tmp_path / "a.h5", header(4)) as out,
        pytest.raises(StorageError, match="none stored. Put that right, then give the same comm"),
        out._safely("store a batch"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("limit", "act"), [(50_000, "append"), (200_000, "finish")])
def test_full_disk(tmp_path, limit, act):
    path = tmp_path / "a.h5"
    command = [sys.executable, "-c", FULL, str(path), str(limit), act]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=TESTS)
    assert f"cannot {'store a batch' if act == 'append' else act} at {path}" in done.stdout
    assert "File too large; 16 samples are safe in" in done.stdout
    assert "tf-inverse resume" in done.stdout
    assert len(archive.open(path)) == 16
    assert not [name for name in os.listdir(tmp_path / "a.h5.run") if name.endswith(".tmp")]


def test_disk_that_fails_within_the_reserve(tmp_path, monkeypatch):
    """The reserve was granted, yet a write of the compaction fails: reported, nothing lost."""
    fill(tmp_path / "a.h5", samples(side=100), finish=False)
    with archive.Writer(tmp_path / "a.h5", header(), resume=True) as out:
        real, calls = os.write, []

        def write(descriptor, data):
            calls.append(1)
            if len(calls) > 10:
                raise OSError(28, "No space left on device")
            return real(descriptor, data)

        monkeypatch.setattr(os, "write", write)
        with pytest.raises(StorageError, match="No space left on device; 12 samples are safe"):
            out.finish({})
        monkeypatch.undo()
        out.finish({"steps": 9})
    assert_equals(archive.open(tmp_path / "a.h5"), samples(side=100))


def test_kill_test():
    """Killed before every third write-side call, and at 50 random times: nothing is lost."""
    folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    command = [
        sys.executable,
        TESTS.parent / "tools" / "dev" / "kill_test.py",
        "--kills",
        "50",
        "--thin",
        "3",
    ]
    command += ["--folder", folder] if folder else []
    done = subprocess.run(command, capture_output=True, text=True)
    counts = json.loads(done.stdout)
    assert counts["problems"] == [] and done.returncode == 0
    assert counts["at random times"] == 50 and counts["at calls"] > 40


@pytest.mark.parametrize("size", [1, 2, 3, 4, 719, 720, 721, 5000, 100_000])
def test_fletcher32_as_hdf5_writes_it(tmp_path, size):
    """The checksum that HDF5 itself appends to a chunk."""
    random = np.random.default_rng(size)
    for data in (random.integers(0, 256, size, dtype=np.uint8), np.full(size, 255, np.uint8)):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            stored = file.create_dataset("a", data=data, chunks=(size,), fletcher32=True)
            _, raw = stored.id.read_direct_chunk((0,))
        assert chunk_reader.fletcher32(raw[:-4]) == int.from_bytes(raw[-4:], "little")


def test_no_tensorflow():
    code = "import sys, tf_inverse.archive; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
