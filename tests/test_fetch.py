"""Downloads from a local server: mirrors, cut connections, resumption, checksums, archives."""

import hashlib
import http.server
import io
import stat
import tarfile
import threading
import zipfile

import numpy as np
import pytest

from tf_inverse import fetch
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.sources import SOURCES, Source

DATA = np.random.default_rng(0).bytes(300_000)
SHA1 = ("sha1", hashlib.sha1(DATA).hexdigest())


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves DATA at /good; the other paths misbehave."""

    def do_GET(self):
        self.server.seen.append((self.path, self.headers.get("Range")))
        if self.path in self.server.files:
            return self.answer(self.server.files[self.path])
        if self.path == "/page":
            return self.answer(b"<!DOCTYPE html> sign in")
        if self.path == "/huge":
            return self.answer(DATA, length=10**12)
        if self.path == "/cut":
            return self.answer(DATA, send=100_000 if len(self.server.seen) < 2 else None)
        if self.path == "/changed":
            self.server.etag += "x"
            return self.answer(DATA, send=100_000 if len(self.server.seen) < 2 else None)
        self.send_error(404)

    def answer(self, data, length=None, send=None):
        start, wanted = 0, self.headers.get("Range")
        if wanted and self.headers.get("If-Range") == self.server.etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(length or len(data) - start))
        self.send_header("ETag", self.server.etag)
        self.end_headers()
        self.wfile.write(data[start : start + send] if send else data[start:])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_INVERSE_CACHE", str(tmp_path / "cache"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.seen, running.etag, running.files = [], '"1"', {"/good": DATA}
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def get(server, *paths, checksum=SHA1, member="", lines=None):
    urls = tuple(f"http://127.0.0.1:{server.server_port}{path}" for path in paths)
    sources = {"caffenet": Source(urls, "file.caffemodel", checksum, "A licence.", member)}
    say = (lines if lines is not None else []).append
    return fetch.fetch("caffenet", say, sources)


def left():
    return sorted(path.name for path in fetch.cache_folder().iterdir())


def test_fetches_into_a_private_folder_and_only_once(server):
    lines = []
    fetched = get(server, "/good", lines=lines)
    assert fetched.path.read_bytes() == DATA and fetched.confirmed
    assert fetched.sha256 == hashlib.sha256(DATA).hexdigest()
    assert stat.S_IMODE(fetch.cache_folder().stat().st_mode) == 0o700
    assert "licence: A licence." in lines and "published" in lines[-1]
    assert left() == ["file.caffemodel"]
    get(server, "/good")
    assert len(server.seen) == 1


def test_the_next_mirror_is_taken(server):
    lines = []
    get(server, "/missing", "/page", "/good", lines=lines)
    assert any("404" in line for line in lines) and any("web page" in line for line in lines)
    assert left() == ["file.caffemodel"]


def test_a_wrong_checksum_is_refused_and_nothing_stays(server):
    with pytest.raises(RefusedInput, match="expected sha1 0000, got "):
        get(server, "/good", checksum=("sha1", "0000"))
    assert left() == []


def test_a_damaged_file_in_the_cache_is_refused(server):
    path = get(server, "/good").path
    path.write_bytes(DATA[:-1] + b"!")
    with pytest.raises(RefusedInput, match="expected sha1"):
        get(server, "/good")


def test_a_cut_download_is_continued(server):
    with pytest.raises(UsageError, match="cut off after 100000 of 300000 bytes; run again"):
        get(server, "/cut")
    assert fetch.cached("caffenet") is None
    assert get(server, "/cut").path.read_bytes() == DATA
    assert server.seen == [("/cut", None), ("/cut", "bytes=100000-")]


def test_a_file_that_changed_meanwhile_is_begun_again(server):
    with pytest.raises(UsageError, match="cut off"):
        get(server, "/changed")
    assert get(server, "/changed").path.read_bytes() == DATA


def test_offline_names_the_file_and_the_command(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_INVERSE_CACHE", str(tmp_path))
    sources = {"places205": SOURCES["places205"]._replace(urls=("http://127.0.0.1:9/x",))}
    with pytest.raises(UsageError) as caught:
        fetch.fetch("places205", lambda line: None, sources)
    message = str(caught.value)
    assert "bring places205CNN_iter_300000.caffemodel yourself" in message
    assert "tf-inverse convert places205 places205CNN_iter_300000.caffemodel" in message


def test_unpublished_checksums_are_recorded_and_compared(server):
    lines = []
    fetched = get(server, "/good", checksum=None, lines=lines)
    assert not fetched.confirmed and "no checksum is published; recorded sha256" in lines[-1]
    get(server, "/good", checksum=None, lines=lines)
    assert "as recorded" in lines[-1]
    fetched.path.write_bytes(b"other")
    with pytest.raises(RefusedInput, match="has changed since"):
        get(server, "/good", checksum=None)


def test_too_large_and_unknown_names_are_refused(server):
    with pytest.raises(RefusedInput, match="offers 1000000000000 bytes"):
        get(server, "/huge")
    with pytest.raises(UsageError, match="expected one of caffenet, .* got 'vgg'"):
        fetch.fetch("vgg")


def archives():
    packed = {}
    for kind in ("zip", "tar"):
        buffer = io.BytesIO()
        if kind == "zip":
            with zipfile.ZipFile(buffer, "w") as archive:
                archive.writestr("release/fc6/generator.caffemodel", DATA)
                archive.writestr("../../fc7/generator.caffemodel", b"evil")
        else:
            with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
                info = tarfile.TarInfo("placesCNN/fc6/generator.caffemodel")
                info.size = len(DATA)
                archive.addfile(info, io.BytesIO(DATA))
        packed[kind] = buffer.getvalue()
    return packed


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_only_the_member_leaves_an_archive(server, kind):
    server.files["/archive"] = archives()[kind]
    fetched = get(server, "/archive", checksum=None, member="fc6/generator.caffemodel")
    assert fetched.path.read_bytes() == DATA
    assert left() == ["file.caffemodel", "file.caffemodel.sha256"]


@pytest.mark.parametrize("data", [archives()["tar"][:5000], b"not an archive", b""])
def test_broken_archives_are_refused(server, data):
    server.files["/archive"] = data
    with pytest.raises(RefusedInput, match="cannot unpack"):
        get(server, "/archive", checksum=None, member="fc6/generator.caffemodel")
    assert not any("caffemodel" in name for name in left() if not name.startswith("."))


def test_archives_without_the_member_are_refused(server):
    server.files["/archive"] = archives()["zip"]
    with pytest.raises(RefusedInput, match="expected one pool5/generator.caffemodel in it"):
        get(server, "/archive", checksum=None, member="pool5/generator.caffemodel")


def test_every_source_has_what_a_user_needs():
    for name, source in SOURCES.items():
        assert source.urls and source.licence and source.file, name
        assert all(url.startswith("http") for url in source.urls)
    assert SOURCES["caffenet"].checksum == ("sha1", "4c8d77deb20ea792f84eb5e6d0a11ca0a8660a46")
