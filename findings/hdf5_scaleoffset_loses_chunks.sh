#!/usr/bin/env bash
# HDF5's scale-offset filter (h5py: scaleoffset=2, keep two decimal places) is offered for arrays of
# floats whose precision does not matter, such as stored activations. It packs, a chunk at a time, the
# whole numbers (value - smallest) * 100, and checks nothing: every write below succeeds.
#
# - A nan is stored as the smallest value of its chunk, without a word; where it is the first value of
#   its chunk, the *whole chunk* becomes unreadable: reading raises, and its neighbours are lost too.
# - Up to HDF5 1.14, an infinity, or a value that is 2^31 / 100, some 21 million, above the smallest
#   of its float32 chunk, loses the whole chunk in the same way. HDF5 2.0 keeps both.
#
# The handle that wrote them reads what was given to it, from its cache, so that a check before the
# file is closed finds nothing. Arrays with gaps (nan) or outliers need another filter: gzip with
# shuffle, and half precision where that is enough.
#
# Seen with h5py 3.14.0 (HDF5 1.14.6), h5py 3.16.0 (HDF5 2.0.0) and NumPy 2.4.6 on Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 3.14.0 3.16.0; do
  python3 -m venv "$folder/$version"
  "$folder/$version/bin/pip" install --quiet "h5py==$version" "numpy==2.4.6"
  "$folder/$version/bin/python" - "$folder/$version.h5" <<'PYTHON'
import sys

import h5py
import numpy as np

path, rest = sys.argv[1], [0.25, 1000.5, -3.0]
given = {
    "plain": [7.0, *rest],
    "outlier": [3e7, *rest],
    "infinity": [np.inf, *rest],
    "nan first": [np.nan, *rest],
    "nan later": [*rest, np.nan],
}
print(f"h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}")
with h5py.File(path, "w") as file:
    for name, values in given.items():
        # Two chunks: the second is plain in every dataset.
        data = np.array([*values, *given["plain"]], np.float32)
        made = file.create_dataset(name, data=data, chunks=(4,), scaleoffset=2)
        assert np.array_equal(made[()], data, equal_nan=True), "the writer's handle sees it now"
found = {}
with h5py.File(path, "r") as file:
    for name, values in given.items():
        assert np.allclose(file[name][4:], given["plain"], atol=0.005)
        try:
            found[name] = file[name][:4].tolist()
        except OSError as error:
            found[name] = str(error)
        print(f"{name:10} {values} -> {found[name]}")
assert np.allclose(found["plain"], given["plain"], atol=0.005)
lost = {"nan first"} if h5py.version.hdf5_version_tuple >= (2,) else {"nan first", "outlier", "infinity"}
for name in ("outlier", "infinity", "nan first"):
    if name in lost:
        assert "filter returned failure during read" in str(found[name]), f"{name} has changed"
    else:
        assert found[name] == given[name], f"{name} has changed"
assert np.allclose(found["nan later"], [*rest, -3.0], atol=0.005), "nan later has changed"
PYTHON
done
