"""The experiments on the tiny pair: what is run, what is told, and what is refused."""

import dataclasses
import json

import commands
import keras
import numpy as np
import pytest
import worlds
from tf_inverse.tools import cli

from tf_inverse import archive
from tf_inverse.archive import Samples
from tf_inverse.band import Band, Bands, Neuron
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.experiments import command, neurons, page, paper, recipes, runner
from tf_inverse.experiments.ledger import Ledger
from tf_inverse.experiments.runner import Lab, inside, plain
from tf_inverse.judging import judges
from tf_inverse.method.normalization import measure
from tf_inverse.method.settings import Settings
from tf_inverse.networks import storage
from tf_inverse.networks.codes import Codes


@pytest.fixture(scope="module")
def pair(tiny_loaded):
    return tiny_loaded


@pytest.fixture
def lab(pair, tmp_path):
    return Lab(pair, tmp_path, n=6, K=3, say=lambda line: None)


def naive_pair_distance(e):
    e = e.astype(np.float64)
    far = [np.linalg.norm(e[i] - e[j]) for i in range(len(e)) for j in range(i)]
    return np.mean(far)


def test_table1_from_the_command_line(tiny_folder, tmp_path, capsys, loaded_once):
    out = tmp_path / "t"
    flags = [f"--out={out}", f"--network={tiny_folder}", "--neurons=2", "--n=6", "--K=3", "--json"]
    with pytest.raises(SystemExit) as end:
        cli.main(["experiment", "table1", *flags])
    data = json.loads(capsys.readouterr().out)
    assert end.value.code == (3 if any("trouble" in row for row in data["rows"]) else 0)
    assert data == json.loads((out / "table1.json").read_text())
    ours, theirs = data["rows"][:2]
    with archive.open(out / ours["archive"]) as a, archive.open(out / theirs["archive"]) as b:
        distances = [naive_pair_distance(one.encodings[:]) for one in (a, b)]
        target = a.targets[0]
        z = b.activations[:][:, 0]
        within = b.encodings[:][(z >= target["z1"]) & (z <= target["z2"])]
        assert np.all((a.activations[:] >= target["z1"]) & (a.activations[:] <= target["z2"]))
        assert b.settings["method"] == "ppgn" and len(b) <= 6
        networks = storage.load(tiny_folder)
        again = worlds.activation(networks, b.images[:], Neuron("fc3", 0))
        np.testing.assert_allclose(b.activations[:][:, 0], again, atol=1e-4)
    assert ours["ratio"] == pytest.approx(distances[0] / distances[1], rel=1e-5)
    assert theirs["found_in_range"] == len(within)
    if len(within) > 1:
        expected = distances[0] / naive_pair_distance(within)
        assert ours["ratio_in_range"] == pytest.approx(expected, rel=1e-5)
    assert ours["passes"] == 3 * ours["steps"] <= theirs["passes"]
    assert len(data["rows"]) == 4 and data["paper"]["mean pair distance, ours and PPGN"]
    text = (out / "table1.md").read_text()
    assert (
        "ratio to PPGN" in text and paper.NOT_AT_HAND in text and f"--network={tiny_folder}" in text
    )
    assert "data:image/png" in (out / "table1.html").read_text()
    with pytest.raises(SystemExit) as end:
        cli.main(["experiment", "table1", *flags])
    assert end.value.code == 2 and "--overwrite" in capsys.readouterr().err


def test_an_intersection_lies_in_both(lab):
    outcome = recipes.figure4(lab)
    assert [row["found"] for row in outcome.rows] == [6, 6, 6] and outcome.claims[0].holds
    with archive.open(lab.out / "together.h5") as both:
        ends = np.array([(t["z1"], t["z2"]) for t in both.targets])
        z = both.activations[:]
        assert z.shape == (6, 2) and np.all((z >= ends[:, 0]) & (z <= ends[:, 1]))


RIVALS = ["renewal", "ppgn", "activation maximisation", "rejection"]
DISTANCES = ["paper, distance between encodings", "paper, distance between codes"]
CONV = "conv1:2,3,3@0.1:0.5"


