"""The paper's network at its true size, from nothing: `python tools/try_published.py`, in a clone.

Writes CaffeNet and the fc6 generator with random weights as the public files are, serves them from
this machine, and runs `tf-inverse sample --network=caffenet` with an empty cache in a process of
its own; then again, with the cache. Prints seconds and the peak of memory of both.
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


def main(n: str = "4") -> None:
    """Both runs, with `n` images each."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        with served(written(folder)) as table:
            os.environ["TF_INVERSE_CACHE"] = str(folder / "cache")
            for out in ("first", "second"):
                words = ["sample", f"{folder / out}.h5", "--network=caffenet", f"--n={n}", "--K=4"]
                seconds, megabytes = run(table, [*words, "--targets=fc8:volcano@50:60"])
                print(f"{out} run: {seconds:.0f} s, at most {megabytes:.0f} MB of memory")


def written(folder):
    """{source: file} of random weights at full size."""
    sys.path.insert(0, str(ROOT / "tests"))
    import thin
    from oracles import torch_files

    widths = (96, 256, 384, 384, 256, 4096, 4096)
    f, g = thin.calibrated(folder, widths=widths, narrower=1)
    files = {
        "caffenet": folder / "bvlc_reference_caffenet.caffemodel",
        "deepsim-fc6": folder / "upconvGAN_fc6.pt",
    }
    thin.caffemodel(files["caffenet"], f)
    torch_files.write(files["deepsim-fc6"], g)
    return files


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder without a word."""

    def log_message(self, *args):
        """Nothing."""


@contextlib.contextmanager
def served(files):
    """{source: (checksum, address)} while the files are served."""
    kinds = {"caffenet": "sha1", "deepsim-fc6": "sha256"}
    where = next(iter(files.values())).parent
    handler = functools.partial(Quiet, directory=where)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {
            name: (
                checksum(path, kinds[name]),
                f"http://127.0.0.1:{server.server_port}/{path.name}",
            )
            for name, path in files.items()
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
    main(*sys.argv[1:])
