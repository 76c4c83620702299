"""File systems without locks: NFS without its daemon, some FUSE, some volumes of containers."""

import errno
import fcntl

import pytest
import specimen

from tf_inverse import archive
from tf_inverse.archive import atomic_folder, hdf5, lock, side_file
from tf_inverse.atlas import plan


@pytest.fixture(params=[errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def lockless(request, monkeypatch):
    def flock(descriptor, how):
        raise OSError(request.param, "no locks")

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(lock, "_told", set())


def test_everything_is_written_and_the_user_is_told_once(lockless, tmp_path, capsys):
    specimen.write(tmp_path / "a.h5", 5)
    with archive.open(tmp_path / "a.h5") as opened:
        assert len(opened) == 5
    with atomic_folder.folder(tmp_path / "b", lambda _: None) as made:
        (made / "file").write_text("there")
    (tmp_path / plan.GROUPS).mkdir()
    with plan.locked(tmp_path):
        pass
    assert side_file.sections(tmp_path / "a.h5") == {}
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1 and "has no locks" in told[0] and "let no other process" in told[0]


def test_hdf5_is_told_not_to_ask_for_locks(lockless, tmp_path):
    """HDF5 opens no file there on its own, and no second handle of a file in another way."""
    specimen.write(tmp_path / "a.h5", 5)
    with archive.open(tmp_path / "a.h5"), hdf5.opened(tmp_path / "a.h5") as file:
        assert not file.id.get_access_plist().get_file_locking()[0]
    with hdf5.opened(tmp_path / "b.h5", "w") as file:
        assert not file.id.get_access_plist().get_file_locking()[0]


def test_where_there_are_locks_they_are_asked_for(tmp_path):
    with hdf5.opened(tmp_path / "b.h5", "w") as file:
        assert file.id.get_access_plist().get_file_locking()[0]


def test_other_errors_are_no_lack_of_locks(monkeypatch, tmp_path):
    def flock(descriptor, how):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="broken"):
        lock.Lock(tmp_path / "lock", tmp_path)
