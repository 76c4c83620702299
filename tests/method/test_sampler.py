"""The loop that users call, on the tiny pair: what it yields is true, new, and repeatable."""

import dataclasses
import itertools
import json
import math
import types

import drawing
import keras
import numpy as np
import pytest
import worlds
from drawing import equal, one_image

from tf_inverse.band import Band, Bands, Neuron
from tf_inverse.errors import SeedsNotFound, Stalled, Unreachable, UsageError
from tf_inverse.method import fidelity, keeper, loops, normalization, sampler
from tf_inverse.method.sampler import Samples, sample
from tf_inverse.method.settings import Settings
from tf_inverse.networks import yardstick
from tf_inverse.networks.codes import Codes, Stream, draw, generator

METHODS = ("renewal", "paper", "langevin")
K, N = 4, 45


def run(networks, bands, state=None, **options):
    return drawing.run(networks, bands, state, **{"n": N, "K": K} | options)


@pytest.fixture(scope="module")
def bands(band):
    return Bands([band(worlds.NEURON)])


@pytest.fixture(scope="module")
def whole(tiny, bands):
    """method -> batches and samples of an uninterrupted run."""
    return {method: run(tiny, bands, method=method) for method in METHODS}


@pytest.mark.parametrize("method", METHODS)
def test_n_distinct_images_each_in_the_band_by_plain_keras(tiny, bands, whole, method):
    batches, found = whole[method]
    assert [len(a) for a in found[:6]] == [N] * 6 and found.from_bank is None
    # Chains have been everywhere: where one began says nothing about its rows.
    assert len(found.from_start) == N if method != "langevin" else found.from_start is None
    assert len({x.tobytes() for x in found.images}) == N
    z = worlds.activation(tiny, found.images, worlds.NEURON, 1)
    assert ((z >= bands[0].z1) & (z <= bands[0].z2)).all()
    np.testing.assert_allclose(found.activations[:, 0], z, rtol=1e-4)
    # The stored image is G of the stored code; a value within rounding of .5 may go either way.
    again = worlds.images(tiny, found.codes).astype(int)
    assert np.abs(again - found.images).max() <= 1 and np.mean(again != found.images) < 1e-3
    assert (np.diff(found.steps) >= 0).all() and set(found.chain) <= set(range(K))
    infos = [b.info for b in batches]
    assert infos[-1].found == N and 0 <= min(i.acceptance for i in infos)
    assert found.steps[-1] < infos[-1].steps
    assert found.images.dtype == np.uint8 and found.activations.dtype == np.float32


@pytest.mark.parametrize("method", METHODS)
def test_same_seed_same_samples_other_seed_others(tiny, bands, whole, method):
    assert equal(run(tiny, bands, method=method)[1], whole[method][1])
    other = run(tiny, bands, method=method, seed=1)[1]
    assert not {x.tobytes() for x in other.images} & {x.tobytes() for x in whole[method][1].images}


def test_a_traced_graph_and_a_fresh_one_agree(bands, whole):
    """Nothing of an earlier run stays behind in what is compiled."""
    assert equal(run(worlds.tiny_networks(), bands)[1], whole["renewal"][1])


@pytest.mark.parametrize("method", METHODS)
def test_resumed_from_any_batch_equals_uninterrupted(tiny, bands, whole, method):
    batches, found = whole[method]
    assert len(batches) > 2
    for i, batch in enumerate(batches[:-1]):
        if i and method == "langevin" and not batch.info.found:
            continue  # the state of the very start, which the first batch has tried
        before = sum(len(b.samples.images) for b in batches[: i + 1])
        rest = run(tiny, bands, batch.state, method=method)[1]
        assert equal(rest, found.rows(slice(before, None))), i
    assert list(sample(tiny, bands, Settings(n=N, K=K, method=method), batches[-1].state)) == []


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 13])
def test_raised_n_continues_as_if_it_had_been_asked_for(tiny, bands, whole, method, n):
    """The first run stops in the middle of a chunk; the rest of that chunk is not lost."""
    batches, first = run(tiny, bands, method=method, n=n)
    # More, twice: the second time from a state that had a part of that chunk already.
    parts, state = [first], batches[-1].state
    for more in (n + 1, N):
        batches, found = run(tiny, bands, state, method=method, n=more)
        parts, state = [*parts, found], batches[-1].state
    assert equal(Samples.joined(parts), whole[method][1])


