"""Sampling while a model trains, and inside the user's own tf.function."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from worlds import tiny_networks

from tf_inverse.errors import UsageError
from tf_inverse.method.settings import Settings
from tf_inverse.networks.codes import Stream
from tf_inverse.run.callback import KerasSampler

SETTINGS = Settings(n=6, K=4)


def trained(networks, watcher, epochs=3):
    model = networks.classifier
    rng = np.random.default_rng(0)
    model.compile("sgd", "mse")
    x, y = rng.uniform(0, 255, (8, 8, 8, 3)), rng.normal(size=(8, 4))
    model.fit(x, y, epochs=epochs, verbose=0, callbacks=[watcher])


def test_samples_of_the_model_as_it_was(tmp_path):
    networks = tiny_networks()
    watcher = KerasSampler(
        networks.generator,
        "fc3:1@-0.4:0.4",
        encoder="fc2",
        settings=SETTINGS,
        every=2,
        log_dir=tmp_path,
    )
    trained(networks, watcher)
    (epoch,) = watcher.samples
    samples = watcher.samples[epoch]
    assert epoch == 1 and len(samples.images) == 6 and not watcher.trouble
    assert (abs(samples.activations) <= 0.4).all()
    now = watcher.draw()
    z = networks.classifier(now.images.astype("f4")).numpy()[:, 1]
    np.testing.assert_allclose(now.activations[:, 0], z, atol=1e-5)
    assert abs(networks.classifier(samples.images.astype("f4")).numpy()[:, 1] - z).max() > 1e-3
    (events,) = tmp_path.iterdir()
    assert b"inverse set/fc3:1@-0.4:0.4" in events.read_bytes()


def test_model_of_a_class_of_ones_own():
    class Own(keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.fc = keras.layers.Dense(5, activation="tanh", name="fc")
            self.norm = keras.layers.BatchNormalization(name="norm")
            self.last = keras.layers.Dense(4, name="last")

        def call(self, x, training=None):
            h = self.fc(keras.ops.reshape(x, (-1, 192)) / 64 - 2)
            return self.last(self.norm(h, training=training))

    keras.utils.set_random_seed(0)
    model, rng = Own(), np.random.default_rng(0)
    generator = tiny_networks().generator
    watcher = KerasSampler(generator, "last:1@-0.3:0.3", encoder="fc", settings=SETTINGS)
    model.compile("sgd", "mse")
    x, y = rng.uniform(0, 255, (8, 8, 8, 3)), rng.normal(size=(8, 4))
    model.fit(x, y, epochs=2, verbose=0, callbacks=[watcher])
    assert sorted(watcher.samples) == [0, 1] and not watcher.trouble
    z = model(watcher.samples[1].images.astype("f4"), training=False)[:, 1]
    np.testing.assert_allclose(watcher.samples[1].activations[:, 0], z, atol=1e-4)


def test_training_goes_on_where_nothing_is_found():
    networks = tiny_networks()
    watcher = KerasSampler(
        networks.generator, "fc3:1@1e8:2e8", encoder="fc2", settings=Settings(n=2, K=2, patience=20)
    )
    trained(networks, watcher, epochs=1)
    assert "nearest activation reached" in watcher.trouble[0]
    assert not len(watcher.samples[0].images)


def test_wrong_target_is_refused_before_the_first_epoch():
    networks = tiny_networks()
    watcher = KerasSampler(networks.generator, "fc4:1@1:2", encoder="fc2")
    with pytest.raises(UsageError, match="expected a layer of tiny, got 'fc4'"):
        trained(networks, watcher)
    with pytest.raises(UsageError, match="expected every to be at least 1"):
        KerasSampler(networks.generator, "fc3:1@1:2", encoder="fc2", every=0)
    with pytest.raises(UsageError, match="call attach"):
        KerasSampler(networks.generator, "fc3:1@1:2", encoder="fc2").draw()


def test_inside_a_function_of_the_user():
    networks = tiny_networks()
    watcher = KerasSampler(networks.generator, "fc3:1@-0.4:0.4", encoder="fc2", settings=SETTINGS)
    watcher.attach(networks.classifier)
    search = watcher.function()

    @tf.function
    def brightest(unit, codes, aims):
        neurons = tf.stack([0, unit, 0, 0])[tf.newaxis]
        found = search(
            neurons,
            tf.constant([[-0.4, 0.4]]),
            tf.zeros(1),
            codes,
            aims,
            4,
            6,
            tf.constant(300, tf.int64),
        )
        return found["found"], tf.reduce_max(found["images"])

    codes, aims = Stream(networks, 0, 1, 4).rows(0, 60)
    count, most = brightest(tf.constant(1), tf.constant(codes), tf.constant(aims))
    assert count == 6 and most > 0
