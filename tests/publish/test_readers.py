"""What was published, read back by other people's libraries alone; the arrays are the oracle.

Each reader's tests are skipped where it is not installed: pip install -e ".[foreign]" brings all.
"""

import glob
import io
import json

import numpy as np
import pytest
from oracles.archive_samples import header, samples, state
from PIL import Image

from tf_inverse import archive, publish

LABEL = "bullet_train|<b>test</b>\U0001f6a2"


def assert_row(row, batch, i):
    """A row as a reader gives it, by name, is the sample of that number."""
    np.testing.assert_array_equal(np.asarray(row["image"]), batch.images[i])
    for name, value in {
        "row": i,
        "activation_1": batch.activations[i, 0],
        "activation_2": batch.activations[i, 1],
        "step": batch.steps[i],
        "chain": batch.chain[i],
        "from_start": batch.from_start[i],
        "seed": 3,
        "network": "none",
        "targets": "fc8:0@50:60, fc8:1@50:60",
    }.items():
        assert row[name] == value, name


def vectors(batch, i):
    return {"code": batch.codes[i], "encoding": batch.encodings[i]}


@pytest.fixture
def datasets(tmp_path, monkeypatch):
    """The library, offline, with a cache of its own; its numbers come as they are stored."""
    library = pytest.importorskip("datasets", reason="needs datasets, of the extra [foreign]")
    monkeypatch.setattr(library.config, "HF_DATASETS_OFFLINE", True)
    monkeypatch.setattr(library.config, "HF_DATASETS_CACHE", tmp_path)

    def load(folder):
        return library.load_dataset(str(folder), split="train")

    load.library = library
    return load


@pytest.mark.parametrize("form", ["imagefolder", "parquet", "webdataset"])
def test_datasets_reads_every_row_as_one_split_with_images(form, published, batch, datasets):
    rows = datasets(published(form))
    assert len(rows) == 12
    for i, row in enumerate(rows):
        if form == "webdataset":
            read = {"code": row["code.npy"], "encoding": row["encoding.npy"]}
            row = {"image": row["png"], **row["json"]}
        else:
            read = {name: row[name] for name in ("code", "encoding") if name in row}
        assert_row(row, batch, i)
        assert form == "imagefolder" or len(read) == 2
        for name, value in read.items():
            np.testing.assert_array_equal(np.float32(value), vectors(batch, i)[name])


def test_parquet_has_types_in_datasets_words(published, datasets):
    library = datasets.library
    features = datasets(published("parquet")).features
    assert isinstance(features["image"], library.Image)
    assert features["activation_1"] == library.Value("float32")
    assert features["chain"] == library.Value("int32")
    assert features["code"] == library.List(library.Value("float32"), 24)


def test_imagefolder_read_without_its_card(published, datasets):
    """By the builder's name, the library takes the words in the folder's path for splits."""
    rows = datasets.library.load_dataset(
        "imagefolder",
        data_dir=str(published("imagefolder")),
        data_files={"train": ["metadata.jsonl", "data/**"]},
        split="train",
    )
    assert [row["row"] for row in rows] == list(range(12))


def test_imagefolder_for_numpy_and_json_alone(published, batch):
    folder = published("imagefolder")
    lines = [json.loads(line) for line in open(folder / "metadata.jsonl", encoding="utf-8")]
    assert len(lines) == 12
    for i, line in enumerate(lines):
        assert_row(line | {"image": Image.open(folder / line["file_name"])}, batch, i)
    np.testing.assert_array_equal(np.load(folder / "codes.npy"), batch.codes)
    np.testing.assert_array_equal(np.load(folder / "encodings.npy"), batch.encodings)


def test_pandas_reads_parquet(published, batch):
    pandas = pytest.importorskip("pandas", reason="needs pandas, of the extra [foreign]")
    files = sorted(glob.glob(f"{published('parquet')}/samples-*.parquet"))
    frame = pandas.read_parquet(files)
    assert str(frame.activation_2.dtype) == "float32" and str(frame.chain.dtype) == "int32"
    for i, row in frame.iterrows():
        picture = Image.open(io.BytesIO(row["image"]["bytes"]))
        assert_row(dict(row) | {"image": picture}, batch, i)
        for name, value in vectors(batch, i).items():
            np.testing.assert_array_equal(row[name], value)
    # A filter at a stored value keeps its row, since the value is float32's own.
    least = batch.activations[:, 0].min()
    kept = pandas.read_parquet(files, filters=[("activation_1", "<=", least)])
    assert list(kept.row) == [int(batch.activations[:, 0].argmin())]


def test_webdataset_reads_tars(published, batch):
    library = pytest.importorskip("webdataset", reason="needs webdataset, of the extra [foreign]")
    files = sorted(glob.glob(f"{published('webdataset')}/samples-*.tar"))
    rows = list(library.WebDataset(files, shardshuffle=False).decode("rgb8"))
    assert [row["__key__"] for row in rows] == [f"{i:06d}" for i in range(12)]
    for i, row in enumerate(rows):
        assert_row({"image": row["png"], **row["json"]}, batch, i)
        np.testing.assert_array_equal(row["code.npy"], batch.codes[i])
        np.testing.assert_array_equal(row["encoding.npy"], batch.encodings[i])


