"""The code cites the lines of docs/algorithm.md, and the table of the pool reaches all it makes."""

import importlib.util
import pathlib
import re
import typing
from typing import Annotated, Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
import worlds

from tf_inverse.errors import RefusedInput
from tf_inverse.export import card, endpoints
from tf_inverse.export.addressed import Exported
from tf_inverse.method import pool, renewal, rule, sampler, stored_state
from tf_inverse.method.settings import PRESETS, Settings

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


def loaded_anew(module):
    """A second copy of a module, which reads the table as it is at this moment."""
    spec = importlib.util.spec_from_file_location(f"{module.__name__}_anew", module.__file__)
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    return copy


@pytest.fixture
def longer(monkeypatch):
    """A class of states with one field more; the package's table has that field in this test."""
    table = typing.get_type_hints(pool.PoolState, include_extras=True)
    added = {"extra": Annotated[Any, pool.Field("float32", ("K", "p"), "an added field")]}
    cls = NamedTuple("Longer", list((table | added).items()))
    monkeypatch.setattr(pool, "FIELDS", pool.fields(cls))
    assert list(pool.FIELDS)[-1] == "extra"
    return cls


def pool_of(cls):
    return pool.init(np.ones((3, 2)), np.zeros((3, 1)), 2, 2, 10.0, state=cls)


def test_a_new_field_is_in_the_first_state_the_loop_and_the_checkpoint(longer):
    first = pool_of(longer)
    np.testing.assert_array_equal(first.extra, np.zeros((3, 1), np.float32))
    problem = worlds.linear_problem([1.0, 2.0])
    fresh = pool.Fresh(tf.zeros((6, 2)), tf.zeros((6, 1)))
    advance = renewal.make_advance(problem, rule.RULE, 2)
    marked = first._replace(extra=first.extra + 7.0)
    after, _, _ = advance(marked, worlds.target((90.0, 91.0)), fresh)
    assert int(after.step) == 2
    np.testing.assert_array_equal(after.extra, np.full((3, 1), 7.0, np.float32))
    arrays = stored_state.arrays(after)
    assert set(arrays) == set(pool.FIELDS)
    np.testing.assert_array_equal(stored_state.restored(arrays, first).extra, after.extra)
    with pytest.raises(RefusedInput, match="expected extra, float32"):
        stored_state.restored({**arrays, "extra": np.zeros((3, 2), np.float32)}, first)


def test_a_new_field_is_among_the_inputs_of_an_export_and_on_its_card(longer, tiny):
    assert "extra" not in endpoints.INPUTS["step"] and "extra" not in card.MEANING
    ends, meaning = loaded_anew(endpoints), loaded_anew(card).MEANING
    assert ends.INPUTS["step"][: len(pool.FIELDS)] == tuple(pool.FIELDS)
    exported = Exported(tiny, ("fc3",), Settings(), None, (), ((),), None)
    spec = ends.specs(exported)["extra"]
    assert (spec.dtype, spec.shape.as_list()) == (tf.float32, [None, None])
    assert meaning["extra"] == "an added field"
    assert meaning["found"] == "samples so far, zero at first; of sample, how many there are"


def test_the_first_state_is_as_the_table_says():
    sizes = {"K": 3, "d": 2, "p": 1, "m": 2, "d_E": 4}
    first = pool.init(np.ones((3, 2)), np.zeros((3, 1)), 2, 4, 10.0)
    for name, field in pool.FIELDS.items():
        value = getattr(first, name)
        assert (value.dtype.name, tuple(value.shape)) == (field.dtype, field.shape(**sizes))


def test_every_method_has_defaults_and_a_maker_of_chunks():
    assert set(sampler.METHODS) == set(PRESETS)
