"""The one file that is wanted out of a downloaded zip or tar archive; nothing else leaves it."""

import contextlib
import pathlib
import tarfile
import zipfile
import zlib

from tf_inverse.caffe import download
from tf_inverse.errors import RefusedInput, reason

SUFFIXES = (".zip", ".gz", ".tgz", ".tar")


def unpack(archive: pathlib.Path, ending: str, path: pathlib.Path) -> None:
    """Write the one member of an archive whose path has an ending to `path`.

    Raises:
        RefusedInput: Not an archive, damaged, or without exactly one such member.
    """
    try:
        with _member(archive, ending) as stream:
            download.copy(stream, path)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise RefusedInput(f"cannot unpack what came: {reason(error)}; fetch it again") from None


@contextlib.contextmanager
def _member(archive, ending):
    """The one file of an archive whose path has this ending, as a stream; nothing else leaves."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            with opened.open(_one(opened.namelist(), ending)) as stream:
                yield stream
    else:
        with tarfile.open(archive) as opened:
            names = [member.name for member in opened.getmembers() if member.isfile()]
            yield opened.extractfile(_one(names, ending))


def _one(names, ending):
    found = [name for name in names if f"/{name}".endswith(f"/{ending}")]
    if len(found) != 1:
        raise KeyError(f"expected one {ending} in it, found {len(found)}")
    return found[0]
