"""A server on loopback that speaks as the Hugging Face hub does, with one repository, you/net."""

import contextlib
import http.server
import json
import pathlib
import threading

FIRST = "1" * 40  # the commit that it is at


class Hub(http.server.BaseHTTPRequestHandler):
    """One repository, you/net: `server.files` by name, at the commit `server.commit`."""

    def do_GET(self):
        server = self.server
        server.seen.append(self.path)
        if self.path.startswith("/api/models/you/net/revision/"):
            if self.path.partition("?")[0].endswith("/nowhere"):
                return self.answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            siblings = [{"rfilename": n, "size": len(d)} for n, d in server.files.items()]
            siblings += [{"rfilename": n, "size": s} for n, s in server.claimed.items()]
            told = {"id": "you/net", "sha": server.commit, "siblings": siblings}
            return self.answer(200, json.dumps(told).encode())
        name = self.path.rpartition("/")[2]
        if f"/you/net/resolve/{server.commit}/" in self.path and name in server.files:
            etag = {"ETag": f'"{name}"', "X-Repo-Commit": server.commit}
            return self.answer(200, server.files[name], etag)
        return self.answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def do_HEAD(self):
        self.do_GET()

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in dict(headers, **{"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def serving(folder, place, monkeypatch):
    """Serves a network's folder; what is fetched is kept below `place`."""
    monkeypatch.setenv("TF_INVERSE_CACHE", str(place / "cache"))
    monkeypatch.setenv("HF_HOME", str(place / "hf"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as running:
        running.seen, running.commit, running.claimed = [], FIRST, {}
        running.files = {p.name: p.read_bytes() for p in pathlib.Path(folder).iterdir()}
        running.files["README.md"] = b"not needed"
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{running.server_port}")
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()
