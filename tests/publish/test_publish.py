"""What is written and what is refused: bytes, parts, licences, folders."""

import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile

import numpy as np
import pytest
from oracles.archive_samples import header, samples, state
from PIL import Image

from tf_inverse import archive, publish
from tf_inverse.errors import UsageError


def test_the_same_bytes_each_time_and_nothing_of_the_machine(opened, told, published, tmp_path):
    for form in ("imagefolder", "webdataset"):
        again = publish.write(opened, tmp_path / form, form, told)
        files = [path for path in pathlib.Path(published(form)).rglob("*") if path.is_file()]
        assert len(files) == len([path for path in again.rglob("*") if path.is_file()])
        for path in files:
            data = path.read_bytes()
            assert data == (again / path.relative_to(published(form))).read_bytes()
            assert os.fsencode(opened.path.parent) not in data


def test_parts_hold_all_rows(opened, told, batch, tmp_path, monkeypatch):
    monkeypatch.setattr("tf_inverse.publish.table.PART", 6000)  # bytes: five rows of 1,024
    folder = publish.write(opened, tmp_path / "x", "webdataset", told)
    names = [f"samples-{i:05d}-of-00003.tar" for i in range(3)]
    assert [path.name for path in sorted(folder.glob("*.tar"))] == names
    files = {}
    for name in names:
        with tarfile.open(folder / name) as tar:
            files |= {one.name: tar.extractfile(one).read() for one in tar}
    assert [name for name in files if "png" in name] == [f"{i:06d}.png" for i in range(12)]
    lines = (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    for i, line in enumerate(map(json.loads, lines)):
        assert (
            line.pop("file_name") == f"{i:06d}.png" and json.loads(files[f"{i:06d}.json"]) == line
        )
        assert (line["row"], line["step"]) == (i, batch.steps[i])
        for name, rows in (("code", batch.codes), ("encoding", batch.encodings)):
            found = np.load(io.BytesIO(files[f"{i:06d}.{name}.npy"]))
            np.testing.assert_array_equal(found, rows[i])


def test_blocks_and_folders_of_pictures_hold_all_rows(opened, told, batch, tmp_path, monkeypatch):
    for name in ("ROWS", "FOLDER"):
        monkeypatch.setattr(f"tf_inverse.publish.imagefolder.{name}", 5)
    folder = publish.write(opened, tmp_path / "x", "imagefolder", told)
    lines = (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    for i, line in enumerate(map(json.loads, lines)):
        assert line["file_name"] == f"data/00{i // 5}/{i:06d}.png" and line["row"] == i
        with Image.open(folder / line["file_name"]) as picture:
            np.testing.assert_array_equal(np.asarray(picture), batch.images[i])
    for name, rows in (("codes", batch.codes), ("encodings", batch.encodings)):
        np.testing.assert_array_equal(np.load(folder / f"{name}.npy"), rows)


@pytest.mark.parametrize(
    ("licence", "network", "said"),
    [
        (None, {"licence": "MIT; weights trained by us"}, ['license: "other"', "trained by us."]),
        (None, None, ['license: "unknown"', "nobody said"]),
        ("apache-2.0", {"licence": "MIT"}, ['license: "apache-2.0"', "Licence: apache-2.0."]),
    ],
)
def test_the_licence_is_the_users_or_the_networks_or_unknown(
    opened, tmp_path, licence, network, said
):
    told = publish.about(opened, network, licence=licence)
    card = publish.write(opened, tmp_path / "x", "imagefolder", told) / "README.md"
    assert all(words in card.read_text(encoding="utf-8") for words in said)
    lacking = "--creator, --url" if licence or network else "--licence, --creator, --url"
    assert publish.lacking(told)[0].endswith(lacking)


@pytest.mark.parametrize("seconds", ["9" * 30, "today", "-1e3"])
def test_a_day_that_the_environment_tells_wrong_is_refused(opened, monkeypatch, seconds):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert publish.about(opened).date == "1970-01-02"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", seconds)
    with pytest.raises(UsageError, match="expected SOURCE_DATE_EPOCH in seconds since 1970, got"):
        publish.about(opened)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"date": "27.11.2026"}, "expected --date as YYYY-MM-DD, got '27.11.2026'"),
        ({"url": "example.org"}, "expected --url to be http:// or https://"),
        ({"licence": " "}, "expected a text of 1 to 2000 characters for --licence"),
        ({"creator": "Andr\udce9"}, r"expected --creator in UTF-8, got 'Andr\\udce9'"),
        ({"url": "https://a.b/\udcff"}, "expected --url in UTF-8"),
    ],
)
def test_what_cannot_be_told(opened, options, said):
    with pytest.raises(UsageError, match=said):
        publish.about(opened, **options)


def test_what_is_replaced(opened, told, tmp_path):
    folder = tmp_path / "x"
    with pytest.raises(UsageError, match="expected --as to be one of imagefolder, parquet, "):
        publish.write(opened, folder, "csv", told)
    publish.write(opened, folder, "imagefolder", told)
    with pytest.raises(FileExistsError, match="give --overwrite"):
        publish.write(opened, folder, "webdataset", told)
    publish.write(opened, folder, "webdataset", told, overwrite=True)
    assert not (folder / "data").exists()
    (folder / "mine.txt").write_text("x")
    with pytest.raises(FileExistsError, match="holds mine.txt, which tf-inverse did not write"):
        publish.write(opened, folder, "webdataset", told, overwrite=True)


def test_a_run_in_progress_is_published_as_far_as_it_is(tmp_path):
    marks, out = [], archive.Writer(tmp_path / "a.h5", header(8, 2))
    for start in (0, 4):
        out.append(samples(n=4, side=8, p=2, seed=start), state(start + 4))
        opened = archive.open(tmp_path / "a.h5.run")
        folder = publish.write(opened, tmp_path / f"{start}", "webdataset", publish.about(opened))
        assert len((folder / "metadata.jsonl").read_text().splitlines()) == start + 4
        marks += re.findall("archive ([0-9a-f]{64})", (folder / "README.md").read_text())
    out.close()
    assert len(set(marks)) == 2


def test_a_library_that_is_missing_is_named():
    code = (
        "import sys; sys.modules.update(pyarrow=None, safetensors=None)\n"
        "import importlib\n"
        "for form in ('parquet', 'safetensors'):\n"
        "    try: importlib.import_module(f'tf_inverse.publish.{form}')\n"
        "    except Exception as e: print(type(e).__name__, e)\n"
        "print('tensorflow' in sys.modules)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    lines = told.splitlines()
    assert [line.split()[0] for line in lines] == ["UsageError", "UsageError", "False"]
    assert all("pip install 'tf_inverse[publish]'" in line for line in lines[:2])
