#!/usr/bin/env bash
# model.load_weights("model.keras") of Keras 3 reads the file over again for most of its layers:
# seventy times as many bytes as the file has for a hundred Dense layers, so that the bytes read grow
# with the square of the depth. load_model() of the same file reads it once. h5py.File() of what
# zipfile.ZipFile(file).open("model.weights.h5") gives reads as often as load_weights().
#
# Why: a .keras file is a zip that holds its weights uncompressed, and load_weights() hands h5py the
# member as zipfile opens it. h5py goes back to a group's tables for each data set, and a seek()
# backward in a member reads it from its start up to the place. From Python 3.12 a seek() forward
# skips without reading; backward is as before. load_model() takes the whole member into memory.
# What helps: save weights as .weights.h5. Of a .keras file give h5py io.BytesIO(archive.read(name)),
# or take keras.models.load_model(file).get_weights().
#
# Seen with keras 3.15.1 on jax 0.10.2, h5py 3.16.0, numpy 2.4.6: the bytes read over the file's
# bytes, on Python 3.11.7 (and on 3.12.1 and 3.13.0, where others):
#   25 layers: load_weights 21.5 (15.7), h5py from the archive 22.1 (16.0), load_model 1.0, h5py from
#   memory 1.0
#   100 layers: load_weights 70.0 (59.3), h5py from the archive 73.4 (63.1), load_model 1.0, h5py from
#   memory 1.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 keras==3.15.1 h5py==3.16.0 numpy==2.4.6
cd "$folder"
KERAS_BACKEND=jax JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'PYTHON'
import builtins
import io
import platform
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np

path = Path("model.keras")


class Counting(io.FileIO):
    """The file, which counts the bytes that were read of it."""

    count = 0

    def read(self, size=-1):
        data = super().read(size)
        Counting.count += len(data)
        return data

    def readall(self):
        data = super().readall()
        Counting.count += len(data)
        return data

    def readinto(self, buffer):
        size = super().readinto(buffer)
        Counting.count += size
        return size


def times_read(read):
    """How many times over the file's bytes are read by read()."""
    opened = builtins.open
    Counting.count = 0

    def counting(name, *args, **options):
        return Counting(name) if str(name) == str(path) else opened(name, *args, **options)

    builtins.open = io.open = counting
    try:
        read()
    finally:
        builtins.open = io.open = opened
    return Counting.count / path.stat().st_size


def by_h5py(opened):
    """Reads each weight of the archive's member once, in the order of the groups."""
    found = []

    def keep(name, item):
        if isinstance(item, h5py.Dataset):
            found.append(item[:])

    with zipfile.ZipFile(path) as archive, opened(archive) as member, h5py.File(member) as weights:
        weights.visititems(keep)
    assert sum(array.size for array in found) == model.count_params()


def in_archive(archive):
    return archive.open("model.weights.h5")


def in_memory(archive):
    return io.BytesIO(archive.read("model.weights.h5"))


print("Python", platform.python_version(), "keras", keras.__version__, "h5py", h5py.__version__,
      "numpy", np.__version__)
for depth in (25, 100):
    dense = [keras.layers.Dense(256) for _ in range(depth)]
    model = keras.Sequential([keras.Input((256,)), *dense])
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("model.weights.h5").compress_type == zipfile.ZIP_STORED
    found = {
        "load_weights": times_read(lambda: model.load_weights(path)),
        "h5py from the archive": times_read(lambda: by_h5py(in_archive)),
        "load_model": times_read(lambda: keras.models.load_model(path)),
        "h5py from memory": times_read(lambda: by_h5py(in_memory)),
    }
    print(f"{depth} layers:", ", ".join(f"{name} {times:.1f}" for name, times in found.items()))
    again, archived, whole, memory = found.values()
    assert 0.9 < whole < 1.5 and 0.9 < memory < 1.5, "what reads the file once has changed"
    assert archived > depth / 4, "zipfile or h5py has changed: the member is no longer read again"
    assert again > depth / 4, "load_weights has changed"
PYTHON
