"""How large an inverse set is: the command, its signals, and what a run tells of it."""

import json
import signal

import numpy as np
import pytest
import worlds

from tf_inverse import archive
from tf_inverse.band import Band, Bands, Neuron, parse
from tf_inverse.errors import Unreachable, UsageError
from tf_inverse.method import splitting
from tf_inverse.method.kernel import Kernel
from tf_inverse.method.normalization import measure
from tf_inverse.method.settings import Settings
from tf_inverse.method.volume import Splitting
from tf_inverse.report import figure_table, page_data, standing, text
from tf_inverse.run import climb, command, volume

TARGET = "fc3:ship@p90:p99"

pytestmark = pytest.mark.usefixtures("loaded_once")


@pytest.fixture(scope="module")
def loaded(tiny_loaded):
    return tiny_loaded


@pytest.fixture(scope="module")
def truth(loaded):
    """The share of 20,000 plain draws of normal codes in the range."""
    codes = np.random.default_rng(3).standard_normal((20_000, loaded.codes.size), np.float32)
    neuron = Neuron("fc3", 2)
    z = worlds.activation(loaded, worlds.images(loaded, codes), neuron, 1000)
    (band,) = parse(TARGET, loaded)
    return float(np.mean((z >= band.z1) & (z <= band.z2)))


def measured(folder, capsys, *, targets=TARGET, as_json=True, particles=1000):
    code = volume.command(
        str(folder),
        targets,
        particles=particles,
        seed=0,
        device="cpu",
        trust=False,
        as_json=as_json,
    )
    return code, capsys.readouterr()


def test_the_command_tells_what_plain_draws_find(tiny_folder, capsys, truth, monkeypatch):
    monkeypatch.setattr("tf_inverse.compute.device.choose", lambda name: name)
    code, printed = measured(tiny_folder, capsys)
    told = json.loads(printed.out)
    assert code == 0 and told["low"] < truth < told["high"]
    assert told["low"] < told["probability"] < told["high"] and told["passes"] <= 500
    assert "standard normal" in told["codes"]
    z, share = np.array(told["curve"]["points"]).T
    assert told["curve"]["side"] == "above" and (np.diff(z) > 0).all() and (share <= 1).all()
    code, printed = measured(tiny_folder, capsys, as_json=False)
    sentence = text.share_of_images(
        {
            f"probability{end}": told[name]
            for end, name in (("", "probability"), ("_low", "low"), ("_high", "high"))
        }
    )
    assert code == 0 and sentence in printed.out


def test_a_range_beyond_reach_says_how_far_it_came(loaded):
    with pytest.raises(Unreachable, match="of the codes lie in the range.*nearest activation"):
        volume.estimate(loaded, Bands([Band(Neuron("fc3", 2), 1e3, 2e3)]), particles=100)
    with pytest.raises(UsageError, match="particles of at least 100, got 10"):
        volume.estimate(loaded, parse(TARGET, loaded), particles=10)


def test_codes_that_are_no_numbers_hide_nothing_of_how_far_it_came(loaded):
    """A generator may overflow for a few codes; the others tell what was reached."""
    bands = Bands([Band(Neuron("fc3", 2), 1e3, 2e3)])
    scale = measure(loaded, bands.neurons)
    kernel = Kernel(loaded, bands, Settings(), scale)
    plain = Splitting(kernel, 100)
    first = next(plain.stages())
    spoiled = Kernel(loaded, bands, Settings(), scale)
    whole = spoiled.take

    def take(*arguments):
        walkers, accepted, scores, view, c = whole(*arguments)
        z = np.where(view.z == view.z.min(), np.nan, view.z)
        return walkers, accepted, scores, view._replace(z=z), c

    spoiled.take = take
    some = Splitting(spoiled, 100)
    assert next(some.stages()).level == first.level
    np.testing.assert_array_equal(some.best, plain.best)


def test_a_signal_stops_it(tiny_folder, capsys, monkeypatch):
    monkeypatch.setattr("tf_inverse.compute.device.choose", lambda name: name)
    real = climb.Climb.show

    def interrupted(self, stage, passes):
        if passes == 5:
            self.stop.signal = signal.SIGINT
        real(self, stage, passes)

    monkeypatch.setattr(climb.Climb, "show", interrupted)
    code, printed = measured(tiny_folder, capsys)
    assert code == 130 and printed.out == "" and "stopped: 5 passes" in printed.err


def test_a_run_with_a_law_tells_its_worth_and_the_size(loaded, tiny_folder, tmp_path, truth):
    path, short = tmp_path / "rows.h5", tmp_path / "short.h5"
    bands = parse(TARGET, loaded)
    settings = Settings(n=64, K=8, method="langevin")
    more = {"as_json": True, "volume": True}
    assert command.run(path, loaded, bands, settings, **more) == 0
    opened = archive.open(path)
    summary = opened.summary
    assert opened.settings["method"] == "langevin" and opened.settings["volume"] is True
    assert summary["probability_low"] < truth < summary["probability_high"]
    assert 10 < summary["ess"] < 200 and summary["r_hat"] < 1.5
    # Rows are taken after rounds of two moves each, the first of them after the burn-in.
    first, second = np.unique(opened.steps[:])[:2]
    assert first + 1 - summary["burn_in"] == second - first == 2 * summary["apart"]
    assert figure_table.FIGURES["burn_in"][0] in figure_table.table({"rows": summary})
    sentence = text.share_of_images(summary)
    assert standing.lines(opened)[0] == sentence
    page = page_data.page([opened], ["rows"])
    assert page["archives"][0]["volume"] == sentence
    assert page["archives"][0]["metrics"]["probability"] in sentence
    # A run that asks for more rows later is the same run, and measures the set again.
    first = Settings(n=16, K=8, method="langevin")
    command.run(short, loaded, bands, first, **more)
    assert command.resume(short, n=64, network=str(tiny_folder), as_json=True) == 0
    assert short.read_bytes() == path.read_bytes()


def stage(level, probability):
    return volume.Stage(probability, level, 0.1, 50, None)


def test_how_long_it_will_take_is_what_the_last_level_says():
    """From 3 short to 2 short in 40 passes: two more levels, and the moves within this one."""
    before, now = stage(-4.0, 0.15), stage(-3.0, 0.15**2)
    assert climb.total(before, now, cost=40, passes=100) == 100 + 40 + 2 * 40
    assert climb.total(None, before, cost=40, passes=100) is None
    assert climb.total(now, before, cost=40, passes=100) is None


def test_what_json_prints_is_json_where_activations_are_no_numbers():
    """Half of a population is not a number: `splitting` has points at -inf for these."""
    z = np.where(np.arange(10) < 5, np.nan, np.arange(10.0))[:, np.newaxis]
    population = splitting.Population(
        *(np.zeros(10), np.zeros(10), np.where(np.isnan(z[:, 0]), np.nan, -2.0), z, np.zeros(10))
    )
    one = next(splitting.split(population, None, np.random.default_rng(0), np.array([True, False])))
    assert (-np.inf, 1.0) in one.curve
    found = volume.Volume(0.5, 0.4, 0.6, 1, 1, "normal", one.curve, "above")
    told = json.dumps(volume.as_dict(found), allow_nan=False)
    assert json.loads(told)["curve"]["points"] == [[6.0, 0.4], [8.0, 0.2]]  # 6, 7, 8, 9; 8, 9
