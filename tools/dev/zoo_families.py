"""Every family of keras.applications: its smallest member, on the smallest images that it takes.

Weights are random, since nothing is downloaded. What training would have set beside the weights
is set here: statistics of batch normalisation, and the means and variances of `Normalization`.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import applications, layers

from tf_inverse import private

# Of ImageNet's pixels in 0..1, as Keras's own files of weights have them.
MEAN, VARIANCE = (0.485, 0.456, 0.406), (0.229**2, 0.224**2, 0.225**2)


SIGNED = (-1.0, 1.0)


def family(
    name: str,
    module: str | None = None,
    side: int = 32,
    pixels: tuple[float, float] = (0.0, 255.0),
    **options,
) -> Callable:
    """A maker of a model of keras.applications without a final softmax.

    Args:
        name: As keras.applications calls it.
        module: Of keras.applications, whose `preprocess_input` stands inside the model as plain
            operations; left out, the model is as Keras makes it.
        side: Of the images.
        pixels: (low, high) that the model takes.
        **options: Of the model's constructor.
    """

    def made() -> keras.Model:
        options.setdefault("classifier_activation", None)
        model = getattr(applications, name)(weights=None, input_shape=(side, side, 3), **options)
        if module is not None:
            x = keras.Input((side, side, 3), name="image")
            prepared = getattr(applications, module).preprocess_input(x)
            model = keras.Model(x, model(prepared), name=f"{name.lower()}_prepared")
        return lived(model, pixels)

    return made


def pictures(count: int, shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
    """Random patterns in low frequencies, [count, *shape]: more like photographs than noise is."""
    first = shape[0] == 3
    rows, columns, channels = (*shape[1:], 3) if first else (*shape[:2], *shape[2:])
    coarse = np.random.default_rng(0).uniform(low, high, (count, 5, 5, channels)).astype("f4")
    x = np.asarray(keras.ops.image.resize(coarse, (rows, columns)))
    return x.transpose(0, 3, 1, 2) if first else x


def lived(model: keras.Model, pixels: tuple[float, float] = (0.0, 255.0)) -> keras.Model:
    """The model as training would leave it: no statistic and no scale at its default.

    The statistics of batch normalisation are those of `pictures`: with others a deep network of
    random weights gives nearly the same for all images.

    Args:
        model: Changed in place.
        pixels: (low, high) that the model takes.
    """
    rng, inside = np.random.default_rng(0), list(private.layers(model, own=True))
    norms = [layer for layer in inside if isinstance(layer, layers.BatchNormalization)]
    for layer in inside:
        if isinstance(layer, layers.Normalization) and layer.input_mean is None:
            layer.adapt_mean.assign(np.reshape(MEAN, layer.adapt_mean.shape))
            layer.adapt_variance.assign(np.reshape(VARIANCE, layer.adapt_variance.shape))
            layer.finalize_state()
        if isinstance(layer, layers.BatchNormalization | layers.LayerNormalization):
            for weight, centre in ((layer.gamma, 1.0), (layer.beta, 0.0)):
                if weight is not None:
                    weight.assign(rng.normal(centre, 0.1, weight.shape))
    if norms:
        _fit(norms, lambda: model(pictures(24, model.input_shape[1:], *pixels), training=True))
    return model


def _fit(norms, run):
    kept = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    run()
    for layer, momentum in zip(norms, kept, strict=True):
        layer.momentum = momentum
