"""What judges say comes back from beside the archive, and is told where samples are shown."""

import numpy as np
import pytest
import specimen

from tf_inverse.archive import side_file
from tf_inverse.errors import RefusedInput
from tf_inverse.report import figure_table, html, judged, page_data

N = 8
YES = np.array([1, 1, 0, 1, 0, 1, 1, 0], bool)


def said(name="stranger", agrees=YES):
    return judged.Said(
        judge=name,
        classes=np.where(YES, 8, 3).astype(np.int32),
        agrees=agrees,
        names={3: "cat", 8: "ship"},
        expected=("ship",) if agrees is not None else (),
        shares={"samples": (5 / 8, 8), "natural images in range": (0.97, 40)},
    )


@pytest.fixture
def archive(tmp_path):
    return specimen.write(tmp_path / "a.h5", N)


def test_it_comes_back(archive):
    for one in (said(), said("an other/one", None)):
        judged.store(archive, one)
    back = {one.judge: one for one in judged.read(archive)}
    for name, agrees in (("stranger", YES), ("an other/one", None)):
        one, before = back[name], said(name, agrees)
        np.testing.assert_array_equal(one.classes, before.classes)
        assert (one.agrees is None) == (agrees is None)
        assert agrees is None or one.agrees.tolist() == agrees.tolist()
        assert one[3:6] == before[3:6]
    assert judged.agreement(archive) == {"agreement": 5 / 8, "judges": 1}


def test_figures_and_page_tell_it(archive):
    assert page_data.figures(archive)["agreement"] is None
    judged.store(archive, said())
    judged.store(archive, said("z", ~YES))
    columns, _ = page_data.compared([archive], ["a"])
    assert columns["a"]["agreement"] == 0.5 and "judges agree" in figure_table.table(columns)
    data = page_data.page([archive], ["a"])["archives"][0]["judges"]
    assert data[0]["sees"][:3] == ["ship", "ship", "cat"] and data[0]["agrees"] == [*map(bool, YES)]
    assert data[0]["words"] == (
        "stranger gives 62.5 % of the samples to ship (natural images in range 97 %)."
    )
    assert "62.5 % of the samples to ship" in html.render([archive], ["a"])


@pytest.mark.parametrize(
    "facts",
    [
        {"judge": 3},
        {"names": {"8": "ship"}},
        {"names": {"8": "ship", "3": 5}},
        {"names": []},
        {"shares": [["samples", "many", 3]]},
        {"shares": []},
        {"expected": 7},
    ],
)
def test_forged_facts_are_refused(archive, facts):
    judged.store(archive, said())
    (name,) = side_file.sections(archive.path)
    section = side_file.sections(archive.path)[name]
    arrays = {key: rows[:] for key, rows in section.arrays.items()}
    side_file.put(archive.path, name, arrays, section.facts | facts)
    with pytest.raises(RefusedInput, match="expected what a judge says"):
        judged.read(archive)


def test_forged_arrays_are_refused(archive):
    judged.store(archive, said())
    (name,) = side_file.sections(archive.path)
    facts = side_file.sections(archive.path)[name].facts
    for arrays in ({"classes": np.zeros((N, 2), int)}, {"agrees": YES.astype(int)}):
        side_file.put(archive.path, name, arrays, facts)
        with pytest.raises(RefusedInput, match="expected what a judge says"):
            judged.read(archive)