def test_what_lies_within_rounding_of_an_end_is_no_sample(tiny, bands):
    """1e-5 of the larger end, at most a quarter of the range; and what is no number is none."""
    e = np.zeros((6, 7), np.float32)
    e[5, 3] = np.nan
    for z1, z2, slack in ((100.0, 200.0, 2e-3), (100.0, 100.001, 0.00025)):
        band, scale = Band(worlds.NEURON, z1, z2), normalization.measure(tiny, bands.neurons)
        kept = keeper.Keeper(tiny, Bands([band]), Settings(n=9), None, scale)
        ends = z1, z1 + 0.9 * slack, z1 + 1.1 * slack, z2 - 1.1 * slack, z2 - 0.9 * slack
        z = np.array([*ends, (z1 + z2) / 2])[:, None]
        images = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1)
        scored = Samples(images, np.zeros((6, 6)), e, z, np.arange(6), np.arange(6))
        assert kept.take(scored, np.zeros((6, 6))).steps.tolist() == [2, 3]


@pytest.fixture(scope="module")
def banked(tiny):
    """A tiny pair whose codes begin at those of a bank of nine."""
    bank = np.random.default_rng(3).standard_normal((9, 6)).astype(np.float32)
    nature = dataclasses.replace(worlds.natural(tiny), bank=bank, layers={})
    return worlds.tiny_networks(codes=Codes("bank", 6), natural=nature)


@pytest.mark.parametrize("method", METHODS[:2])
def test_how_far_codes_went_is_told_in_deviations_of_codes(banked, bands, method):
    """Codes begin at the bank's: of the paper's rows they are known, of the pool's one of them."""
    networks, bank = banked, banked.natural.bank
    _, found = run(networks, bands, method=method, n=15)
    sd = normalization.measure(networks, (worlds.NEURON,)).c_sd
    ways = [[math.dist(c, b) / (sd * 6**0.5) for b in bank.tolist()] for c in found.codes.tolist()]
    np.testing.assert_allclose(found.from_bank, np.min(ways, axis=1), rtol=1e-5, atol=1e-6)
    if method == "paper":
        first = codes_of(networks, K)
        begun = [math.dist(c, first[k]) for c, k in zip(found.codes, found.chain, strict=True)]
        np.testing.assert_allclose(found.from_start, np.array(begun) / (sd * 6**0.5), rtol=1e-5)
    nearest = np.abs(np.array(ways) - found.from_start[:, None]).min(axis=1)
    assert nearest.max() < 1e-5 and found.from_start.max() > 0.01
    # What was in range at once was never moved.
    still = [c.tobytes() in {b.tobytes() for b in bank} for c in found.codes]
    np.testing.assert_array_equal(found.from_bank == 0, still)


def codes_of(networks, K):
    return Stream(networks, 0, 1, K).rows(0, K)[0]


def test_only_true_and_new_images_are_kept(tiny, bands, monkeypatch):
    """Whatever a method hands over: scored again, in the band, and each image once."""
    codes = np.random.default_rng(7).standard_normal((60, 6)).astype(np.float32)
    codes = np.concatenate([codes, codes[::3]])
    images = worlds.images(tiny, codes)
    z = worlds.activation(tiny, images, worlds.NEURON)
    inside = [i for i in range(60) if bands[0].z1 <= z[i] <= bands[0].z2]
    rows = np.arange(len(codes))
    chunk = loops.Chunk(images, codes, rows, rows % K, {}, {}, 10, 10, np.array([1.0]))
    monkeypatch.setitem(sampler.METHODS, "renewal", lambda *_: iter([chunk]))
    batches, found = run(tiny, bands, n=len(inside))
    assert 5 < len(inside) < 40 and found.steps.tolist() == inside
    np.testing.assert_array_equal(found.images, images[inside])
    assert batches[0].info.acceptance == len(codes) / (10 * K)


