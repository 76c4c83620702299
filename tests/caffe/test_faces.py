"""The real pair, SqueezeNet and a GAN of faces: the same defaults serve it as the tiny one."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_inverse.band import Band, Neuron
from tf_inverse.method.normalization import measure
from tf_inverse.method.sampler import Samples, sample
from tf_inverse.method.settings import Settings


@pytest.fixture(scope="module")
def pair(shared_data):
    import faces

    return faces.pair(shared_data)


@pytest.fixture(scope="module")
def sunglass(pair):
    """Neuron 836 with its range from one to three deviations above the mean of random faces."""
    import faces

    neuron = Neuron("pool_final", faces.SUNGLASS)
    scale = measure(pair, (neuron,))
    (mean,), (sd,) = scale.z_mean, scale.z_sd
    return Band(neuron, float(mean + sd), float(mean + 3 * sd)), scale


def test_scale_is_the_one_on_record(sunglass):
    """../shared/data/README.md: mean 7.2, s.d. 2.7 over 200 random faces; here over 60."""
    assert sunglass[1].z_mean[0] == pytest.approx(7.2, abs=1.5)
    assert sunglass[1].z_sd[0] == pytest.approx(2.7, abs=1.0)


def test_samples_score_in_range_in_keras_one_by_one(pair, sunglass):
    band, scale = sunglass
    batches = list(sample(pair, (band,), Settings(n=5, K=4), scale=scale))
    found = Samples.joined(batch.samples for batch in batches)
    assert found.images.shape == (5, 64, 64, 3)
    assert found.encodings.shape[1] == np.prod(pair.layer_shape("fire9_concat"))
    assert len({x.tobytes() for x in found.images}) == 5
    output = pair.classifier.get_layer(band.neuron.layer).output
    model = keras.Model(pair.classifier.input, output)
    side = pair.classifier.input_shape[1]
    for image, stored in zip(found.images, found.activations[:, 0], strict=True):
        # Enlarged with another resampling function than the library's, without antialiasing.
        larger = tf.compat.v1.image.resize_bilinear(
            image[np.newaxis].astype(np.float32), (side, side), half_pixel_centers=True
        )
        z = float(np.ravel(model(larger))[band.neuron.unit])
        assert band.z1 <= z <= band.z2 and z == pytest.approx(stored, rel=1e-3)
    # The images are faces of the generator, not of an archive: made again from their codes.
    again = np.asarray(pair.generator(found.codes)).clip(0, 255).round()
    assert np.abs(again - found.images).max() <= 1
