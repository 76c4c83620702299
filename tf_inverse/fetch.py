"""Brings public weight files into a cache folder: several homes, checked, whole or not at all.

No TensorFlow, no package beyond Python's own.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import pathlib
import sys
from collections.abc import Callable

from tf_inverse import checksums, download, unpack
from tf_inverse.archive import durable, lock
from tf_inverse.cache import cache_folder
from tf_inverse.checksums import Fetched
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.sources import SOURCES, Form, Source

MIRROR = "TF_INVERSE_MIRROR"


def tell(line: str) -> None:
    """A line for the user, on standard error: standard output is for results."""
    print(line, file=sys.stderr, flush=True)


def cached(name: str) -> str | None:
    """Path of a file fetched before, or None."""
    form = present(SOURCES[name]) if name in SOURCES else None
    return str(cache_folder() / form.file) if form else None


def present(source: Source) -> Form | None:
    """The form of a source that is in the cache, or None."""
    forms = [form for form in source.forms if (cache_folder() / form.file).is_file()]
    return forms[0] if forms else None


def begun(source: Source) -> int:
    """Bytes of the largest part of a source that an interrupted download left."""
    urls = [url for form in source.forms for url in homes(form)]
    parts = [download.part_of(url, cache_folder()) for url in urls]
    return max((part.stat().st_size for part in parts if part.is_file()), default=0)


def homes(form: Form) -> tuple[str, ...]:
    """Where a file is looked for: $TF_INVERSE_MIRROR first, where that is set."""
    mirror = os.environ.get(MIRROR)
    if not mirror:
        return form.urls
    if not mirror.startswith(("http://", "https://")):
        raise UsageError(f"expected {MIRROR} to begin with http:// or https://, got {mirror!r}")
    return (f"{mirror.rstrip('/')}/{form.urls[0].rsplit('/', 1)[1]}", *form.urls)


def fetch(name: str, say: Callable[[str], object] = tell, sources=SOURCES) -> Fetched:
    """Bring a public file into the cache, or find it there.

    Args:
        name: A key of `sources`.
        say: Called with each line of progress.
        sources: The table of files.

    Raises:
        UsageError: Unknown name, or no home could be reached; says which file to bring.
        RefusedInput: What came has another checksum, or is no such file.
        archive.lock.LockedError: Another process is fetching the same.
    """
    source = _known(name, sources)
    folder = _made(cache_folder())
    with _locked(folder, name):
        form = present(source)
        if form is None:
            form, part = _from_homes(name, source, folder, say)
            _put(form, part, folder / form.file)
        return checksums.verified(form, folder / form.file, say)


def bring(
    name: str, file: str | os.PathLike, say: Callable[[str], object] = tell, sources=SOURCES
) -> Fetched:
    """Put a file that the user has into the cache, in the place of a download.

    Args:
        name: A key of `sources`.
        file: Whose checksum tells which form of the source it is. Where none is published, its
            suffix does, and its checksum is recorded.
        say: Called with each line of progress.
        sources: The table of files.

    Raises:
        UsageError: Unknown name.
        FileNotFoundError: No such file.
        RefusedInput: Its checksum is that of another file.
    """
    source, file = _known(name, sources), pathlib.Path(file)
    if not file.is_file():
        raise FileNotFoundError(f"expected a file, found none at {file}")
    form = _form_of(name, source, file, sources)
    folder = _made(cache_folder())
    say(f"{name}, {source.what}: from {file}; licence: {source.licence}")
    with _locked(folder, name):
        part = folder / f".{form.file}.brought"
        with open(file, "rb") as stream:
            download.copy(stream, part)
        _put(form, part, folder / form.file)
        checksums.record(folder / form.file).unlink(missing_ok=True)
        return checksums.verified(form, folder / form.file, say)


def _known(name, sources):
    if name not in sources:
        raise UsageError(f"expected one of {', '.join(sources)} to fetch, got {name!r}")
    return sources[name]


def _made(folder):
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def _locked(folder, name):
    path = folder / f".{name}.lock"
    held = lock.Lock(path, folder / name)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        held.release()


def _form_of(name, source, file, sources):
    """Which form of a source a file is: by its checksum, else by its suffix."""
    digests = {
        algorithm: checksums.digest(file, algorithm) for algorithm in ("sha256", "sha1", "md5")
    }

    def confirmed(form):
        return form.checksum is not None and digests[form.checksum[0]] == form.checksum[1]

    for other, theirs in {name: source, **sources}.items():
        for form in filter(confirmed, theirs.forms):
            if other == name:
                return form
            raise RefusedInput(f"{file} is {other} ({theirs.what}) by its checksum, not {name}")
    packed = file.suffix in unpack.SUFFIXES
    for form in source.forms:
        # An archive is known by its suffix alone, and so is the file that was taken out of it.
        if not form.checksum and (
            packed and form.member or file.suffix == pathlib.Path(form.file).suffix
        ):
            return form if packed else form._replace(member="")
    expected = " or ".join(" ".join((f.file, *(f.checksum or ()))) for f in source.forms)
    raise RefusedInput(
        f"expected {expected} for {name}, got {file} with sha256 {digests['sha256']}: it is "
        f"another file, or damaged"
    )


def _from_homes(name, source, folder, say):
    """Download from the first home that gives the file; returns its form and where it lies."""
    reasons, refused = [], []
    for form in source.forms:
        for url in homes(form):
            part = download.part_of(url, folder)
            size = f"about {form.size / 1e6:.0f} MB" if form.size else "of unknown size"
            say(
                f"fetching {name}, {source.what}: {form.file}, {size}, from {url}; "
                f"licence: {source.licence}"
            )
            try:
                download.download(url, part)
                if form.checksum:
                    checksums.expect(form.checksum, part, url)
                return form, part
            except RefusedInput as error:
                part.unlink(missing_ok=True)
                refused.append(str(error))
                say(f"refused: {error}")
            except (OSError, http.client.HTTPException, ValueError) as error:
                reasons.append(f"{download.host(url)}: {error}")
                say(f"failed: {error}")
    if refused:
        raise RefusedInput("; ".join([*refused, *reasons]))
    files = " or ".join(form.file for form in source.forms)
    raise UsageError(
        f"no home of {name} could be reached ({'; '.join(reasons)}): check the network, or bring "
        f"{files} yourself with tf-inverse fetch {name} --from=FILE"
    )


def _put(form, part, path):
    """The file from what was downloaded, under its name at once or not at all."""
    made = part
    if form.member:
        made = path.with_name(f".{path.name}.made")
        try:
            unpack.unpack(part, form.member, made)
        finally:
            part.unlink()
    durable.publish(made, path)
