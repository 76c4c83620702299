"""The paper's network at its true size, from nothing: `python tools/try_published.py`, in a clone.

Writes CaffeNet and the fc6 generator with random weights as the public files are, serves them from
this machine, and runs `tf-inverse sample --network=caffenet` with an empty cache in a process of
its own; again, with the cache; and `tf-inverse units`, which fetches and converts but samples
nothing, with another empty cache. Prints seconds and the peak of memory of each.
"""

import contextlib
import functools
import hashlib
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Only the checksums and homes of the table are this run's own; all else is the command as it is.
CHILD = """
import json, sys
from tf_inverse import sources
from tf_inverse.tools import cli
for name, (digest, url) in json.loads(sys.argv[1]).items():
    source = sources.SOURCES[name]
    form = source.forms[0]
    form = form._replace(checksum=(form.checksum[0], digest), urls=(url,))
    sources.SOURCES[name] = source._replace(forms=(form,))
cli.main(sys.argv[2:])
"""


FILES = {
    "caffenet": ("bvlc_reference_caffenet.caffemodel", "sha1"),
    "deepsim-fc6": ("upconvGAN_fc6.pt", "sha256"),
}


def main(n: str = "4") -> None:
    """The three runs, with `n` images each where they sample."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        # In a process of its own: Linux counts a parent's memory at the fork as its child's peak.
        subprocess.run([sys.executable, __file__, "--write", folder], check=True)
        with served(folder) as table:
            for cache, out in (("a", "first"), ("a", "second"), ("b", "units alone")):
                words = ["sample", f"{folder / out}.h5", f"--n={n}", "--K=4"]
                words += ["--targets=fc8:volcano@50:60"]
                os.environ["TF_INVERSE_CACHE"] = str(folder / cache)
                words = ["units"] if cache == "b" else words
                seconds, megabytes = run(table, [*words, "--network=caffenet"])
                print(f"{out}: {seconds:.0f} s, at most {megabytes:.0f} MB of memory", flush=True)


def write(folder):
    """CaffeNet and the generator with random weights, at full size."""
    sys.path.insert(0, str(ROOT / "tests"))
    import thin
    from oracles import torch_files

    widths = (96, 256, 384, 384, 256, 4096, 4096)
    f, g = thin.calibrated(folder, widths=widths, narrower=1)
    thin.caffemodel(folder / FILES["caffenet"][0], f)
    torch_files.write(folder / FILES["deepsim-fc6"][0], g)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder without a word."""

    def log_message(self, *args):
        """Nothing."""


@contextlib.contextmanager
def served(folder):
    """{source: (checksum, address)} while the files are served."""
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        yield {
            name: (checksum(folder / file, kind), f"{address}/{file}")
            for name, (file, kind) in FILES.items()
        }
        server.shutdown()


def checksum(path, kind):
    """Checksum of a file."""
    with open(path, "rb") as file:
        digest = hashlib.new(kind)
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def run(table, words):
    """(seconds, megabytes) of a command in a process of its own."""
    began = time.monotonic()
    child = subprocess.Popen([sys.executable, "-c", CHILD, json.dumps(table), *words])
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(child.returncode)
    return time.monotonic() - began, used.ru_maxrss / 1024


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        write(pathlib.Path(sys.argv[2]))
    else:
        main(*sys.argv[1:])
