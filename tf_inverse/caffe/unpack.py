"""The one file that is wanted of what was brought: out of its zip or tar archive, and checked."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import pathlib
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from typing import IO, Any, cast

from tf_inverse.caffe import caffemodel, download, weight_check, weight_file
from tf_inverse.caffe.sources import Form, Source
from tf_inverse.errors import ConversionError, RefusedInput, reason
from tf_inverse.tensors import StrPath

PACKED: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZ": bz2.open,
    b"\xfd7": lzma.open,
}
MOST_READ = 8 << 20
"""Bytes of an archive's list, or of a header in it; a member is copied in smaller parts."""

SUFFIXES = (".zip", ".gz", ".tgz", ".tar")


def file_of(source: Source, form: Form, part: pathlib.Path, where: StrPath) -> pathlib.Path:
    """The file of a form out of what was brought: itself, or what its archive holds.

    What no checksum confirms may be anything, and in the cache it would stand before every home: it
    must open, and have the layers and shapes of the source's network.

    Args:
        source: What it should be.
        form: Which file of the source.
        part: What was brought; an archive is removed once the file is out of it.
        where: It came from, for the message.

    Raises:
        RefusedInput: Not an archive that holds it, or another file; nothing is left of it.
    """
    made = part
    try:
        if form.member:
            made = part.with_name(f".{form.file}.made")
            unpack(part, form.member, made)
            part.unlink()
        if form.member or not form.checksum:
            _expect_fits(source, form, made, where)
    except BaseException:
        made.unlink(missing_ok=True)
        raise
    return made


def _expect_fits(source: Source, form: Form, made: pathlib.Path, where: StrPath) -> None:
    try:
        if is_mean(form):
            caffemodel.read_mean(made)
            return
        file = weight_file.read(made)
        if source.network:
            # TensorFlow is wanted for this alone.
            from tf_inverse.caffe import convert, weights

            kind, code = source.network
            weight_check.check(weights.expected(convert.blank(kind, code=code)), file)
    except (RefusedInput, ConversionError) as error:
        said = str(error).replace(str(made), "it")
        raise RefusedInput(f"{where} is not {form.file}, or damaged: {said}") from None


def is_mean(form: Form) -> bool:
    """Whether a form is a mean image, not weights."""
    return pathlib.Path(form.file).suffix == ".binaryproto"


def unpack(archive: pathlib.Path, ending: str, path: pathlib.Path) -> None:
    """Write the one member of an archive whose path has an ending to `path`.

    Raises:
        RefusedInput: Not an archive, damaged, or without exactly one such member.
    """
    try:
        with _member(archive, ending) as stream:
            download.copy(stream, path)
    except RefusedInput:
        raise
    except Exception as error:  # what archives' readers make of damage has no common class
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's, not the archive's
        raise RefusedInput(f"cannot unpack what came: {reason(error)}; fetch it again") from None


@contextlib.contextmanager
def _member(archive: pathlib.Path, ending: str) -> Iterator[IO[bytes]]:
    """The one file of an archive whose path has this ending, as a stream; nothing else leaves."""
    with contextlib.ExitStack() as stack:
        if zipfile.is_zipfile(archive):
            whole = stack.enter_context(open(archive, "rb"))
            zipped = stack.enter_context(zipfile.ZipFile(cast(IO[bytes], _InParts(whole))))
            yield stack.enter_context(zipped.open(_one(zipped.namelist(), ending)))
            return
        with open(archive, "rb") as file:
            opener = PACKED.get(file.read(2), open)
        whole = stack.enter_context(opener(archive, "rb"))
        opened = stack.enter_context(tarfile.open(fileobj=cast(IO[bytes], _InParts(whole))))
        names = [member.name for member in opened.getmembers() if member.isfile()]
        found = opened.extractfile(_one(names, ending))
        assert found is not None, "only a member that is no file has no stream"
        yield found


class _InParts:
    """A file of which nobody reads more than `MOST_READ` bytes at once.

    Python's readers of archives take as many bytes into memory as a header of theirs declares: a
    packed megabyte of zeros as a header of a gigabyte.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        """The next bytes, to the end of the file where no size is given."""
        data = self._file.read(min(size, MOST_READ + 1) if size >= 0 else MOST_READ + 1)
        if len(data) > MOST_READ:
            raise RefusedInput(f"expected headers of at most {MOST_READ} bytes in an archive")
        return data


def _one(names: list[str], ending: str) -> str:
    found = [name for name in names if f"/{name}".endswith(f"/{ending}")]
    if len(found) != 1:
        raise KeyError(f"expected one {ending} in it, found {len(found)}")
    return found[0]
