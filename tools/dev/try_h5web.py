"""Opens an archive in H5Web, the viewer of myHDF5, JupyterLab and VS Code, and takes a picture.

python tools/dev/try_h5web.py ARCHIVE.h5 PICTURE.png [COLUMN]

Needs npm, which brings H5Web, and Debian's packages chromium and chromium-driver. It ends with an
error unless H5Web itself chose to show the column as RGB images and drew more than greys.
"""

from __future__ import annotations

import functools
import http.server
import io
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

import numpy as np
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

PACKAGES = ("@h5web/app@16", "@h5web/h5wasm@16", "react@18", "react-dom@18", "esbuild")
PAGE = """<!DOCTYPE html><meta charset="utf-8"><link rel="stylesheet" href="main.css">
<div id="root" style="height: 100vh"></div><script type="module" src="main.js"></script>"""
MAIN = """\
import '@h5web/app/styles.css';
import React from 'react';
import { createRoot } from 'react-dom/client';
import { App } from '@h5web/app';
import { H5WasmBufferProvider } from '@h5web/h5wasm';

const buffer = await (await fetch('archive.h5')).arrayBuffer();
createRoot(document.getElementById('root')).render(
  <H5WasmBufferProvider filename="archive.h5" buffer={buffer}>
    <App initialPath={'/' + location.hash.slice(1)} />
  </H5WasmBufferProvider>
);
"""
# Without these Chromium asks for addresses of its maker's at every start.
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --window-size=1280,800 "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--enable-unsafe-swiftshader"
)
SECONDS = 60


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves the page's folder without a word."""

    def log_message(self, *args) -> None:
        """Nothing is logged."""


def build(folder: pathlib.Path, archive: pathlib.Path) -> None:
    """Writes a page that opens the archive in H5Web."""
    shutil.copy(archive, folder / "archive.h5")
    (folder / "index.html").write_text(PAGE)
    (folder / "main.jsx").write_text(MAIN)
    run = functools.partial(subprocess.run, cwd=folder, check=True, stdout=sys.stderr)
    run(["npm", "install", "--silent", "--no-save", *PACKAGES])
    bundle = "main.jsx --bundle --format=esm --outfile=main.js --loader:.wasm=file"
    run(["npx", "esbuild", *bundle.split(), "--target=esnext", "--log-level=error"])


def look(address: str, column: str) -> tuple[list[str], bytes]:
    """What H5Web shows of a column: the names of the chosen tabs, and a PNG of the window."""
    options = webdriver.ChromeOptions()
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.binary_location = shutil.which("chromium") or ""
    service = webdriver.ChromeService(shutil.which("chromedriver") or "")
    with webdriver.Chrome(options, service) as browser:
        browser.get(f"{address}/index.html#{column}")
        waiting = WebDriverWait(browser, SECONDS)
        waiting.until(lambda b: b.find_elements(By.CSS_SELECTOR, "canvas"))
        chosen = browser.find_elements(By.CSS_SELECTOR, "[role=tab][aria-selected=true]")
        tabs = [tab.text for tab in chosen if tab.text]
        # The image is drawn a few frames after its canvas is there.
        waiting.until(lambda b: colours(b.get_screenshot_as_png()) > 0)
        return tabs, browser.get_screenshot_as_png()


def colours(png: bytes) -> int:
    """Pixels of the right half of the window that are strongly coloured."""
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    right = pixels[:, pixels.shape[1] // 2 :]
    return int((right.max(2) - right.min(2) > 60).sum())


def main(archive: str, picture: str, column: str = "images") -> None:
    """Builds, looks, and writes the picture."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        build(folder, pathlib.Path(archive))
        handler = functools.partial(Quiet, directory=name)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            tabs, png = look(f"http://127.0.0.1:{server.server_port}", column)
            server.shutdown()
    pathlib.Path(picture).write_bytes(png)
    print(f"{column}: H5Web chose {', '.join(tabs)}, {colours(png)} coloured pixels; {picture}")
    if tabs != ["RGB"]:
        sys.exit(f"expected H5Web to show {column} as RGB, got {tabs}")


if __name__ == "__main__":
    main(*sys.argv[1:])