def test_states_are_plain_arrays(whole):
    for batches, _ in whole.values():
        for name, array in batches[0].state.items():
            assert isinstance(array, (np.ndarray, np.generic)) and array.dtype != object, name


@pytest.mark.parametrize("method", METHODS)
def test_intersection_across_layers_by_brute_force(tiny, band, method):
    neurons = Neuron("fc3", 2), Neuron("conv1", 1, (2, 5))
    bands = tuple(band(n, 0.4, 0.8) for n in neurons)
    found = run(tiny, bands, method=method, n=9)[1]
    assert found.activations.shape == (9, 2)
    for i, one in enumerate(bands):
        z = worlds.activation(tiny, found.images, one.neuron)
        assert ((z >= one.z1) & (z <= one.z2)).all()
        np.testing.assert_allclose(found.activations[:, i], z, rtol=1e-4, atol=1e-4)


def test_samples_per_seed_gives_runs_from_one_code(tiny, bands):
    """Codes of one run of three lie closer than those of different runs; all images differ."""
    found = run(tiny, bands, n=36, samples_per_seed=3)[1]
    assert len({x.tobytes() for x in found.images}) == 36
    within, between = [], []
    for chain in range(K):
        codes = found.codes[found.chain == chain]
        for i, (a, b) in enumerate(itertools.pairwise(codes)):
            (between if i % 3 == 2 else within).append(np.linalg.norm(a - b))
    assert len(between) >= 4 and np.mean(within) < 0.75 * np.mean(between)


@pytest.mark.parametrize("method", METHODS[:2])
def test_keras_optimizer_in_place_of_the_normalised_step(tiny, bands, whole, method):
    options = {"method": method, "optimizer": "adam", "n": 9}
    batches, found = run(tiny, bands, **options)
    assert len(found.images) == 9 and not equal(found, whole[method][1].rows(slice(9)))
    assert equal(run(tiny, bands, **options)[1], found)
    assert any(name.startswith("slot.") for name in batches[0].state)
    rest = run(tiny, bands, batches[0].state, **options)[1]
    assert equal(rest, found.rows(slice(len(batches[0].samples.images), None)))


def test_an_unknown_optimizer_is_refused(tiny, bands):
    for name in ("volcano", "LossScaleOptimizer"):
        with pytest.raises(UsageError, match=f"of a Keras optimizer, as adam, got '{name}'"):
            run(tiny, bands, optimizer=name)


@pytest.mark.parametrize("method", METHODS)
def test_the_literal_bound_exceeds_z2(tiny, band, method):
    """Eqs. 7 to 10 as printed: samples above the range, which the default never gives."""
    # Low enough that many starting codes lie above it.
    low = (band(worlds.NEURON, 0.2, 0.3),)
    z = run(tiny, low, bound="paper", method=method)[1].activations
    assert (z >= low[0].z1).all() and (z > low[0].z2).any()


@pytest.fixture(scope="module")
def hopeless():
    """(bias, kernel) -> a tiny pair with unit 1 of fc3 changed: its bias, a kernel of one value.

    It is one pair whose weights are others each time: its graphs are traced once.
    """
    networks = worlds.tiny_networks()
    layer = networks.classifier.get_layer("fc3")
    own = layer.get_weights()

    def changed(bias, kernel=None):
        weights, biases = (array.copy() for array in own)
        biases[1] = bias
        if kernel is not None:
            weights[:, 1] = kernel
        layer.set_weights([weights, biases])
        return networks

    return changed