def test_safetensors_reads_columns(published, batch):
    folder = published("safetensors")
    library = pytest.importorskip("safetensors")
    from safetensors.numpy import load_file

    path = folder / "samples-00000-of-00001.safetensors"
    found = load_file(path)
    told = {name: array for name, array in batch._asdict().items() if array is not None}
    assert set(found) == set(told) and "from_start" in told
    for name, array in told.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    with library.safe_open(path, "np") as file:
        assert json.loads(file.metadata()["targets"])[1]["z2"] == 60
        assert file.metadata()["seed"] == "3"


@pytest.mark.parametrize(("form", "library"), [("parquet", "pandas"), ("safetensors",) * 2])
def test_tables_and_arrays_in_parts(form, library, opened, told, batch, tmp_path, monkeypatch):
    pytest.importorskip(library)
    monkeypatch.setattr("tf_inverse.publish.table.PART", 6000)  # bytes: five rows of 1,024
    if form == "parquet":
        monkeypatch.setattr("tf_inverse.publish.parquet.ROWS", 2)
    folder = publish.write(opened, tmp_path / "x", form, told)
    files = sorted(folder.glob("samples-*"))
    assert len(files) == 3
    if form == "parquet":
        import pandas

        frame = pandas.concat([pandas.read_parquet(path) for path in files])
        assert list(frame.row) == list(range(12)) and list(frame.step) == batch.steps.tolist()
        for i, (picture, code) in enumerate(zip(frame.image, frame.code, strict=True)):
            assert picture["path"] == f"{i:06d}.png"
            image = Image.open(io.BytesIO(picture["bytes"]))
            np.testing.assert_array_equal(np.asarray(image), batch.images[i])
            np.testing.assert_array_equal(code, batch.codes[i])
        return
    from safetensors.numpy import load_file

    parts = [load_file(path) for path in files]
    for name, array in batch._asdict().items():
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), array)


@pytest.mark.parametrize("form", publish.FORMS)
def test_croissant_is_valid_and_reads(form, published, batch, tmp_path, monkeypatch):
    monkeypatch.setenv("CROISSANT_CACHE", str(tmp_path))  # read when it is imported
    library = pytest.importorskip("mlcroissant", reason="needs mlcroissant, of [foreign]")
    read = library.Dataset(str(published(form) / "croissant.json"))
    assert not read.metadata.ctx.issues.errors and not read.metadata.ctx.issues.warnings
    assert str(read.metadata.conforms_to[0]) == "http://mlcommons.org/croissant/1.1"
    targets = list(read.records("targets"))
    assert [t["targets/column"] for t in targets] == ["activation_1", "activation_2"]
    assert [t["targets/z1"] for t in targets] == [50.0, 50.0]
    if form == "safetensors":
        return
    rows = list(read.records("samples"))
    assert len(rows) == 12
    for i, row in enumerate(sorted(rows, key=lambda row: row["samples/row"])):
        row = {name.removeprefix("samples/"): value for name, value in row.items()}
        row = {k: v.decode() if isinstance(v, bytes) else v for k, v in row.items()}
        assert_row(row, batch, i)
        if form == "parquet":
            np.testing.assert_array_equal(np.float32(row["code"]), batch.codes[i])


READERS = {"imagefolder": "datasets", "parquet": "pandas", "webdataset": "webdataset"}


@pytest.mark.parametrize("form", publish.FORMS)
def test_the_card_says_how_to_read_it(form, published, request):
    pytest.importorskip(READERS.get(form, form))
    if form == "imagefolder":
        request.getfixturevalue("datasets")
    card = (published(form) / "README.md").read_text(encoding="utf-8")
    code = card.partition("```python\n")[2].partition("```")[0]
    names = {}
    exec(code.replace("FOLDER", str(published(form))), names)
    rows = names["rows"][0]["steps"] if form == "safetensors" else names["rows"]
    assert sum(1 for _ in (rows.itertuples() if form == "parquet" else rows)) == 12


def test_the_hub_reads_the_card(published):
    library = pytest.importorskip("huggingface_hub", reason="needs huggingface_hub")
    card = library.DatasetCard.load(published("imagefolder") / "README.md")
    assert card.data.license == "cc-by-4.0" and card.data.size_categories == ["n<1K"]
    assert card.data.pretty_name == f"Inverse set of fc8:0 ({LABEL}), fc8:1 ({LABEL}) in none"
    # A label is shown as it is, and neither makes a cell nor an element of the page.
    assert r"bullet\_train\|\<b\>test\</b\>" in card.text and "<b>" not in card.text


def test_another_archive_under_the_same_name_is_not_taken_for_the_first(tmp_path, datasets):
    """The library's cache goes by a folder's name and its card, not by the files in it."""
    steps = []
    for i, place in enumerate(("a", "b")):
        path = tmp_path / f"{place}.h5"
        with archive.Writer(path, header(4, 2)) as out:
            one = samples(n=4, side=8, p=2)
            out.append(one._replace(steps=one.steps + 100 * i), state(4))
            out.finish({"steps": 9})
        opened = archive.open(path)
        told = publish.about(opened, {"licence": "MIT", "source": {}}, date="2026-11-27")
        folder = publish.write(opened, tmp_path / place / "trucks", "imagefolder", told)
        steps.append([row["step"] for row in datasets(folder)])
    assert [step + 100 for step in steps[0]] == steps[1]
