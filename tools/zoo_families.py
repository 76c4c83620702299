"""Every family of keras.applications: its smallest member, on the smallest images that it takes.

Weights are random, since nothing is downloaded. What training would have set beside the weights
is set here: statistics of batch normalisation, and the means and variances of `Normalization`.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import applications, layers

# Of ImageNet's pixels in 0..1, as Keras's own files of weights have them.
MEAN, VARIANCE = (0.485, 0.456, 0.406), (0.229**2, 0.224**2, 0.225**2)


def family(name: str, module: str | None = None, side: int = 32, **options) -> Callable:
    """A maker of a model of keras.applications without a final softmax.

    Args:
        name: As keras.applications calls it.
        module: Of keras.applications, whose `preprocess_input` stands inside the model as plain
            operations; left out, the model is as Keras makes it.
        side: Of the images.
        **options: Of the model's constructor.
    """

    def made() -> keras.Model:
        options.setdefault("classifier_activation", None)
        model = getattr(applications, name)(weights=None, input_shape=(side, side, 3), **options)
        if module is not None:
            x = keras.Input((side, side, 3), name="image")
            prepared = getattr(applications, module).preprocess_input(x)
            model = keras.Model(x, model(prepared), name=f"{name.lower()}_prepared")
        return lived(model)

    return made


def lived(model: keras.Model) -> keras.Model:
    """The model as training would leave it: no statistic and no scale at its default.

    The statistics of batch normalisation are those of random images, with which a deep network of
    random weights tells images apart at all.
    """
    rng, inside = np.random.default_rng(0), list(model._flatten_layers())
    norms = [layer for layer in inside if isinstance(layer, layers.BatchNormalization)]
    for layer in inside:
        if isinstance(layer, layers.Normalization):
            layer.mean.assign(np.reshape(MEAN, layer.mean.shape))
            layer.variance.assign(np.reshape(VARIANCE, layer.variance.shape))
            layer.finalize_state()
        if isinstance(layer, layers.BatchNormalization | layers.LayerNormalization):
            for weight, centre in ((layer.gamma, 1.0), (layer.beta, 0.0)):
                if weight is not None:
                    weight.assign(rng.normal(centre, 0.1, weight.shape))
    if norms:
        _fit(model, norms, rng)
    return model


def _fit(model, norms, rng):
    kept = [(layer.momentum, layer.trainable) for layer in norms]
    for layer in norms:
        layer.momentum, layer.trainable = 0.0, True
    # Every input but the first image is as good as constant to the statistics.
    given = [rng.uniform(0, 255, (16, *one.shape[1:])).astype("f4") for one in model.inputs]
    model(given if len(given) > 1 else given[0], training=True)
    for layer, (momentum, trainable) in zip(norms, kept, strict=True):
        layer.momentum, layer.trainable = momentum, trainable
