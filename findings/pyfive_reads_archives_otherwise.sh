#!/usr/bin/env bash
# pyfive, which reads HDF5 files without the HDF5 library and which h5netcdf and so xarray can read by, gives
# other values than the library for archives of samples that are plain HDF5, and says nothing:
#
# - Floats of 16 bits are float16 whatever the file says: of bfloat16, 1 comes as 1.875 and 0.1 as 1.45.
# - A mask of booleans comes as int8, so that images[mask] is not the images where the mask is true, but
#   image 1 for each of those and image 0 for each of the others.
# - A virtual dataset, as one makes over the files of many runs, is None.
#
# And it refuses two that are as valid: a chunked dataset of which a chunk was never written, as a run that was
# ended leaves it (KeyError; the library gives the fill value), and a group with a link to another file
# (AssertionError, so that its other datasets are out of reach as well).
# Why: datatype_msg.py does not read a float's exponent and mantissa, and takes the numbers of an enumeration,
# which h5py's booleans are, without its names; h5d.py looks up each chunk in the index of those that were
# written; a link is expected to be hard or soft.
# What helps: h5py, for which all of these are right; for masks .astype(bool).
# Upstream: no report of these was found; pull request 67 (2025) tells of datasets of no element.
#
# Seen with pyfive 1.3.0 (files written by h5py 3.14.0 with HDF5 1.14.6), NumPy 2.4.6 on Python 3.11:
#   bfloat16: h5py 1, 2, -3.5, 0.1001; pyfive 1.875, 2, -2.188, 1.45
#   float16: h5py 1, 2, -3.5, 0.09998; pyfive 1, 2, -3.5, 0.09998
#   images[mask] of 0, 10, 20, 30: h5py 0, 20; pyfive 10, 0, 10, 0
#   virtual dataset: h5py 0, 10, 20, 30; pyfive None
#   a chunk never written: h5py 1, 1, nan, nan; pyfive KeyError
#   a group with a link to a file: h5py images, other; pyfive AssertionError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pyfive==1.3.0 h5py==3.14.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata

import h5py
import numpy as np
import pyfive

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("pyfive", "h5py", "numpy")))
activations = np.array([1, 2, -3.5, 0.1], "float32")
images = np.array([0, 10, 20, 30])
with h5py.File("archive.h5", "w") as file:
    # bfloat16 by the HDF5 library's own description of a float: 8 bits of exponent, 7 of mantissa.
    bfloat16 = h5py.h5t.IEEE_F16LE.copy()
    bfloat16.set_fields(15, 7, 8, 0, 7)
    bfloat16.set_ebias(127)
    for name, kind in (("bfloat16", bfloat16), ("float16", h5py.h5t.IEEE_F16LE)):
        made = h5py.h5d.create(file.id, name.encode(), kind, h5py.h5s.create_simple((4,)))
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, activations)
    file["images"] = images
    file["mask"] = images % 20 == 0
    layout = h5py.VirtualLayout((4,), images.dtype)
    layout[:] = h5py.VirtualSource("archive.h5", "images", shape=(4,))
    file.create_virtual_dataset("virtual", layout)
    file.create_dataset("unfinished", (4,), "float32", chunks=(2,), fillvalue=np.nan)[:2] = 1
    file["runs/images"] = images
    file["runs/other"] = h5py.ExternalLink("other.h5", "/images")


def listed(values):
    return "None" if values is None else ", ".join(f"{value:.4g}" for value in values)


def read(take):
    """What both give for `take` of the open file; a name where pyfive raises an error."""
    with h5py.File("archive.h5") as file:
        right = take(file)
    try:
        return right, take(pyfive.File("archive.h5"))
    except (KeyError, AssertionError) as error:
        return right, type(error).__name__


for name, wrong in (("bfloat16", True), ("float16", False)):
    right, found = read(lambda file: np.asarray(file[name][...], "float64"))
    print(f"{name}: h5py {listed(right)}; pyfive {listed(found)}")
    assert np.abs(right - activations).max() < 1e-3
    assert (np.abs(right - found).max() > 1) == wrong, f"{name} has changed"

right, found = read(lambda file: file["images"][...][file["mask"][...]])
print(f"images[mask] of {listed(images)}: h5py {listed(right)}; pyfive {listed(found)}")
assert list(right) == [0, 20] and list(found) == [10, 0, 10, 0], "masks have changed"

right, found = read(lambda file: file["virtual"][...])
print(f"virtual dataset: h5py {listed(right)}; pyfive {listed(found)}")
assert (right == images).all() and found is None, "virtual datasets have changed"

right, found = read(lambda file: file["unfinished"][...])
print(f"a chunk never written: h5py {listed(right)}; pyfive {found}")
assert (right[:2] == 1).all() and np.isnan(right[2:]).all() and found == "KeyError", "chunks have changed"

right, found = read(lambda file: ", ".join(file["runs"]))
print(f"a group with a link to a file: h5py {right}; pyfive {found}")
assert right == "images, other" and found == "AssertionError", "links have changed"
PYTHON