@pytest.mark.parametrize(
    ("name", "targets", "methods"),
    [
        ("figure1", "fc3:dog@0:1", ["renewal"] * 6),
        ("figure2", "fc3:dog@p60:p95", RIVALS),
        ("figure3", f"{CONV}, conv1:2,3,3@0.5:1", ["renewal", "renewal", "ppgn"]),
        ("figure5", f"fc3:dog@p60:p95, {CONV}", ["renewal"] * 3),
        ("figure6", None, ["renewal"] * 2),
        ("figure7", "fc3:dog@p60:p95", DISTANCES),
    ],
)
def test_the_other_recipes(pair, tmp_path, name, targets, methods):
    # The last rungs of figure 1 lie beyond what so small a pair reaches: soon given up.
    lab = Lab(pair, tmp_path, n=3, K=3, targets=targets, patience=20, say=lambda line: None)
    outcome = recipes.RECIPES[name](lab)
    assert [row["method"] for row in outcome.rows] == methods
    ours = [row for row in outcome.rows if row["method"] not in RIVALS[1:]]
    assert all(row["in_range"] == 1 for row in ours if row["found"])
    if name == "figure2":  # a draw is a look forward, half of a pass there and back
        assert outcome.rows[3]["passes"] == 2 * outcome.rows[0]["passes"]
    full = sum(row["found"] == 3 for row in ours)
    assert full >= (2 if name == "figure1" else len(ours))
    text = command.write(tmp_path, name, outcome, "tf-inverse", "tiny")
    assert outcome.title in text and (tmp_path / f"{name}.png").exists()


def test_without_diversity_from_one_start(lab):
    lab.targets = "fc3:dog@p97:p99.8"  # far from the start, which would else be a sample at once
    outcome = recipes.figure8(lab)
    assert [row["method"] for row in outcome.rows] == ["paper, eq. 5", "paper, eq. 14"]
    spread, collapsed = outcome.rows
    # A few steps lead there in so small a world, in which diversity can do little.
    assert collapsed["pair_distance"] < spread["pair_distance"]
    assert outcome.claims[0].holds == (collapsed["pair_distance"] <= 0.3 * spread["pair_distance"])
    # Both start from one code, a hundredth of a deviation apart.
    start = recipes._one_start(lab, measure(lab.networks, (Neuron("fc3", 1),)))
    bank = start.natural.bank
    assert start.codes.kind == "bank" and 0.008 < bank.std(axis=0).mean() < 0.012


def test_the_fast_scheme_beside_all_at_once(lab):
    lab.targets = "fc3:dog@p60:p95"
    outcome = recipes.figure9(lab)
    full, fast, renewal = outcome.rows
    assert full["passes"] == 6 * full["steps"] and fast["passes"] == 3 * fast["steps"]
    shares = [row["pair_distance"] / full["pair_distance"] for row in (fast, renewal)]
    for claim, share in zip(outcome.claims, shares, strict=False):
        assert claim.holds == (share >= 0.9) and f"{100 * share:.0f} %" in claim.figures


def test_ranges_that_cannot_be_reached_are_told(lab):
    lab.targets = "fc3:dog@500:600"
    row = lab.ours("far", Bands(neurons.given(lab.networks, lab.targets)), patience=5)
    assert row["found"] == 0 and "fc3:1@500:600" in row["trouble"] and row["archive"] is None
    outcome = recipes.Outcome("title", "text", [row | {"method": "a|b <i>"}], [])
    text = page.markdown(outcome, "table1", "tf-inverse", "tiny")
    assert row["trouble"] in text and "a\\|b" in text
    told = page.page(outcome, "table1", "tf-inverse", "tiny", None)
    assert "&lt;i&gt;" in told and "What holds" in told
    bare = outcome._replace(rows=[{"neuron": "a", "method": "b"}])
    assert "What holds" not in page.page(bare, "size", "tf-inverse", "tiny", None)


