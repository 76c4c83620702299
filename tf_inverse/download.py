"""One file over HTTP: continued where it was cut off, bounded in size, never redirected to http."""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import urllib.error
import urllib.parse
import urllib.request

from tf_inverse.errors import RefusedInput
from tf_inverse.progress import Transfer

BLOCK = 1 << 20
SECONDS = 30
# The largest of the public files has 233 MiB; an archive of three generators about 700.
MOST_BYTES = 4 << 30


def download(url: str, part: pathlib.Path) -> None:
    """Begin a download into `part`, or continue one of the same version of the file.

    Args:
        url: http or https.
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
        total = int(length) + have if length.isdigit() else None
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
            raise RefusedInput(f"{url} gave a web page, not the file")


def part_of(url: str, folder: pathlib.Path) -> pathlib.Path:
    """Where the bytes of a download that has not ended lie."""
    return folder / f".{hashlib.sha256(url.encode()).hexdigest()[:16]}.part"


def host(url: str) -> str:
    """The home's name, for messages."""
    return urllib.parse.urlsplit(url).netloc


def copy(stream, path, mode="wb", progress=None) -> None:
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
        while block := stream.read(BLOCK):
            if file.tell() + len(block) > MOST_BYTES:
                raise RefusedInput(f"expected at most {MOST_BYTES} bytes, got more")
            file.write(block)
            if progress:
                progress.add(len(block))
        file.flush()
        os.fsync(file.fileno())


class OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to https: nobody between may send the download elsewhere."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        """As urllib asks before it follows.

        Raises:
            ConnectionError: The new place is not https.
        """
        if urllib.parse.urlsplit(newurl).scheme != "https":
            raise ConnectionError(f"redirects to {newurl[:200]!r}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opened(url, have, tag):
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


def _open(url, headers):
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise ConnectionError(f"{url[:200]!r} is neither http nor https")
    opener = urllib.request.build_opener(OnlyHttps)
    return opener.open(urllib.request.Request(url, headers=headers), timeout=SECONDS)


def _expect_room(url, total, have, part):
    if (total or 0) > MOST_BYTES:
        raise RefusedInput(f"{url} offers {total} bytes; expected at most {MOST_BYTES}")
    free = shutil.disk_usage(part.parent).free
    if total is not None and total - have > free:
        raise RefusedInput(
            f"expected {total - have} bytes free in {part.parent}, found {free}; make room, or set "
            f"TF_INVERSE_CACHE to another folder"
        )
