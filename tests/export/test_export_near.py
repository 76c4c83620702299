"""Exports that begin near natural codes: the deck inside, how it is dealt, and what is drawn."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
import worlds

from tf_inverse import export
from tf_inverse.band import Band, Bands, Neuron
from tf_inverse.export import dealing
from tf_inverse.method.settings import Settings
from tf_inverse.networks import starts
from tf_inverse.networks.codes import Codes

LAYERS = ("fc3", "conv1")
LIMITS = (-2.0, 2.0)
N, TYPICAL = 120, 100
rng = np.random.default_rng(4)


def pair():
    """The tiny pair with natural codes, and what the images that G draws of them excite."""
    tiny = worlds.tiny_networks()
    c = rng.uniform(*LIMITS, (N, 6)).astype(np.float32)
    z = np.asarray(tiny.classifier(worlds.images(tiny, c).astype(np.float32)))
    natural = dataclasses.replace(
        worlds.natural(tiny), encodings=c, bank=c[:TYPICAL], random=TYPICAL, activations={"fc3": z}
    )
    return worlds.tiny_networks(codes=Codes("bank", 6, LIMITS), natural=natural)


@pytest.fixture(scope="module")
def networks():
    return pair()


@pytest.fixture(scope="module")
def exported(networks, tmp_path_factory):
    """Folder, figures and the signatures as loaded."""
    out = tmp_path_factory.mktemp("near") / "tiny"
    figures = export.write(networks, out, LAYERS)
    return out, figures, tf.saved_model.load(str(out / "1")).signatures


def asked(networks, **changes):
    """Unit 2 of fc3, between its upper quartile and the most."""
    z = networks.natural.activations["fc3"][:, 2]
    given = {
        "neurons": [[0, 2, 0, 0]],
        "ranges": [np.quantile(z, (0.75, 0.95))],
        "rows": 5,
        "count": 12,
        "seed": 7,
    } | changes
    kinds = {"ranges": tf.float32, "sd": tf.float32, "seed": tf.int64, "limit": tf.int64}
    return {name: tf.constant(one, kinds.get(name, tf.int32)) for name, one in given.items()}


def test_a_deck_is_the_bank_in_bytes(networks, exported):
    deck = dealing.deck(networks, LAYERS, ((), ()))
    stored = networks.natural.encodings
    width = (stored.max(axis=0) - stored.min(axis=0)) / 255
    found = dealing.codes(deck, LIMITS).numpy()
    assert (abs(found - stored) <= width / 2 + 1e-6).all()
    np.testing.assert_array_equal(deck.activations[0], networks.natural.activations["fc3"])
    assert deck.activations[1] is None
    assert exported[1]["deck"] == deck.size == N * 6 + 3 * 6 * 4 + N * 4 * 4
    text = (exported[0] / "README.md").read_text()
    assert f"{deck.size:,} bytes" in text and "### draw: starts and then sample" in text
    facts = json.loads((exported[0] / "card.json").read_text())
    inputs = {one["name"] for one in facts["endpoints"]["draw"]["inputs"]}
    assert inputs == {"neurons", "ranges", "sd", "rows", "count", "limit", "seed"}


@pytest.mark.parametrize("p", [1, 3])
def test_a_graph_deals_the_cards_that_the_library_deals(p):
    z = rng.standard_normal((60, p)).astype(np.float32)
    z[50:] *= 4
    np.testing.assert_array_equal(dealing.cards(tf.constant(z), 50), starts._deck(z, 50))


def test_a_graph_gives_each_row_the_card_that_the_library_gives_it():
    for rows, columns in ((1, 4), (6, 24), (5, 5)):
        far = rng.integers(0, 9, (rows, columns)).astype(np.float32)
        far[rng.random(far.shape) < 0.1] = np.nan
        found = dealing.matched(tf.constant(far)).numpy()
        np.testing.assert_array_equal(found, starts._matched(far.astype(np.float64)))


def test_starts_are_natural_codes_near_the_aims(networks, monkeypatch):
    """Without noise the very codes, of stored activations and of those that have to be drawn."""
    monkeypatch.setattr(dealing, "KERNEL", 0.0)
    deck = dealing.deck(networks, LAYERS, ((), ()))
    bank = dealing.codes(deck, LIMITS).numpy()
    hidden = Neuron("conv1", 3, (2, 4))

    def look(c, neurons):
        h = networks.outputs(networks.images(c), LAYERS)[1]
        return tf.where(neurons[:, 0] == 0, h["fc3"][:, 2:3], h["conv1"][:, 2, 4, 3:4])

    deal = tf.function(dealing.make(deck, look, LIMITS), autograph=False)
    drawn = starts.drawn(networks, (hidden,))
    for neurons, z in (
        ([[0, 2, 0, 0]], networks.natural.activations["fc3"][:, 2:3]),
        ([[1, 3, 2, 4]], drawn),
    ):
        ends = np.quantile(z, (0.2, 0.9)).astype(np.float32)
        share = (z[:, 0] - ends[0]) / (ends[1] - ends[0])
        given = tf.constant(neurons), tf.constant(ends[np.newaxis]), tf.constant(3, tf.int64)
        c, aims = (one.numpy() for one in deal(*given, 4, 23))
        which = [int(np.flatnonzero((bank == row).all(axis=1))[0]) for row in c]
        cards = starts._deck(z, TYPICAL)
        assert set(which) <= set(cards.tolist()) and len(set(which)) == 23
        # What the row would miss its aim by with a card that comes as it comes.
        chance = np.abs(share[cards] - aims).mean()
        assert np.abs(share[which] - aims[:, 0]).mean() < 0.4 * chance
        fewer, first = deal(*given, 4, 9)
        np.testing.assert_array_equal(fewer, c[:9])
        np.testing.assert_array_equal(first, aims[:9])
        other = deal(*given[:2], tf.constant(4, tf.int64), 4, 23)[0].numpy()
        assert not (other == c).all()


def test_a_small_deck_is_dealt_again(networks):
    deck = dealing.deck(networks, LAYERS, ((), ()))
    few = deck._replace(codes=deck.codes[:9], typical=9, activations=(deck.activations[0][:9],))
    given = tf.constant([[0, 2, 0, 0]]), tf.constant([[-1.0, 1.0]]), tf.constant(0, tf.int64)
    deal = tf.function(dealing.make(few, lambda c, neurons: c[:, :1], LIMITS), autograph=False)
    assert len(np.unique(deal(*given, 5, 20)[0], axis=0)) == 20


def test_draw_is_starts_and_then_sample_and_every_image_is_true(networks, exported):
    signatures = exported[2]
    c, aims = (signatures["starts"](**asked(networks))[name] for name in ("codes", "aims"))
    assert c.shape == (4 * 17, 6) and aims.shape == (4 * 17, 1)
    assert c.numpy().min() >= LIMITS[0] and c.numpy().max() <= LIMITS[1]
    more = asked(networks, sd=[0.0], limit=500)
    found = signatures["draw"](**more)
    more.pop("seed")
    expected = signatures["sample"](**more, codes=c, aims=aims)
    for name, one in expected.items():
        np.testing.assert_array_equal(found[name], one, name)
    assert found["found"] == 12
    x = found["images"].numpy()
    np.testing.assert_array_equal(x, worlds.images(networks, found["codes"].numpy()))
    z = worlds.activation(networks, x, Neuron("fc3", 2))
    z1, z2 = more["ranges"].numpy()[0]
    assert (z >= z1).all() and (z <= z2).all()
    # A few steps take few codes, however many samples are asked for.
    short = signatures["draw"](**asked(networks, sd=[0.0], limit=0, count=1 << 27))
    assert short["found"] == 0 and short["taken"] == 0


def test_a_server_draws_the_same(networks, exported):
    """A session, which is what a server of TensorFlow's runs."""
    given = asked(networks, sd=[0.0], limit=500)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        place = str(exported[0] / "1")
        model = tf.compat.v1.saved_model.loader.load(session, ["serve"], place)
        served = model.signature_def["draw"]
        fed = {one.name: given[name].numpy() for name, one in served.inputs.items()}
        found = session.run({name: one.name for name, one in served.outputs.items()}, fed)
    for name, one in exported[2]["draw"](**given).items():
        np.testing.assert_array_equal(found[name], one, name)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rows": 0}, "expected neurons, rows > 0 and count >= 0"),
        ({"count": -1}, "expected .*count >= 0"),
        ({"ranges": [[1.0, 0.0]]}, "expected finite ranges with z1 < z2"),
        ({"ranges": [[0.0, 1.0]] * 2}, "a row of ranges for each neuron"),
        ({"neurons": [[0, 4, 0, 0]]}, r"expected neurons \[layer, unit, row, column\]"),
    ],
)
def test_what_does_not_belong_together_is_refused(networks, exported, changes, words):
    for name, more in (("starts", {}), ("draw", {"sd": [0.0], "limit": 10})):
        with pytest.raises(tf.errors.InvalidArgumentError, match=words):
            exported[2][name](**asked(networks, **changes, **more))


def test_random_starts_leave_the_deck_out(networks):
    made = export.gather(networks, LAYERS, Settings(starts="random"))
    assert made.deck is None
    # Deviations are nature's, where they are stored.
    np.testing.assert_array_equal(made.sd[0], np.float32(networks.natural.layers["fc3"][1]))
    assert export.gather(worlds.tiny_networks(), LAYERS, Settings(starts="near")).deck is None


def test_the_librarys_question_begins_near_as_the_library_does(networks):
    bands = Bands([Band(Neuron("fc3", 2), 0.0, 0.5)])
    given = export.question(networks, LAYERS, bands, Settings(n=4, K=3, seed=2))
    expected = starts.stream(networks, bands, 2, 3, "near").rows(0, 28)
    np.testing.assert_array_equal(given["codes"], expected[0])
    np.testing.assert_array_equal(given["aims"], expected[1])
