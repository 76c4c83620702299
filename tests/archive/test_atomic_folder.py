"""Folders replaced: whole at every moment, killed or not, and nobody else's deleted."""

import contextlib
import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest

from tf_inverse.archive import atomic_folder
from tf_inverse.archive.lock import LockedError
from tf_inverse.archive.writer import StorageError

FILES = ("mark", "data")


def ours(path):
    return FILES if (path / "mark").is_file() else None


def write(path, text, overwrite=False):
    with atomic_folder.folder(path, ours, overwrite) as made:
        for name in FILES:
            (made / name).write_text(text)


def texts(path):
    return {name: (path / name).read_text() for name in sorted(os.listdir(path))}


def whole(text):
    return dict.fromkeys(sorted(FILES), text)


def test_written_and_replaced(tmp_path):
    write(tmp_path / "deep" / "n", "old")
    assert texts(tmp_path / "deep" / "n") == whole("old")
    with pytest.raises(FileExistsError, match="n exists; give --overwrite to replace it"):
        write(tmp_path / "deep" / "n", "new")
    write(tmp_path / "deep" / "n", "new", overwrite=True)
    assert texts(tmp_path / "deep" / "n") == whole("new")
    assert os.listdir(tmp_path / "deep") == ["n"]


def test_a_failure_on_the_way_changes_nothing(tmp_path):
    write(tmp_path / "n", "old")
    for name in ("n", "m"):
        with (
            pytest.raises(ZeroDivisionError),
            atomic_folder.folder(tmp_path / name, ours, True) as made,
        ):
            (made / "mark").write_text(str(1 / 0))
    assert os.listdir(tmp_path) == ["n"] and texts(tmp_path / "n") == whole("old")


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    ("files", "named"), [(["thesis.txt"], "holds thesis.txt"), (["mark", "notes"], "holds notes")]
)
def test_what_is_not_ours_stays(tmp_path, files, named, overwrite):
    (tmp_path / "n").mkdir()
    for name in files:
        (tmp_path / "n" / name).write_text("mine")
    with pytest.raises(FileExistsError, match=f"n {named}, which tf-inverse did not write there"):
        write(tmp_path / "n", "new", overwrite)
    assert texts(tmp_path / "n") == dict.fromkeys(files, "mine")
    assert os.listdir(tmp_path) == ["n"]


def test_files_and_links(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError, match="file is a file"):
        write(tmp_path / "file", "new", overwrite=True)
    write(tmp_path / "there", "old")
    (tmp_path / "link").symlink_to("there")
    write(tmp_path / "link", "new", overwrite=True)
    assert texts(tmp_path / "there") == whole("new") and (tmp_path / "link").is_symlink()
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty", "new", overwrite=True)
    assert texts(tmp_path / "empty") == whole("new")


def test_one_writer_at_a_time(tmp_path):
    with atomic_folder.folder(tmp_path / "n", ours) as made:
        for name in FILES:
            (made / name).write_text("first")
        with pytest.raises(LockedError, match=f"n is being written by process {os.getpid()}"):
            write(tmp_path / "n", "second")
    assert texts(tmp_path / "n") == whole("first")


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    write(tmp_path / "n", "old")
    real = os.fsync

    def full(descriptor):
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith("data"):
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="cannot write .*n: No space left on device"):
        write(tmp_path / "n", "new", overwrite=True)
    assert os.listdir(tmp_path) == ["n"] and texts(tmp_path / "n") == whole("old")


class OpError(Exception):
    """As TensorFlow's and safetensors' errors: neither of the system nor of the runtime."""


def test_a_full_disk_in_the_words_of_a_library_is_one_line(tmp_path):
    """h5py raises RuntimeError, or OSError without a number; the text tells what happened."""
    write(tmp_path / "n", "old")
    for kind, text in (
        (RuntimeError, "Can't decrement id ref count (file write failed: errno = 28, error ...)"),
        (OSError, "Can't decrement id ref count (file write failed: errno = 28, error ...)"),
        (OpError, "Error while serializing: I/O error: No space left on device (os error 28)"),
        (OpError, "{{...}} n/part/1/variables...; No space left on device [Op:SaveV2]"),
    ):
        with pytest.raises(StorageError, match="cannot write .*n: No space left on device"):
            with atomic_folder.folder(tmp_path / "n", ours, True):
                raise kind(text)
    for error in (RuntimeError("out of paper"), StorageError("a: No space left on device")):
        with pytest.raises(type(error), match=f"^{error}$"):
            with atomic_folder.folder(tmp_path / "n", ours, True):
                raise error
    assert os.listdir(tmp_path) == ["n"]


CALLS = ("open", "mkdir", "fsync", "replace", "unlink", "rmdir")


def killed(path, at):
    """Whether a writer was killed before its call number `at` to the file system."""
    child = os.fork()
    if not child:
        count = itertools.count(1)

        def hooked(real):
            def call(*arguments, **options):
                if next(count) == at:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **options)

            return call

        for name in CALLS:
            setattr(os, name, hooked(getattr(os, name)))
        write(path, "new", overwrite=True)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def kills(folder):
    """Kills a writer before each of its calls in turn; what was left each time, and after that."""
    left = []
    for at in itertools.count(1):
        place = folder / str(at)
        write(place / "n", "old")
        if not killed(place / "n", at):
            return left
        there = [wholes(place)]
        with contextlib.suppress(FileExistsError):
            write(place / "n", "next")
        there.append(wholes(place))
        write(place / "n", "last", overwrite=True)
        left.append([*there, os.listdir(place)])


def wholes(place):
    """The folders that a writer may have left whole, by their names in a place."""
    work = atomic_folder.beside(place / "n")
    paths = [p for p in (place / "n", work / "new", work / "old") if p.exists()]
    return {str(p.relative_to(place)): texts(p) for p in paths}


def test_killed_at_every_step(tmp_path):
    """Nothing that was whole is lost, and the next writer puts it right; in another process."""
    code = f"import json, pathlib, sys, {pathlib.Path(__file__).stem} as t; "
    code += "print(json.dumps(t.kills(pathlib.Path(sys.argv[1]))))"
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=os.path.dirname(__file__))
    left = json.loads(done.stdout)
    assert len(left) > 15, done.stderr
    places, hidden = [sorted(there) for there, _, _ in left], [".n.writing/new", ".n.writing/old"]
    assert places[0] == places[-1] == ["n"] and hidden in places
    for there, after, names in left:
        assert names == ["n"]
        if "n" in there:
            assert after == there  # the next writer was refused, and took nothing away
        else:
            assert [there[name] for name in hidden] == [whole("new"), whole("old")]
            assert after == {"n": whole("new")}


def test_what_a_killed_writer_left_outlives_a_refused_one(tmp_path):
    """The user has put something else in the place meanwhile."""
    work = atomic_folder.beside(tmp_path / "n")
    for name, text in (("new", "new"), ("old", "old")):
        write(work / name, text)
    (tmp_path / "n").mkdir()
    (tmp_path / "n" / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match="n holds thesis.txt"):
            write(tmp_path / "n", "next", overwrite)
    assert [texts(work / name) for name in ("new", "old")] == [whole("new"), whole("old")]
    assert sorted(os.listdir(work)) == ["new", "old"]
