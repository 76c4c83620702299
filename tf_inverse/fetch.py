"""Brings public weight files into a cache folder: several mirrors, resumed, checked, atomic.

No TensorFlow, no package beyond Python's own.
"""

import contextlib
import hashlib
import http.client
import os
import pathlib
import tarfile
import urllib.error
import urllib.request
import zipfile
import zlib
from typing import NamedTuple

from tf_inverse.archive import durable
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.sources import SOURCES

BLOCK = 1 << 20
SECONDS = 60
# The largest of the public files has 233 MiB; an archive of three generators about 700.
MOST_BYTES = 4 << 30


class Fetched(NamedTuple):
    """A file in the cache: where, its sha256, and whether a published checksum confirmed it."""

    path: pathlib.Path
    sha256: str
    confirmed: bool


def cache_folder() -> pathlib.Path:
    """Where fetched files lie: $TF_INVERSE_CACHE, or tf_inverse in the user's cache folder."""
    if "TF_INVERSE_CACHE" in os.environ:
        return pathlib.Path(os.environ["TF_INVERSE_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "tf_inverse"


def cached(name: str) -> str | None:
    """Path of a file fetched before, or None."""
    source = SOURCES.get(name)
    path = cache_folder() / source.file if source else None
    return str(path) if path and path.is_file() else None


def fetch(name: str, say=print, sources=SOURCES) -> Fetched:
    """Bring a public file into the cache, or find it there.

    Args:
        name: A key of `sources`.
        say: Called with each line of progress.
        sources: The table of files.

    Raises:
        UsageError: Unknown name, or no mirror could be reached; says which file to bring.
        RefusedInput: What came has another checksum, or is no such file.
    """
    if name not in sources:
        raise UsageError(f"expected one of {', '.join(sources)} to fetch, got {name!r}")
    source, folder = sources[name], cache_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / source.file
    say(f"licence: {source.licence}")
    if not path.is_file():
        _put(source, _from_mirrors(name, source, folder, say), path)
    return _verified(source, path, say)


def _from_mirrors(name, source, folder, say):
    """Download from the first mirror that gives the file; returns where it lies."""
    reasons, refused = [], False
    for url in source.urls:
        part = folder / f".{hashlib.sha256(url.encode()).hexdigest()[:16]}.part"
        say(f"from {url}")
        try:
            _download(url, part)
            if source.checksum:
                _expect(source.checksum, part, url)
            return part
        except RefusedInput as error:
            part.unlink(missing_ok=True)
            reasons.append(str(error))
            refused = True
        except (OSError, http.client.HTTPException) as error:
            reasons.append(f"{url}: {error}")
        say(f"failed: {reasons[-1]}")
    if refused:
        raise RefusedInput("; ".join(reasons))
    raise UsageError(
        f"no mirror of {name} could be reached ({'; '.join(reasons)}); bring {source.file} "
        f"yourself, then run: tf-inverse convert {name.split('-')[0]} {source.file} --out=FOLDER"
    )


def _download(url, part):
    """Begin a download into `part`, or continue one of the same version of the file."""
    tag = part.with_suffix(".tag")
    have = part.stat().st_size if part.exists() and tag.exists() else 0
    headers = {"User-Agent": "tf_inverse"}
    if have:
        # If-Range: should the file have changed, the server sends the whole of it.
        headers |= {"Range": f"bytes={have}-", "If-Range": tag.read_text()}
    try:
        response = _open(url, headers)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        have, response = 0, _open(url, {"User-Agent": "tf_inverse"})
    with response:
        have = have if response.status == 206 else 0
        length = response.headers.get("Content-Length")
        total = int(length) + have if length else None
        if (total or 0) > MOST_BYTES:
            raise RefusedInput(f"{url} offers {total} bytes; expected at most {MOST_BYTES}")
        validator = response.headers.get("ETag") or response.headers.get("Last-Modified")
        tag.unlink(missing_ok=True)
        if validator:
            tag.write_text(validator)
        _copy(response, part, "ab" if have else "wb")
    got = part.stat().st_size
    if total is not None and got != total:
        raise ConnectionError(f"cut off after {got} of {total} bytes; run again to continue")
    tag.unlink(missing_ok=True)
    with open(part, "rb") as file:
        if file.read(64).lstrip()[:1] == b"<":
            raise RefusedInput(f"{url} gave a web page, not the file")


def _open(url, headers):
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=SECONDS)


def _copy(stream, path, mode="wb"):
    with open(path, mode) as file:
        while block := stream.read(BLOCK):
            if file.tell() + len(block) > MOST_BYTES:
                raise RefusedInput(f"expected at most {MOST_BYTES} bytes, got more")
            file.write(block)
        file.flush()
        os.fsync(file.fileno())


def _put(source, part, path):
    """The file from what was downloaded, under its name at once or not at all."""
    made = part
    if source.member:
        made = path.with_name(f".{path.name}.made")
        try:
            with _member(part, source.member) as stream:
                _copy(stream, made)
        except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
            part.unlink()
            raise RefusedInput(f"cannot unpack what came: {error}; fetch it again") from None
        part.unlink()
    durable.publish(made, path)


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


def _expect(checksum, path, where):
    algorithm, digest = checksum
    got = _digest(path, algorithm)
    if got != digest:
        raise RefusedInput(f"{where}: expected {algorithm} {digest}, got {got}; the file is not it")


def _digest(path, algorithm="sha256"):
    digest = hashlib.new(algorithm)
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _verified(source, path, say):
    """Compare with the published checksum, or with the one recorded at the first fetch."""
    sha256, record = _digest(path), path.with_name(path.name + ".sha256")
    confirmed = bool(source.checksum) and not source.member
    if confirmed:
        _expect(source.checksum, path, path)
        say(f"{source.checksum[0]} is the published one; sha256 {sha256}")
    elif record.is_file():
        if record.read_text().strip() != sha256:
            raise RefusedInput(f"{path} has changed since it was fetched: remove it, fetch again")
        say(f"sha256 {sha256} as recorded at the first fetch")
    else:
        record.write_text(sha256 + "\n")
        say(f"no checksum is published; recorded sha256 {sha256}")
    return Fetched(path, sha256, confirmed)
