"""Directions as further units of an export, and of a callback's function: the library's answers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import worlds

from tf_inverse import KerasSampler, band, export
from tf_inverse.archive import Samples
from tf_inverse.errors import UsageError
from tf_inverse.export import addressed, card, endpoints
from tf_inverse.method.normalization import measure
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings

TARGETS = "fc3:ship-0.5*cat@-1:1.5, conv1:@{},0,7@-3:3, fc3:1@-2:2"
SETTINGS = Settings(n=4, K=3)


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    path = tmp_path_factory.mktemp("directions") / "d.npy"
    np.save(path, np.random.default_rng(0).standard_normal(5))
    return TARGETS.format(path)


def test_an_export_with_directions_answers_as_the_library(tiny, targets):
    along = band.neurons(targets, tiny)
    bands = band.parse(targets, tiny)
    exported = export.gather(tiny, ("fc3",), SETTINGS, along)
    assert exported.layers == ("fc3", "conv1") and exported.shapes == ((5,), (8, 8, 6))
    np.testing.assert_allclose(exported.sd[0][4], measure(tiny, along[:1]).s_sd[0], rtol=1e-6)
    made = endpoints.make(exported)
    given = export.question(tiny, exported.layers, bands, SETTINGS, directions=along)
    assert given["neurons"].tolist() == [[0, 4, 0, 0], [1, 5, 0, 7], [0, 1, 0, 0]]
    told = {name: tf.constant(value) for name, value in given.items()}
    found = made["sample"](*told.values())
    # A deviation of zero is that of the export.
    told |= {"sd": tf.constant([0.0, 2.5, 0.0])}
    names = ("neurons", "ranges", "sd", "codes", "aims", "rows")
    sd = addressed.target(exported, *(told[name] for name in names)).sd
    np.testing.assert_array_equal(sd, np.float32([exported.sd[0][4], 2.5, exported.sd[0][1]]))
    own = Samples.joined(batch.samples for batch in sample(tiny, bands, SETTINGS))
    np.testing.assert_array_equal(found["images"], own.images)
    np.testing.assert_allclose(found["activations"], own.activations, rtol=1e-5, atol=1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected neurons"):
        made["activations"](tf.constant(own.images), tf.constant([[0, 5, 0, 0]]))
    with pytest.raises(UsageError, match="expected a direction of the export, it has none of fc3"):
        export.question(tiny, exported.layers, bands, SETTINGS)


def test_the_card_tells_which_unit_is_which_direction(tiny, targets):
    along = band.neurons(targets, tiny)
    exported = export.gather(tiny, None, SETTINGS, along)
    facts = card.facts(exported, {}, {"weights": 0, "deck": 0, "files": 0}, {})
    assert [one["directions"] for one in facts["layers"]] == [["ship-0.5*cat"], ["@d.npy"]]
    assert "- Unit 4 of `fc3` is its direction `ship-0.5*cat`." in card.text(facts)


def test_a_callback_samples_directions(targets):
    networks = worlds.tiny_networks()
    words = targets.replace("ship", "2").replace("cat", "0")
    watcher = KerasSampler(networks.generator, words, encoder="fc2", settings=SETTINGS)
    samples = watcher.attach(networks.classifier).draw()
    h = np.asarray(networks.classifier(samples.images.astype("f4")))
    np.testing.assert_allclose(samples.activations[:, 0], h @ [-0.5, 0, 1, 0], rtol=1e-4, atol=1e-5)
    assert watcher.function().input_signature[0].name == "neurons"
    assert isinstance(watcher.networks.classifier, keras.Model)