@pytest.mark.parametrize(
    ("method", "kind"),
    [("renewal", Unreachable), ("paper", SeedsNotFound), ("langevin", Unreachable)],
    ids=METHODS,
)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((0.0, None), "no sample in|seeds feasible after|of the codes lie in the range"),
        ((0.5, 0.0), "the same for all random codes: a dead unit, or one they do not"),
        ((np.nan, None), "not finite numbers|none is finite"),
    ],
    ids=["far", "dead", "nan"],
)
def test_hopeless_cases_end_with_what_was_reached(
    hopeless, change, words, method, kind, monkeypatch
):
    monkeypatch.setattr("tf_inverse.method.loops.ROUND", 10)
    band = Band(Neuron("fc3", 1), 1e3, 2e3)
    with pytest.raises(kind, match=words) as ended:
        run(hopeless(*change), (band,), method=method, patience=2 if method == "paper" else 8)
    error, text = ended.value, str(ended.value)
    assert "fc3:1@1000:2000: nearest activation reached" in text and "found 0" in text
    assert "random codes' mean" in text and "Choose a range nearer" in text and "\n" not in text
    assert error.exit_code == 3 and error.found == 0
    if np.isfinite(error.best).all():
        assert f"reached {error.best[0]:.4g}" in text and error.best[0] < 1e3


class Overflowing(keras.layers.Layer):
    """What a layer that overflows for some inputs does: NaN where the first number is large."""

    def call(self, x):
        return x * keras.ops.cast(keras.ops.where(x[:, :1] > 0.2, np.nan, 1.0), x.dtype)


def overflowing(encoder):
    """The tiny pair whose encoder overflows, before the target's layer or beside it."""
    tiny = worlds.tiny_networks()
    fc2, fc3 = (tiny.classifier.get_layer(name).output for name in ("fc2", "fc3"))
    encoding = Overflowing(name="enc")(fc2)
    heads = {"beside": [fc3, encoding], "before": keras.layers.Dense(4, name="fc4")(encoding)}
    classifier = keras.Model(tiny.classifier.input, heads[encoder])
    return dataclasses.replace(tiny, classifier=classifier, encoder="enc", labels=None)


@pytest.mark.parametrize(("encoder", "layer"), [("before", "fc4"), ("beside", "fc3")])
def test_rows_that_overflow_do_not_spoil_the_others(encoder, layer):
    networks, neuron = overflowing(encoder), Neuron(layer, 2)
    c = draw(networks, normalization.COUNT, generator(normalization.SEED, 0))
    e, z = networks.score(worlds.images(networks, c), (neuron,))
    sound = np.isfinite(e).all(axis=1)
    assert 0 < (~sound).sum() < len(c) / 4
    scale = normalization.measure(networks, (neuron,))
    z = z[sound, 0].astype(np.float64)
    np.testing.assert_allclose(
        [scale.e_sd, scale.z_mean[0], scale.z_sd[0]],
        [np.sqrt(e[sound].astype(np.float64).var(axis=0).mean()), z.mean(), z.std()],
        rtol=1e-4,
    )
    assert yardstick.of(networks).count == sound.sum()
    band = Band(neuron, *(float(q) for q in np.quantile(z, (0.6, 0.95))))
    _, samples = run(networks, (band,), n=20, K=10, chunk=5 if encoder == "beside" else None)
    assert len(samples.images) == 20 and np.isfinite(samples.encodings).all()
    # Half precision is judged by the codes that are numbers in float32.
    errors = fidelity.measure(networks, (neuron,), "bfloat16")
    assert errors.encodings < 0.5 and errors.activations[0] < scale.z_sd[0]


def test_a_seed_without_numbers_begins_anew():
    """It would stay where it is, and of the paper's K seeds all have to be feasible."""
    networks, neuron = overflowing("before"), Neuron("fc4", 2)

    def begins(seed):
        c = Stream(networks, seed, 1, K).rows(0, K)[0]
        return np.isfinite(networks.encode(worlds.images(networks, c))).all(axis=1)

    # The first seed of random numbers with which one of the K codes overflows.
    seed = next(seed for seed in range(100) if K > begins(seed).sum() > 0)
    c = draw(networks, 200, generator(1, 0))
    z = networks.activations(worlds.images(networks, c), (neuron,))
    ends = np.quantile(z[np.isfinite(z)], (0.3, 0.95))
    bands, options = (Band(neuron, *map(float, ends)),), {"method": "paper", "seed": seed}
    batches, whole = run(networks, bands, n=12, **options)
    assert batches[-1].info.restarts >= K - begins(seed).sum()
    assert np.isfinite(whole.encodings).all() and len(whole.images) == 12
    # What is told of where a sample began is the same of a run that was stopped.
    parts, first = run(networks, bands, n=5, **options)
    _, rest = run(networks, bands, parts[-1].state, n=12, **options)
    assert equal(Samples.joined([first, rest]), whole)


