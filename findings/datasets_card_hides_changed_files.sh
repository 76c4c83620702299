#!/usr/bin/env bash
# datasets.load_dataset(FOLDER) gives the rows of another data set, without a word, where the folder's
# README.md names the data files (`configs:` with `data_files:`, as push_to_hub writes it) and a
# folder of the same name with the same card was loaded before: from another place, or before its
# files were changed. An imagefolder's rows then name the first copy's images, and once that copy
# was moved or deleted they raise FileNotFoundError for its path.
#
# Why: the cache's folder is named by the folder's last name and a hash of the card's patterns as
# they are written (LocalDatasetModuleFactory.get_module in load.py), before they are resolved to
# files. Without a card the hash is of the files' paths and times, and each copy is read.
# What helps: pass a cache_dir of its own to load_dataset, or delete the cache. Whoever writes the
# card can put `description: DIGEST` into the entry under `configs`, which the hash takes in; a
# moved imagefolder still needs another cache.
#
# Seen with datasets 5.2.0, pyarrow 26.0.1, Pillow 13.0.0 on Python 3.11:
#   first/rows: [1, 2]
#   second/rows, which holds [3, 4, 5]: [1, 2]
#   second/rows without its card: [3, 4, 5]
#   first/rows, now [6]: [1, 2]
#   second/rows with a cache of its own: [3, 4, 5]
#   second/rows with a description in its card: [3, 4, 5]
#   second/images, after first/images was deleted: FileNotFoundError for first/images/a.png
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q datasets==5.2.0 pyarrow==26.0.1 pillow==13.0.0
cd "$folder"
export HF_HOME="$folder/cache" HF_HUB_OFFLINE=1
"$folder/venv/bin/python" - <<'PYTHON'
import pathlib
import shutil

import datasets
from PIL import Image

datasets.disable_progress_bars()


def card(path, files, more=""):
    (path / "README.md").write_text(
        f"---\nconfigs:\n- config_name: default\n{more}"
        f"  data_files:\n  - split: train\n    path: {files}\n---\n"
    )


def holds(path, numbers):
    """Writes the rows of a data set with a card."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "rows.csv").write_text("\n".join(map(str, ["x", *numbers])) + "\n")
    card(path, "rows.csv")


def read(path, **options):
    return datasets.load_dataset(str(path), split="train", **options)["x"][:]


print("datasets", datasets.__version__)
first, second = pathlib.Path("first/rows"), pathlib.Path("second/rows")
holds(first, [1, 2])
holds(second, [3, 4, 5])
found = {"first/rows": read(first), "second/rows, which holds [3, 4, 5]": read(second)}
(second / "README.md").unlink()
found["second/rows without its card"] = read(second)
holds(first, [6])
holds(second, [3, 4, 5])
found["first/rows, now [6]"] = read(first)
found["second/rows with a cache of its own"] = read(second, cache_dir="own")
card(second, "rows.csv", "  description: '345'\n")
found["second/rows with a description in its card"] = read(second)
for name, numbers in found.items():
    print(f"{name}: {numbers}")
expected = [[1, 2], [1, 2], [3, 4, 5], [1, 2], [3, 4, 5], [3, 4, 5]]
assert list(found.values()) == expected, "the behaviour has changed"

images = pathlib.Path("first/images")
images.mkdir()
Image.new("RGB", (2, 2)).save(images / "a.png")
card(images, "'*.png'")
datasets.load_dataset(str(images), split="train")[0]
shutil.copytree(images, "second/images")
shutil.rmtree(images)
rows = datasets.load_dataset("second/images", split="train")
try:
    rows[0]
    missing = None
except FileNotFoundError as error:
    missing = pathlib.Path(error.filename).relative_to(pathlib.Path.cwd()).as_posix()
print("second/images, after first/images was deleted: FileNotFoundError for", missing)
assert missing == "first/images/a.png", "the images' behaviour has changed"
PYTHON
