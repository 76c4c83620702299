"""A Gaussian inside a generator's last convolution."""

import keras
import numpy as np
import pytest
from scipy import ndimage

from tf_inverse.errors import UsageError
from tf_inverse.training import architectures
from tf_inverse.training.smoothing import smoothed

SIGMA = 0.5


def test_images_are_those_of_the_generator_after_a_gaussian(tmp_path):
    """Against SciPy's filter, away from the edges; and where a square is cut out, there too."""
    keras.utils.set_random_seed(3)
    G = architectures.folded(architectures.generator(4, (13, 9, 3), (6, 5, 4, 4)))
    codes = np.random.default_rng(0).normal(size=(3, 4)).astype("f4")
    before = np.asarray(G(codes), float)
    smooth = smoothed(G, SIGMA)
    smooth.save(tmp_path / "smooth.keras")
    found = np.asarray(keras.models.load_model(tmp_path / "smooth.keras")(codes), float)
    assert found.shape == before.shape
    # A radius of one pixel: SciPy's window is then the same three taps.
    wanted = ndimage.gaussian_filter(before, (0, SIGMA, SIGMA, 0), radius=(0, 1, 1, 0))
    inside = np.s_[:, 1:-1, 1:-1]
    np.testing.assert_allclose(found[inside], wanted[inside], rtol=1e-4, atol=1e-2)
    assert abs(before[inside] - wanted[inside]).max() > 1.0
    np.testing.assert_array_equal(G(codes), before)  # the generator itself stays as it was


def test_a_flat_image_stays_flat_up_to_its_edges():
    """Zeros around a map are drawn as the bias, whatever the Gaussian reaches."""
    last, shape = keras.layers.Conv2D(1, 3, padding="same"), keras.layers.Reshape((1, 1, 2))
    G = keras.Sequential([keras.Input((2,)), shape, last, keras.layers.Rescaling(2.0, offset=5.0)])
    last.set_weights([np.ones((3, 3, 2, 1)), np.array([7.0])])
    assert np.asarray(smoothed(G, SIGMA)(np.zeros((1, 2)))).tolist() == [[[[19.0]]]]


def _ending(*layers):
    return keras.Sequential([keras.Input((4, 4, 2)), *layers], name="theirs")


@pytest.mark.parametrize(
    "G",
    [
        _ending(keras.layers.Conv2D(3, 3, padding="same", activation="tanh")),
        _ending(keras.layers.Conv2D(3, 3)),
        _ending(keras.layers.Conv2DTranspose(3, 4, 2, padding="same")),
        _ending(keras.layers.Conv2D(3, 3, padding="same"), keras.layers.Activation("tanh")),
        _ending(keras.layers.Rescaling(2.0)),
    ],
)
def test_generators_that_end_in_another_way_are_refused(G):
    with pytest.raises(UsageError, match="expected a generator for --smooth that ends in a conv"):
        smoothed(G, SIGMA)


@pytest.mark.parametrize("sigma", [-0.5, 1.5, float("nan")])
def test_widths_that_a_window_of_three_cannot_hold_are_refused(sigma):
    with pytest.raises(UsageError, match="expected --smooth above 0 and up to 1 pixels, got"):
        smoothed(None, sigma)