def test_of_a_range_below_the_smallest_activation_is_told(tiny, band, activations):
    below, usual = Band(Neuron("fc3", 1), -2e3, -1e3), band(worlds.NEURON, 0.1, 0.9)
    with pytest.raises(Unreachable, match=rf"never reached: {below}\. Choose") as ended:
        run(tiny, (below, usual), patience=8)
    reached = ended.value.best
    assert f"{below}: nearest activation reached {reached[0]:.4g}" in str(ended.value)
    assert reached[0] < np.median(activations(below.neuron)) and usual.z1 <= reached[1] <= usual.z2


def test_zero_gradient_ends_at_once_without_diversity(hopeless):
    with pytest.raises(Unreachable, match="gradient from the target to the code is zero"):
        run(hopeless(0.5, 0.0), (Band(Neuron("fc3", 1), 1, 2),), diversity=0.0)


def test_natural_mean_and_deviation_are_told(hopeless, monkeypatch):
    networks = hopeless(0.0)
    monkeypatch.setattr(networks, "natural", worlds.natural(networks))
    unit = networks.natural.unit(worlds.NEURON)
    with pytest.raises(Unreachable, match=f"natural mean {unit.mean:.4g}, s.d. {unit.sd:.4g}"):
        run(networks, (Band(worlds.NEURON, 1e3, 2e3),), patience=8)


def test_stalled_keeps_what_was_found(tiny):
    """A generator with a single image: it is found once, and never a second time."""
    one = one_image(tiny.classifier)
    image = np.full((1, 8, 8, 3), 90, np.uint8)
    z = float(worlds.activation(tiny, image, worlds.NEURON)[0])
    kept = []
    with pytest.raises(Stalled, match="found 1. fc3:2") as stalled:
        for batch in sample(
            one, (Band(worlds.NEURON, z - 1, z + 1),), Settings(n=3, K=2, patience=5)
        ):
            kept.extend(batch.samples.images)
    assert stalled.value.found == 1 and np.array_equal(kept, image)


def test_scale_is_measured_on_random_codes(tiny):
    neurons = (worlds.NEURON, Neuron("conv1", 0, (1, 1)))
    measured = normalization.measure(tiny, neurons)
    codes = draw(tiny, normalization.COUNT, generator(normalization.SEED, 0))
    images = worlds.images(tiny, codes)
    for i, neuron in enumerate(neurons):
        z = worlds.activation(tiny, images, neuron, 60).astype(float)
        assert measured.z_mean[i] == pytest.approx(z.mean(), rel=1e-3, abs=1e-4)
        assert measured.z_sd[i] == pytest.approx(z.std(), rel=1e-3)
    e = keras.Model(tiny.classifier.input, tiny.classifier.get_layer("fc2").output)(
        images.astype(np.float32)
    ).numpy()
    pairs = [np.linalg.norm(a - b) for a, b in itertools.combinations(e, 2)]
    assert measured.bandwidth == pytest.approx(np.mean(pairs) / 2, rel=1e-3)
    assert measured.e_sd == pytest.approx(np.sqrt(e.var(axis=0).mean()), rel=1e-3)
    # The convention of lagrangian: squared distances are per dimension and 2 on average.
    squares = [np.sum((a - b) ** 2) for a, b in itertools.combinations(e, 2)]
    assert np.mean(squares) / (len(e[0]) * measured.e_sd**2) == pytest.approx(2, rel=0.05)
    assert measured.c_sd == pytest.approx(1, abs=0.1) and measured.flat == (False, False)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n": 0}, "expected n to be a whole number >= 1, got 0"),
        ({"n": 2.5}, "expected n to be a whole number >= 1, got 2.5"),
        ({"K": True}, "expected K to be a whole number >= 1, got True"),
        ({"seed": -1}, "expected seed to be a whole number >= 0, got -1"),
        ({"seed": 2**63}, "expected seed to be a whole number"),
        ({"samples_per_seed": 0}, "expected samples_per_seed to be a whole number >= 1"),
        ({"patience": 0}, "expected patience to be a whole number >= 1, got 0"),
        ({"method": "ppgn"}, "expected method to be renewal or paper or langevin, got 'ppgn'"),
        ({"bound": "upper"}, "expected bound to be both or paper, got 'upper'"),
        ({"beta": 0.0}, "expected beta > 0, got 0.0"),
        ({"mu0": float("inf")}, "expected mu0 > 0, got inf"),
        ({"a": float("nan")}, "expected a > 0, got nan"),
        ({"diversity": -1.0}, "expected diversity >= 0, got -1.0"),
        ({"beta": "0.1"}, "expected beta > 0, got '0.1'"),
        ({"mu0": None}, "expected mu0 > 0, got None"),
        ({"quality": True}, "expected quality >= 0, got True"),
        ({"chunk": 2.5}, "expected chunk to be a whole number >= 1, got 2.5"),
        ({"chunk": 3}, "expected chunk to divide K = 10, got 3"),
    ],
)
def test_settings_refuse_what_cannot_be(options, words):
    with pytest.raises(UsageError) as refused:
        Settings(**options)
    assert words in str(refused.value)


