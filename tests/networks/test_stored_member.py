"""A member of a zip file read in any order, against the bytes that were put in."""

import io
import zipfile

import numpy as np
import pytest

from tf_inverse.networks.keras_file.stored_member import StoredMember

DATA = np.random.default_rng(0).bytes(1000)


def archive(**options):
    """(the zip file, its second member)."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", **options) as made:
        made.writestr("first", b"before")
        made.writestr("folder/second", DATA)
        made.writestr("third", b"after")
    return whole, zipfile.ZipFile(whole).getinfo("folder/second")


def test_it_reads_as_a_file_of_those_bytes():
    member, file = StoredMember(*archive()), io.BytesIO(DATA)
    assert member.readable() and member.seekable() and not member.writable()
    rng = np.random.default_rng(1)
    for _ in range(200):
        whence = int(rng.integers(3))
        offset = int(rng.integers(-1000, 1200)) if whence else int(rng.integers(1200))
        if (0, file.tell(), 1000)[whence] + offset < 0:
            continue
        count = int(rng.integers(-1, 300))
        assert member.seek(offset, whence) == file.seek(offset, whence)
        assert member.read(count) == file.read(count)
        assert member.tell() == file.tell()


def test_what_is_compressed_or_cut_off_is_refused():
    with pytest.raises(zipfile.BadZipFile, match="folder/second is cut off, or compressed"):
        StoredMember(*archive(compression=zipfile.ZIP_DEFLATED))
    whole, info = archive()
    with pytest.raises(zipfile.BadZipFile, match="folder/second is cut off"):
        StoredMember(io.BytesIO(whole.getvalue()[: info.header_offset + 700]), info)
    with pytest.raises(zipfile.BadZipFile, match="folder/second is cut off"):
        StoredMember(io.BytesIO(b""), info)


def test_a_byte_that_changed_is_found():
    whole, info = archive()
    StoredMember(whole, info).verify()
    damaged = bytearray(whole.getvalue())
    damaged[damaged.index(DATA) + 700] ^= 1
    with pytest.raises(zipfile.BadZipFile, match="Bad CRC-32 for file 'folder/second'"):
        StoredMember(io.BytesIO(damaged), info).verify()
