"""Brings public weight files into a cache folder: several homes, checked, whole or not at all.

A file without a published checksum must at least have the layers and shapes of its network; only
that takes TensorFlow.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import os
import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping

from tf_inverse.archive import atomic, lock
from tf_inverse.caffe import checksums, download, unpack
from tf_inverse.caffe.checksums import Fetched
from tf_inverse.caffe.sources import SOURCES, Form, Source
from tf_inverse.errors import RefusedInput, UsageError, printable
from tf_inverse.networks.cache import cache_folder

MIRROR = "TF_INVERSE_MIRROR"
UNCHECKED = "; what it holds is unchecked"
# What the user's own disk says, which is no fault of a home.
LOCAL = (*atomic.FULL, errno.EROFS, errno.EACCES, errno.EIO)


def tell(line: str) -> None:
    """A line for the user, on standard error: standard output is for results."""
    print(printable(line), file=sys.stderr, flush=True)


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
    if not download.is_address(mirror):
        got = download.shown(mirror)
        raise UsageError(f"expected {MIRROR} to be http:// or https:// and a host, got {got!r}")
    return (f"{mirror.rstrip('/')}/{form.urls[0].rsplit('/', 1)[1]}", *form.urls)


def fetch(
    name: str, say: Callable[[str], object] = tell, sources: Mapping[str, Source] = SOURCES
) -> Fetched:
    """Bring a public file into the cache, or find it there.

    Args:
        name: A key of `sources`.
        say: Called with each line of progress.
        sources: The table of files.

    Raises:
        UsageError: Unknown name, or no home could be reached; says which file to bring.
        RefusedInput: What came has another checksum, or is no such file.
        archive.writer.StorageError: The disk is full or read-only.
        archive.lock.LockedError: Another process is fetching the same.
    """
    source = known(name, sources)
    folder = _made(cache_folder())
    with _locked(folder, name):
        form, checked = present(source), UNCHECKED
        if form is None:
            form, made = _from_homes(name, source, folder, say)
            atomic.publish(made, folder / form.file)
            checked = _checked(source, form)
        return checksums.verified(form, folder / form.file, say, checked)


def bring(
    name: str,
    file: str | os.PathLike,
    say: Callable[[str], object] = tell,
    sources: Mapping[str, Source] = SOURCES,
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
        RefusedInput: Its checksum is that of another file, or it does not open as such a file.
    """
    source, file = known(name, sources), pathlib.Path(file)
    if not file.is_file():
        raise FileNotFoundError(f"expected a file, found none at {file}")
    form = _form_of(name, source, file, sources)
    folder = _made(cache_folder())
    say(f"{name}, {source.what}: from {file}; licence: {source.licence}")
    with _locked(folder, name):
        part = folder / f".{form.file}.brought"
        try:
            with open(file, "rb") as stream:
                download.copy(stream, part)
            atomic.publish(unpack.file_of(source, form, part, file), folder / form.file)
        finally:
            part.unlink(missing_ok=True)
        checksums.record(folder / form.file).unlink(missing_ok=True)
        return checksums.verified(form, folder / form.file, say, _checked(source, form))


def _checked(source: Source, form: Form) -> str:
    """What a file without a published checksum was compared with when it came."""
    if source.network:
        kind = " of codes ".join(filter(None, source.network))
        return f"; its layers have the names and shapes of {kind}, its numbers are unchecked"
    return "; it opens as a mean image" if unpack.is_mean(form) else UNCHECKED


def known(name: str, sources: Mapping[str, Source] = SOURCES) -> Source:
    """The source of a name.

    Raises:
        UsageError: There is none.
    """
    if name not in sources:
        raise UsageError(f"expected one of {', '.join(sources)} to fetch, got {name!r}")
    return sources[name]


def _made(folder: pathlib.Path) -> pathlib.Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"expected a folder to keep files in at {folder}, it cannot be made "
            f"({download.why(error)}): set TF_INVERSE_CACHE to another"
        ) from None
    return folder


@contextlib.contextmanager
def _locked(folder: pathlib.Path, name: str) -> Iterator[None]:
    path = folder / f".{name}.lock"
    held = lock.Lock(path, folder / name)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        held.release()


def _form_of(name: str, source: Source, file: pathlib.Path, sources: Mapping[str, Source]) -> Form:
    """Which form of a source a file is: by its checksum, else by its suffix."""
    digests = {
        algorithm: checksums.digest(file, algorithm) for algorithm in ("sha256", "sha1", "md5")
    }

    def confirmed(form: Form) -> bool:
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


def _from_homes(
    name: str, source: Source, folder: pathlib.Path, say: Callable[[str], object]
) -> tuple[Form, pathlib.Path]:
    """Download from the first home that gives the file; returns its form and where it lies."""
    reasons: dict[str, dict[str, None]] = {}
    refused: list[str] = []
    for form in source.forms:
        for url in homes(form):
            part, home = download.part_of(url, folder), download.shown(url)
            size = f"about {form.size / 1e6:.0f} MB" if form.size else "of unknown size"
            say(
                f"fetching {name}, {source.what}: {form.file}, {size}, from {home}; "
                f"licence: {source.licence}"
            )
            try:
                download.download(url, part)
                if form.checksum:
                    checksums.expect(form.checksum, part, home)
                return form, unpack.file_of(source, form, part, home)
            except RefusedInput as error:
                part.unlink(missing_ok=True)
                refused.append(str(error))
                say(f"refused: {error}")
            except (OSError, http.client.HTTPException, ValueError) as error:
                why = download.why(error)
                if getattr(error, "errno", None) in LOCAL:
                    from tf_inverse.archive.writer import StorageError

                    # Every other home would end in the same way.
                    raise StorageError(
                        f"cannot write {form.file} into {folder} ({why}): make room, or set "
                        f"TF_INVERSE_CACHE to another folder"
                    ) from None
                reasons.setdefault(why, {})[download.host(url)] = None
                say(f"failed: {why}")
    failed = [f"{', '.join(hosts)}: {why}" for why, hosts in reasons.items()]
    files = " or ".join(form.file for form in source.forms)
    yourself = f"bring {files} yourself with tf-inverse fetch {name} --from=FILE"
    if refused:
        raise RefusedInput(f"{'; '.join([*refused, *failed])}: {yourself}")
    raise UsageError(
        f"no home of {name} could be reached ({'; '.join(failed)}): check the network, or "
        f"{yourself}"
    )