def test_settings_of_numpys_numbers_are_plain():
    """An archive holds settings as text, which NumPy's numbers have no form for."""
    given = {"n": np.int64(3), "K": np.uint8(4), "chunk": np.int32(2), "beta": np.float32(0.5)}
    found = Settings(**given, diversity=np.float64(0.25))
    assert json.loads(json.dumps(found.asdict())) == Settings(
        n=3, K=4, chunk=2, beta=0.5, diversity=0.25
    ).asdict() | {"n": 3}


def test_without_a_neuron_there_is_nothing_to_sample(tiny):
    with pytest.raises(UsageError, match="at least one neuron with its range to sample, got none"):
        run(tiny, ())


def test_the_papers_preset():
    """Section 3.4's numbers: mu_0 = 10, a = 10, rounds of 100 steps; K = 10 in its experiments."""
    paper = Settings(method="paper")
    assert (paper.mu0, paper.a, paper.K, loops.ROUND) == (10.0, 10.0, 10, 100)
    assert Settings(method="paper", beta=0.02).beta == 0.02
    assert Settings().asdict() | {"method": "paper"} != paper.asdict()


@pytest.mark.parametrize(
    "method, d, beta",
    [("renewal", 4, 0.2), ("renewal", 1600, 0.1), ("paper", 4, 0.1), ("paper", 10_000, 0.005)],
)
def test_a_step_suits_the_size_of_codes(method, d, beta):
    """4 and 0.5 standard deviations for the code as a whole, sqrt(d) times that of an entry."""
    settings = Settings(method=method)
    assert settings.beta is None
    assert settings.sized(d) == dataclasses.replace(settings, beta=beta)
    assert settings.sized(d).sized(7) == settings.sized(d)
    assert Settings(beta=0.3).sized(d).beta == 0.3


@pytest.mark.parametrize(
    "reached, said", [(0.0, "let the range go a bit beyond"), (-1.0, "nearer")]
)
def test_what_reached_the_end_of_its_range_is_not_told_to_go_nearer(reached, said):
    """The 0 of a dead unit lies in a range from 0, and is not taken, for it is the very end."""
    scale = types.SimpleNamespace(natural=False, z_mean=[0.0], z_sd=[1.0], flat=[True])
    bands, best = Bands([Band(Neuron("relu", 3), 0.0, 0.5)]), np.array([reached], np.float32)
    error = sampler.explained(Unreachable("no sample", best, 9), bands, scale, best, 0)
    assert said in str(error)
    assert ("Choose a range" in str(error)) == (reached < 0)
