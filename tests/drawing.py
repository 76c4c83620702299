"""What tests of the sampling loop share: runs of it, and whether two of them gave the same."""

import keras
import numpy as np

from tf_inverse.method.sampler import Samples, sample
from tf_inverse.method.settings import Settings
from tf_inverse.networks.codes import Codes
from tf_inverse.networks.networks import Networks


def run(networks, bands, state=None, **settings):
    """All batches of a run, and their samples together."""
    batches = list(sample(networks, bands, Settings(**settings), state))
    return batches, Samples.joined(batch.samples for batch in batches)


def equal(a, b):
    """Whether two groups of samples are the same in every column."""
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def one_image(classifier):
    """A pair whose generator draws the same grey image, 90 everywhere, whatever the code."""
    codes = keras.Input((2,), name="code")
    flat = keras.layers.Dense(8 * 8 * 3, kernel_initializer="zeros", bias_initializer="ones")(codes)
    pixels = keras.layers.Rescaling(90.0)(keras.layers.Reshape((8, 8, 3))(flat))
    return Networks("one", classifier, keras.Model(codes, pixels), "fc2", Codes("normal", 2))
