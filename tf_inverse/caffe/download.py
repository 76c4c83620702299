"""One file over HTTP: continued where it was cut off, bounded in size, never redirected to http."""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import pathlib
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
from typing import IO

from tf_inverse.compute.progress import Transfer
from tf_inverse.errors import RefusedInput, reason
from tf_inverse.tensors import StrPath

BLOCK = 1 << 20
SECONDS = 30
# The largest of the public files has 233 MiB; an archive of three generators about 700.
MOST_BYTES = 4 << 30


def download(url: str, part: pathlib.Path) -> None:
    """Begin a download into `part`, or continue one of the same version of the file.

    Args:
        url: http or https; a user and password in it are sent to this home, not where it redirects.
        part: Where the bytes go; a file with the suffix .tag beside it remembers their version.

    Raises:
        OSError: The home cannot be reached, cut the connection, or redirects to plain http.
        http.client.HTTPException: It does not speak HTTP.
        RefusedInput: It gave a web page, or more than `MOST_BYTES`.
    """
    tag = part.with_suffix(".tag")
    have = part.stat().st_size if part.exists() and tag.exists() else 0
    response, have = _opened(url, have, tag)
    with response:
        length = response.headers.get("Content-Length", "")
        total = int(length) + have if length.isdecimal() else None
        _expect_room(url, total, have, part)
        validator = response.headers.get("ETag") or response.headers.get("Last-Modified")
        tag.unlink(missing_ok=True)
        if validator:
            tag.write_text(validator)
        with Transfer(total, have) as progress:
            copy(response, part, "ab" if have else "wb", progress)
    got = part.stat().st_size
    if total is not None and got != total:
        raise ConnectionError(f"cut off after {got} of {total} bytes; run again to continue")
    tag.unlink(missing_ok=True)
    with open(part, "rb") as file:
        if file.read(64).lstrip()[:1] == b"<":
            raise RefusedInput(f"{shown(url)} gave a web page, not the file")


def is_address(text: str) -> bool:
    """Whether a text is the address of a home: http or https, and a host."""
    try:
        parts = urllib.parse.urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets or a port that cannot be
        return False


def part_of(url: str, folder: pathlib.Path) -> pathlib.Path:
    """Where the bytes of a download that has not ended lie."""
    return folder / f".{hashlib.sha256(url.encode()).hexdigest()[:16]}.part"


def shown(url: str) -> str:
    """An address for messages, without the user, the password and the query, which may be secret.

    >>> shown("https://me:secret@mirror.example/a?token=b")
    'https://mirror.example/a'
    """
    return re.sub(r"^([^/@]*//)?.*@", r"\1", url).partition("?")[0]


def host(url: str) -> str:
    """The home's name, for messages."""
    return urllib.parse.urlsplit(shown(url)).netloc


def why(error: Exception) -> str:
    """What went wrong with a home, in few words: the system's own, without what wraps them."""
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        error = error.reason
    return getattr(error, "strerror", None) or reason(error)


def copy(
    stream: IO[bytes], path: StrPath, mode: str = "wb", progress: Transfer | None = None
) -> None:
    """A stream into a file, at most `MOST_BYTES` of it.

    Args:
        stream: With `read`.
        path: Of the file.
        mode: "wb", or "ab" to append.
        progress: `progress.Transfer`, or None.

    Raises:
        RefusedInput: There is more.
    """
    with open(path, mode) as file:
        # read1: a slow home's bytes are kept as they come, should the process be stopped.
        while block := getattr(stream, "read1", stream.read)(BLOCK):
            if file.tell() + len(block) > MOST_BYTES:
                raise RefusedInput(f"expected at most {MOST_BYTES} bytes, got more")
            file.write(block)
            if progress:
                progress.add(len(block))
        file.flush()
        os.fsync(file.fileno())


class OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to https: nobody between may send the download elsewhere."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """As urllib asks before it follows.

        Raises:
            ConnectionError: The new place is not https.
        """
        if urllib.parse.urlsplit(newurl).scheme != "https":
            raise ConnectionError(f"redirects to {shown(newurl)[:200]!r}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opened(url: str, have: int, tag: pathlib.Path) -> tuple[http.client.HTTPResponse, int]:
    """The response, and how many bytes of the file are there already."""
    headers = {"User-Agent": "tf_inverse"}
    if have:
        # If-Range: should the file have changed, the server sends the whole of it.
        more = {"Range": f"bytes={have}-", "If-Range": tag.read_text()}
        try:
            response = _open(url, headers | more)
            if response.status != 206:
                return response, 0
            if response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                return response, have
            # Appended, another part would spoil the file: from the beginning, then.
            response.close()
        except urllib.error.HTTPError as error:
            if error.code != 416:
                raise
    return _open(url, headers), 0


def _open(url: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ConnectionError(f"{shown(url)[:200]!r} is neither http nor https")
    # urllib would take a user and password for a part of the host's name.
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    request = urllib.request.Request(address, headers=headers)
    if parts.username is not None:
        login = ":".join(
            urllib.parse.unquote(one or "") for one in (parts.username, parts.password)
        )
        basic = base64.b64encode(login.encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {basic}")
    return urllib.request.build_opener(OnlyHttps).open(request, timeout=SECONDS)


def _expect_room(url: str, total: int | None, have: int, part: pathlib.Path) -> None:
    if (total or 0) > MOST_BYTES:
        raise RefusedInput(f"{shown(url)} offers {total} bytes; expected at most {MOST_BYTES}")
    free = shutil.disk_usage(part.parent).free
    if total is not None and total - have > free:
        raise RefusedInput(
            f"expected {total - have} bytes free in {part.parent}, found {free}; make room, or set "
            f"TF_INVERSE_CACHE to another folder"
        )