def test_figures_of_samples(lab, pair):
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D()])
    lab.judge = judges.load(model)
    images = np.zeros((4, 8, 8, 3), np.uint8)
    images[:3, ..., 1] = 200  # the judge calls green 1
    c = np.zeros((4, 6), np.float32)
    c[0, 0], c[1] = 9.0, 2.5
    z = np.array([[0.1], [0.4], [0.6], [0.9]], np.float32)
    samples = Samples(images, c, np.zeros((4, 7), np.float32), z, np.zeros(4), np.zeros(4))
    bands = Bands([Band(Neuron("fc3", 1), 0.3, 0.7)])
    figures = lab.figures(samples, bands, None)
    assert figures["saturated"] == 0.75  # three of twelve planes are at 200
    assert figures["judge"] == 0.75 and figures["in_range_of_kept"] == 0.5 and figures["kept"] == 4
    assert figures["extreme"] == pytest.approx(1 / 24)  # 9 is; 2.5 deviations are not
    norms = (9 + 2.5 * np.sqrt(6)) / 4
    assert figures["code_norm"] == pytest.approx(norms / 2.35, rel=0.05)  # E |N(0, 1)^6|
    both = samples._replace(activations=np.repeat(z, 2, axis=1))
    assert lab.figures(both, Bands(bands * 2), None)["judge"] is None


def test_targets_of_one_name_have_archives_of_their_own(lab):
    """-3 to 2 and -3 to -2 differ in a sign, which no file's name holds."""
    names = [plain([Band(worlds.NEURON, -3.0, z2)]) for z2 in (2.0, -2.0)]
    assert names[0] == names[1]
    bands = [Bands([Band(worlds.NEURON, -3.0, z2)]) for z2 in (2.0, 3.0)]
    ledger = Ledger(lab.out, "figure1")

    def run():
        one = dataclasses.replace(lab, runs=set(), ledger=ledger)
        return [one.rejection(names[0], band, 3) for band in bands]

    rows = run()
    assert [row["archive"] for row in rows] == [f"{names[0]}.h5", f"{names[0]}-2.h5"]
    assert all((lab.out / row["archive"]).exists() for row in rows)
    # The same once more finds each as it was.
    assert rows[0]["neuron"] != rows[1]["neuron"] and run() == rows


def test_pair_distance_of_images_in_range_alone():
    e = np.array([[0.0, 0], [3, 4], [100, 100], [0, 8]], np.float32)
    z = np.array([[1.0], [2.0], [2.1], [1.5]], np.float32)
    samples = Samples(e, e, e, z, np.zeros(4), np.zeros(4))
    bands = Bands([Band(Neuron("fc3", 1), 1.0, 2.0)])
    # 5, 8 and 5 apart; the third image is outside.
    assert inside(samples, bands) == {"found_in_range": 3, "pair_distance_in_range": 6.0}
    one = inside(samples, Bands([Band(Neuron("fc3", 1), 1.9, 2.0)]))
    assert one == {"found_in_range": 1, "pair_distance_in_range": None}


def test_a_small_value_where_codes_are_nearly_always_0_is_not_extreme(lab):
    bank = np.zeros((1000, 6), np.float32)
    bank[:, 0] = np.random.default_rng(0).standard_normal(1000)  # over all entries: 0.41
    lab.networks = dataclasses.replace(
        lab.networks,
        codes=Codes("bank", 6),
        natural=dataclasses.replace(lab.networks.natural, bank=bank),
    )
    c = np.array([[0, 1.0, 1.5, 2.5, 0, 0], [2.5, 0, 0, 0, 0, 3.5]], np.float32)
    # 1.5, 2.5 and 3.5 where codes are 0; not 2.5 where they are N(0, 1).
    assert lab._codes(c)["extreme"] == 3 / 12


def test_ratios_that_are_not_known(monkeypatch, lab):
    rows = [{"ratio": 1.5, "in_range": 1.0, "found": 6}, {"in_range": 0.2, "found_in_range": 1}]
    monkeypatch.setattr(recipes, "_beside_ppgn", lambda *given: rows)
    whole, in_range, _ = recipes.table1(lab).claims
    assert whole.holds and in_range.holds is None and "no ratio" in in_range.figures
    rows[0]["ratio_in_range"] = 1.1
    assert recipes.table1(lab).claims[1].holds is False
    assert recipes._all([1.3, 1.1], 3) is False and recipes._all([1.3, 1.2], 2) is True


