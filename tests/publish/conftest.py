"""An archive with names that readers misread, and the data sets made of it."""

import pytest
from oracles.archive_samples import header, samples, state

from tf_inverse import archive, publish

# Words that make readers misread: a split's name in a folder's, dots, and in a label Markdown and
# a character of more than 16 bits.
LABEL, FOLDER = "bullet_train|<b>test</b>\U0001f6a2", "bullet_train.v1.5"
TOLD = {"licence": "cc-by-4.0", "creator": "A. Nyone", "url": "https://example.org/x"}
TOLD |= {"date": "2026-11-27"}


@pytest.fixture(scope="session")
def batch():
    return samples(n=12, side=16, p=2)


@pytest.fixture(scope="session")
def opened(batch, tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "a.test.h5"
    head = header(12, 2)
    for target in head["targets"]:
        target["label"] = LABEL
    with archive.Writer(path, head) as out:
        out.append(batch, state(12))
        out.finish({"steps": 9})
    return archive.open(path)


@pytest.fixture(scope="session")
def told(opened):
    """What is said of the data sets."""
    return publish.about(opened, {"licence": "MIT", "source": {"data": "x"}}, **TOLD)


@pytest.fixture(scope="session")
def published(opened, told, tmp_path_factory):
    """Folder of each form, written when it is first asked for."""
    folder, made = tmp_path_factory.mktemp("validation"), {}

    def write(form):
        if form not in made:
            made[form] = publish.write(opened, folder / form / FOLDER, form, told)
        return made[form]

    folder_of = {"parquet": "pyarrow", "safetensors": "safetensors"}

    def of(form):
        if form in folder_of:
            pytest.importorskip(folder_of[form])
        return write(form)

    return of
