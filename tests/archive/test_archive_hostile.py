"""Every hostile archive is refused by name, within a second and 200 MB, opening no other file."""

import ctypes
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys

import numpy as np
import pytest
from oracles.archive_hostile import CASES
from oracles.archive_samples import NATURAL, header, rows, samples, state

from tf_inverse import archive
from tf_inverse.archive import sandbox
from tf_inverse.errors import RefusedInput

TESTS = pathlib.Path(__file__).parents[1]
IN_OPEN = 0x20


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    path = tmp_path_factory.mktemp("valid") / "a.h5"
    with archive.Writer(path, header()) as out:
        out.append(samples(), state(12))
        out.finish({"steps": 9})
    return path


class Watch:
    """Counts how often a file is opened by anyone, with inotify."""

    def __init__(self, path):
        libc = ctypes.CDLL(None)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK)
        libc.inotify_add_watch(self._descriptor, os.fsencode(path), IN_OPEN)

    def opened(self):
        try:
            return len(os.read(self._descriptor, 1 << 16)) // struct.calcsize("iIII")
        except BlockingIOError:
            return 0


def refusals(paths):
    command = [sys.executable, TESTS / "oracles" / "archive_refusals.py", *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def attempts(valid, tmp_path_factory):
    """name -> how it was refused; and how often the bait was opened."""
    folder = tmp_path_factory.mktemp("hostile")
    bait = folder / "bait.h5"
    shutil.copy(valid, bait)
    for name, (make, _) in CASES.items():
        shutil.copy(valid, folder / f"{name}.h5")
        make(folder / f"{name}.h5", bait)
    watch = Watch(bait)
    results = refusals([folder / f"{name}.h5" for name in CASES])
    found = dict(zip(CASES, results, strict=True))
    found["bait"] = watch.opened()
    return found


@pytest.mark.parametrize("name", CASES)
def test_refused(attempts, name):
    attempt, words = attempts[name], CASES[name][1]
    assert attempt["status"] == 0, "the reader crashed"
    assert attempt["refused"], "read without complaint"
    assert re.search(words, attempt["refused"]), attempt["refused"]
    assert f"{name}.h5" in attempt["refused"] and "\n" not in attempt["refused"]
    assert attempt["seconds"] < 1 and attempt["MB"] < 200


def test_no_other_file_is_opened(attempts, valid):
    assert attempts["bait"] == 0
    watch = Watch(valid)  # the watch does see what is opened
    archive.open(valid)
    assert watch.opened() > 0


def test_the_valid_one_is_read(valid):
    (attempt,) = refusals([valid])
    assert attempt["refused"] is None and attempt["status"] == 0


def test_any_flipped_byte_is_found(valid, tmp_path):
    """Every byte is under a checksum: refused, or what is read is what was written."""
    data, random = valid.read_bytes(), np.random.default_rng(0)
    path, expected = tmp_path / "a.h5", samples()
    refused = 0
    for where in random.integers(0, len(data), 150):
        flipped = bytearray(data)
        flipped[where] ^= 1 << random.integers(8)
        path.write_bytes(flipped)
        try:
            with archive.open(path) as opened:
                for name, array in expected._asdict().items():
                    np.testing.assert_array_equal(getattr(opened, name)[:], array)
                assert opened.header == header() and opened.state["next"] == 12
        except RefusedInput:
            refused += 1
    assert refused > 100


class TestUntrusted:
    """The same in a process with limits."""

    def test_equal(self, valid):
        opened = archive.open(valid, untrusted=True)
        for name, array in samples()._asdict().items():
            np.testing.assert_array_equal(getattr(opened, name)[:], array)
            np.testing.assert_array_equal(getattr(opened, name)[3:5], array[3:5])
        assert opened.header == header() and opened.complete and opened.summary == {"steps": 9}

    def test_run_in_progress(self, tmp_path):
        with archive.Writer(tmp_path / "a.h5", header(), natural=NATURAL) as out:
            out.append(samples(), state(12))
        opened = archive.open(tmp_path / "a.h5.run", untrusted=True)
        np.testing.assert_array_equal(opened.images[:], samples().images)
        np.testing.assert_array_equal(opened.natural.activations, NATURAL["activations"])
        assert opened.in_progress and opened.natural.mean == 3

    @pytest.mark.parametrize("name", ["external_link", "small_compression_bomb", "nan_code"])
    def test_refused(self, valid, tmp_path, name):
        make, words = CASES[name]
        shutil.copy(valid, tmp_path / "a.h5")
        shutil.copy(valid, tmp_path / "bait.h5")
        make(tmp_path / "a.h5", tmp_path / "bait.h5")
        with pytest.raises(RefusedInput, match=words):
            archive.open(tmp_path / "a.h5", untrusted=True)

    def test_limits(self, valid, monkeypatch):
        """A child that needs more than it may have is refused, not waited for."""
        monkeypatch.setattr(sandbox, "MAX_REPLY", 100)
        with pytest.raises(RefusedInput, match="crashed or ran into a limit"):
            archive.open(valid, untrusted=True)
        with pytest.raises(FileNotFoundError):
            archive.open("none.h5", untrusted=True)

    def test_the_child_is_limited(self, valid):
        code = (
            "from tf_inverse.archive import sandbox; import numpy as np, sys\n"
            "sandbox._limit(sys.argv[1])\n"
            "try: np.ones(1 << 29, np.uint8)\n"
            "except MemoryError: print('bounded')"
        )
        command = [sys.executable, "-c", code, str(valid)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout == "bounded\n"


class TestRuns:
    """Hostile folders of runs."""

    @pytest.fixture
    def run(self, tmp_path):
        with archive.Writer(tmp_path / "a.h5", header()) as out:
            for i in range(0, 12, 4):
                out.append(rows(samples(), i, i + 4), state(i + 4))
        return tmp_path / "a.h5.run"

    def refused(self, run, words):
        with pytest.raises(RefusedInput, match=words):
            archive.open(run)
        with pytest.raises(RefusedInput, match=words):
            archive.Writer(run.with_suffix(""), header(), resume=True)

    def test_missing_shard(self, run):
        (run / "shard-00000001.h5").unlink()
        self.refused(run, "shard 1 is missing")

    def test_link_in_place_of_a_shard(self, run, tmp_path):
        os.rename(run / "shard-00000002.h5", tmp_path / "bait.h5")
        (run / "shard-00000002.h5").symlink_to(tmp_path / "bait.h5")
        watch = Watch(tmp_path / "bait.h5")
        self.refused(run, "shard-00000002.h5: not a plain file")
        assert watch.opened() == 0

    def test_link_in_place_of_the_header(self, run, tmp_path):
        os.rename(run / "header.json", tmp_path / "bait")
        (run / "header.json").symlink_to(tmp_path / "bait")
        self.refused(run, "header.json: .*expected a plain file")

    def test_huge_header(self, run):
        (run / "header.json").write_bytes(b"[" * 2_000_000)
        self.refused(run, "at most 1048576 bytes")

    def test_shard_of_another_run(self, run, tmp_path):
        with archive.Writer(tmp_path / "b.h5", header(seed=8)) as out:
            out.append(rows(samples(), 0, 4), state(4))
        os.replace(tmp_path / "b.h5.run" / "shard-00000000.h5", run / "shard-00000000.h5")
        self.refused(run, "belongs to another run")

    def test_shards_out_of_order(self, run):
        os.replace(run / "shard-00000002.h5", run / "shard-00000001.h5")
        self.refused(run, "starts at sample 8, expected 4")
