"""States that a run cannot go on from are refused in one line, before anything is lost."""

import h5py
import numpy as np
import pytest
import worlds
from commands import run

from tf_inverse.errors import RefusedInput
from tf_inverse.method.checkpoint import count, entry
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings


def after_a_batch(tiny, target, **options):
    settings = Settings(n=40, K=4, **options)
    for batch in sample(tiny, (target,), settings):
        if batch.info.found:
            return settings, batch.state
    raise AssertionError("no batch")


@pytest.mark.parametrize("options", [{}, {"method": "paper"}, {"optimizer": "adam"}])
def test_every_entry_is_needed_with_its_type_and_shape(tiny, band, options):
    target = band(worlds.NEURON)
    settings, state = after_a_batch(tiny, target, **options)
    next(sample(tiny, (target,), settings, state))  # as it is, it does
    needed = [name for name in state if name != "steps"]
    assert {"c", "lam", "mu", "kept", "seen"} <= set(needed)
    for name in needed:
        wider = np.zeros((*state[name].shape, 2), state[name].dtype)
        other = np.zeros(state[name].shape, np.float16)
        for changed in ({name: wider}, {name: other}, {}):
            damaged = {k: v for k, v in state.items() if k != name} | changed
            with pytest.raises(RefusedInput, match=f"expected {name}, .*; sample --over"):
                next(sample(tiny, (target,), settings, damaged))


def test_a_state_of_other_settings(tiny, band):
    target = band(worlds.NEURON)
    _, state = after_a_batch(tiny, target)
    with pytest.raises(RefusedInput, match=r"expected c, float32 \[5, .*got float32 \[4"):
        next(sample(tiny, (target,), Settings(n=40, K=5), state))


def test_numbers_below_zero():
    with pytest.raises(RefusedInput, match="expected cursor >= 0"):
        count({"cursor": np.int64(-1)}, "cursor")
    assert count({"cursor": np.int64(7)}, "cursor") == 7


def test_any_number_of_rows_where_any_will_do():
    array = np.zeros(3, np.uint64)
    assert entry({"seen": array}, "seen", np.uint64, (None,)) is array
    with pytest.raises(RefusedInput, match=r"expected seen, uint64 \['any'\], .* got nothing"):
        entry({}, "seen", np.uint64, (None,))


def test_resume_refuses_and_leaves_the_archive_as_it_was(
    tiny_folder, tmp_path, capsys, monkeypatch, loaded_once
):
    monkeypatch.chdir(tmp_path)
    words = (f"--network={tiny_folder}", "--targets=fc3:dog@p50:p90", "--n=10", "--K=4")
    assert run("sample", "a.h5", *words) == 0
    with h5py.File("a.h5", "a") as archive:
        del archive["state/short"]
    before = (tmp_path / "a.h5").read_bytes()
    assert run("resume", "a.h5", "--n=20") == 4
    assert "expected short, float32 [4, 1]" in capsys.readouterr().err
    assert (tmp_path / "a.h5").read_bytes() == before
