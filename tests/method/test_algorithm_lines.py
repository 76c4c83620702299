"""The code cites the lines of docs/algorithm.md, and the table of the pool reaches all it makes."""

import collections
import pathlib
import re
from typing import Annotated, Any

import numpy as np

from tf_inverse.export import card, checks, endpoints
from tf_inverse.method import loops, pool

ROOT = pathlib.Path(__file__).resolve().parents[2]
METHOD = ROOT / "tf_inverse" / "method"
CITED = {"R": ("renewal.py",), "P": ("seeds.py", "walk.py")}


def test_each_line_is_cited_and_each_cited_line_exists():
    text = (ROOT / "docs" / "algorithm.md").read_text(encoding="utf-8")
    for letter, files in CITED.items():
        written = re.findall(rf"^- \*\*({letter}\d+)\*\* ", text, flags=re.MULTILINE)
        assert written == [f"{letter}{i + 1}" for i in range(len(written))] and written
        sources = "".join((METHOD / name).read_text(encoding="utf-8") for name in files)
        cited = re.findall(r"\b[Ll]ines? ((?:[RP]\d+(?:, | and )?)+)", sources)
        assert set(re.findall(r"[RP]\d+", " ".join(cited))) == set(written)


def test_a_new_field_reaches_the_first_state_the_checkpoint_and_the_export():
    added = pool.Field("float32", ("K", "p"), "a field that this test adds")
    hints = {**pool.PoolState.__annotations__, "extra": Annotated[Any, added]}
    slots = hints.pop("slots")
    longer = collections.namedtuple("longer", [*hints, "slots"], defaults=((),))
    longer.__annotations__ = {**hints, "slots": slots}
    longer.__module__ = pool.__name__
    assert list(pool.fields(longer)) == [*pool.FIELDS, "extra"]
    first = pool.init(np.ones((3, 2)), np.zeros((3, 1)), 2, 4, 10.0, state=longer)
    np.testing.assert_array_equal(first.extra, np.zeros((3, 1), np.float32))
    arrays = loops._arrays(first)
    assert set(arrays) == {*pool.FIELDS, "extra"}
    np.testing.assert_array_equal(loops._restored(arrays, first).extra, first.extra)


def test_the_export_asks_for_the_fields_of_the_table_with_their_types_and_meanings():
    assert endpoints.INPUTS["step"][: len(pool.FIELDS)] == tuple(pool.FIELDS)
    for name, field in pool.FIELDS.items():
        assert card.MEANING[name].startswith(field.meaning)
    assert checks.ROWS == pool.ROWS


def test_the_first_state_is_as_the_table_says():
    sizes = {"K": 3, "d": 2, "p": 1, "m": 2, "d_E": 4}
    first = pool.init(np.ones((3, 2)), np.zeros((3, 1)), 2, 4, 10.0)
    for name, field in pool.FIELDS.items():
        value = getattr(first, name)
        assert (value.dtype.name, tuple(value.shape)) == (field.dtype, field.shape(**sizes))
