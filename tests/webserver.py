"""A local HTTP server with files, ranges and every way in which a home misbehaves."""

import http.server
import threading

import pytest


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.files` by path; what the path ends in says how it misbehaves."""

    def do_GET(self):
        self.server.seen.append((self.path, self.headers.get("Range")))
        self.server.logins.add(self.headers.get("Authorization"))
        data, times = self.server.files.get(self.path), len(self.server.seen)
        if self.path == "/page":
            return self.answer(b"<!DOCTYPE html> sign in")
        if self.path == "/huge":
            return self.answer(b"x", length=10**12)
        if self.path == "/moved":
            return self.answer(b"", status=302, to="/good")
        if data is None:
            return self.send_error(404)
        if self.path.endswith("/changed"):
            self.server.etag += "x"
        cut = self.path.endswith(("/cut", "/changed", "/elsewhere")) and times < 2
        return self.answer(data, send=100_000 if cut else None)

    def answer(self, data, length=None, send=None, status=200, to=None):
        start, wanted = 0, self.headers.get("Range")
        if wanted and self.headers.get("If-Range") == self.server.etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else status)
        if start:
            first = 0 if self.path.endswith("/elsewhere") else start
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(length or len(data) - start))
        self.send_header("ETag", self.server.etag)
        if to:
            self.send_header("Location", f"http://{self.headers['Host']}{to}")
        self.end_headers()
        self.wfile.write(data[start : start + send] if send else data[start:])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    """The server, running, and an empty cache folder; `files` maps a path to bytes."""
    monkeypatch.setenv("TF_INVERSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TF_INVERSE_MIRROR", raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.seen, running.etag, running.files = [], '"1"', {}
        running.logins = set()
        running.address = f"http://127.0.0.1:{running.server_port}"
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()