def test_a_neuron_without_images_has_no_ratio_and_no_share(monkeypatch, lab):
    ours = iter([{"ratio": 1.5, "in_range": 1.0, "found": 6}, {"in_range": 0, "found": 0}])
    theirs = {"in_range_of_kept": 0.2, "found_in_range": 1}
    monkeypatch.setattr(recipes, "_beside_ppgn", lambda *given: [next(ours), theirs])
    chosen = [Band(Neuron("fc3", unit), 0.0, 1.0) for unit in (0, 1)]
    monkeypatch.setattr(recipes.neurons, "classes", lambda *given: chosen)
    whole, _, inside_ = recipes.table1(lab).claims
    assert not whole.holds and whole.figures == "ratios 1.50 to 1.50, 1 of 2 at least 1.2"
    assert inside_.holds and inside_.figures.startswith("ours 100 %")


def test_weights_of_a_lab_go_into_its_runs(lab):
    lab.beta, lab.diversity, lab.patience = 0.07, 0.3, 7
    own = lab.settings()
    assert (own.beta, own.diversity, own.patience) == (0.07, 0.3, 7)
    assert lab.settings(distance="none").diversity == 0 and lab.settings(patience=5).patience == 5
    lab.beta = lab.diversity = lab.patience = None
    assert lab.settings(method="paper") == Settings(n=6, K=3, method="paper")


def test_neurons_come_from_nature(pair):
    bands = neurons.classes(pair, None, 3)
    assert [b.neuron for b in bands] == [Neuron("fc3", unit) for unit in range(3)]
    z = pair.natural.activations["fc3"]
    for one in bands:
        share = np.mean((z[:, one.neuron.unit] >= one.z1) & (z[:, one.neuron.unit] <= one.z2))
        assert 0.003 <= share <= 0.02
    together = [b.neuron.unit for b in neurons.together(pair, None)]
    alike = np.corrcoef(z.T) - 2 * np.eye(4)
    assert alike[tuple(together)] == pytest.approx(alike.max())
    three = "fc3:0@0:1, fc3:2@1:2, fc3:1@0:1"
    assert neurons.given(pair, three)[1].neuron.unit == 2
    # What is named is run; a recipe of one neuron says that it has no use for more.
    assert len(neurons.classes(pair, three, None, 2)) == 3 and len(bands) == 3
    assert len(neurons.classes(pair, three, 1, 2)) == 1 == len(neurons.classes(pair, None, None))
    with pytest.raises(UsageError, match="expected one target for this recipe, got 3: fc3:0@0"):
        neurons.single(pair, three)
    z = z.copy()
    z[:, together[0]] = 0.5  # a class that no image moves
    nature = dataclasses.replace(pair.natural, activations={"fc3": z})
    dead = dataclasses.replace(pair, natural=nature)
    others = np.delete(np.arange(4), together[0])
    alike = (np.corrcoef(z[:, others].T) - 2 * np.eye(3)).max()
    found = [b.neuron.unit for b in neurons.together(dead, None)]
    assert np.corrcoef(z[:, found].T)[0, 1] == pytest.approx(alike)
    z[:, others[:2]] = 0.5
    with pytest.raises(UsageError, match="natural images move 1 of the classes of tiny"):
        neurons.together(dead, None)
    with pytest.raises(UsageError, match="statistics of a convolution"):
        neurons.hidden(pair, None)
    bare = worlds.tiny_networks()
    for choose in (neurons.hidden, neurons.together):
        with pytest.raises(UsageError, match="--targets"):
            choose(bare, None)


def test_refusals(tmp_path, tiny_folder):
    given = (str(tmp_path), str(tiny_folder), None, "float32", False, False)
    with pytest.raises(UsageError, match="table1, figure1.*got 'figure99'"):
        command.run("figure99", *given)
    with pytest.raises(UsageError, match="expected --neurons of 1 or more, got -1"):
        command.run("table1", *given, neurons=-1)
    mine = tmp_path / "range-1.h5"
    mine.write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="range-1.h5 exists; give --overwrite or another"):
        command.run("figure1", *given)
    assert mine.read_bytes() == b"mine"
    # One that its recipe refuses leaves nothing new, and what there was.
    before = tmp_path / "figure5.json"
    before.write_text("{}")
    for out in (tmp_path / "new", tmp_path):
        flags = (str(out), *given[1:4], True, False)
        with pytest.raises(UsageError, match="expected a label of fc3"):
            command.run("figure5", *flags, targets="fc3:none@0:1, fc3:dog@0:1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figure5.json", "range-1.h5"]


def figures(path):
    """What an experiment came to, without the seconds that it took."""
    data = json.loads((path / "figure4.json").read_text())
    return data | {"rows": [{k: v for k, v in r.items() if k != "seconds"} for r in data["rows"]]}


def test_a_stopped_experiment_goes_on_after_the_last_run_that_ended(
    tiny_folder, tmp_path, capsys, loaded_once, monkeypatch
):
    """The same command does the others alone, and comes to what it would have come to."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    flags = ["figure4", f"--network={tiny_folder}", "--K=3", "--precision=float32"]
    assert commands.run("experiment", *flags, "--n=6", f"--out={whole}") == 0
    real, calls = runner.sample, []

    def stopped(*args, **options):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(runner, "sample", stopped)
        assert commands.run("experiment", *flags, "--n=6", f"--out={parts}") == 130
        assert "the same command goes on" in capsys.readouterr().err
        assert commands.run("experiment", *flags, "--n=7", f"--out={parts}") == 2
        assert "n: 6 there, 7 now" in capsys.readouterr().err
        other = parts / "range-1.h5"
        other.write_bytes(b"mine")
        assert commands.run("experiment", *flags, "--n=6", f"--out={parts}") == 2
        assert "range-1.h5 exists" in capsys.readouterr().err and other.read_bytes() == b"mine"
        other.unlink()
        # What another hand has changed is not taken for what was done.
        (parts / "alone-2.h5").write_bytes(b"damaged")
        assert commands.run("experiment", *flags, "--n=6", f"--out={parts}") == 0
    assert "going on after 2 runs that are done" in capsys.readouterr().err and len(calls) == 5
    assert figures(parts) == figures(whole)
    names = {path.name for path in whole.iterdir()}
    assert names == {path.name for path in parts.iterdir()} and "figure4.runs.json" not in names
    for path in whole.glob("*.h5"):
        assert (parts / path.name).read_bytes() == path.read_bytes()


def test_an_experiment_that_was_stopped_while_it_replaced_another_goes_on(
    tiny_folder, tmp_path, capsys, loaded_once, monkeypatch
):
    flags = ["figure4", f"--network={tiny_folder}", "--K=3", "--precision=float32", "--n=6"]
    flags += [f"--out={tmp_path}"]
    assert commands.run("experiment", *flags) == 0
    with monkeypatch.context() as patch:
        patch.setattr(runner, "sample", interrupted)
        assert commands.run("experiment", *flags, "--overwrite") == 130
    assert "the same command without --overwrite goes on" in capsys.readouterr().err
    # What the one before came to would be untrue of the archives that come.
    assert not (tmp_path / "figure4.json").exists()
    assert commands.run("experiment", *flags) == 0
    assert (tmp_path / "figure4.json").exists()


def interrupted(*args, **options):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        ("{", "not valid JSON"),
        ("[]", "expected tf_inverse experiment version 1"),
        ('{"format": "tf_inverse experiment", "version": 1, "settings": {}}', "settings and runs"),
        (
            '{"format": "tf_inverse experiment", "version": 1, "settings": {}, "runs": {"a": 3}}',
            "expected a row of each run",
        ),
    ],
)
def test_a_damaged_ledger_is_refused(tmp_path, contents, said):
    (tmp_path / "figure1.runs.json").write_text(contents)
    with pytest.raises(RefusedInput, match=said):
        Ledger(tmp_path, "figure1")
    assert not Ledger(tmp_path, "figure1", anew=True).owns(tmp_path / "a.h5")


def test_the_command_of_a_page_tells_the_precision_that_was_asked_for():
    flags = {"precision": "float32", "n": 6, "beta": None}
    line = command.typed("figure1", "cifar10", None, flags)
    assert line == ("tf-inverse experiment figure1 --network=cifar10 --precision=float32 --n=6")


def test_every_recipe_has_its_words_of_the_paper():
    assert set(paper.GIVEN) == set(recipes.RECIPES)
    assert plain((Band(Neuron("a/b", 1, (2, 3)), -1.0, 2.0),)) == "a-b-1-2-3-1-2"
