"""Inverse sets without a generator: of a classifier's own pixels, or of any function of vectors.

Here the code is the input itself (eqs. 3-4 and section 3.1): every entry of c lies in [0, 1], and
x = low + (high - low) c. What `sampler.sample` and `draw.draw` do with a pair of networks they do
with these.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from tf_inverse.errors import UsageError
from tf_inverse.networks.codes import Codes
from tf_inverse.networks.networks import Networks
from tf_inverse.tensors import Array

BOX = (0.0, 1.0)


def pixels(classifier: keras.Model, encoder: str, **about: Any) -> Networks:
    """A classifier of images, sampled over its pixels: x = 255 c.

    Args:
        classifier: RGB 0..255 [B, H, W, C] -> anything.
        encoder: Layer of the encodings; distances are between them unless
            `Settings(distance="images")` says otherwise.
        **about: Further fields of `Networks`, as name and labels.

    Raises:
        UsageError: The classifier has no fixed input shape.
    """
    shape = tuple(classifier.input_shape[1:])
    if len(shape) != 3 or None in shape:
        raise UsageError(f"expected a classifier of images [H, W, C], got input {list(shape)}")
    return _networks(classifier, _box(shape, 255.0, 0.0), encoder, about)


def vectors(
    model: keras.Model,
    low: float | Array = 0.0,
    high: float | Array = 1.0,
    encoder: str = "x",
    **about: Any,
) -> Networks:
    """Any differentiable model of vectors, sampled within a box.

    Samples keep the vectors as `images` [n, 1, d, 1] in float32, unrounded; archives of images do
    not take them, `draw.draw` does.

    Args:
        model: [B, d] -> anything; its layers hold the neurons.
        low: Smallest value of each entry: a number or d of them.
        high: Largest, likewise.
        encoder: Layer of the encodings; by default the vector itself.
        **about: Further fields of `Networks`, as name and labels.

    Returns:
        `Networks` to be given to `sampler.sample` or `draw.draw`.

    Raises:
        UsageError: The model does not take vectors of a fixed size, or low is not below high.
    """
    if len(model.input_shape) != 2 or model.input_shape[1] is None:
        raise UsageError(f"expected a model of vectors [B, d], got input {model.input_shape}")
    d = model.input_shape[1]
    low, high = (np.broadcast_to(np.asarray(v, np.float32), (d,)) for v in (low, high))
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (low < high).all()):
        raise UsageError("expected finite low < high for every entry of a vector")
    row = keras.Input((1, d, 1), name="row")
    classifier = keras.Model(row, model(keras.layers.Reshape((d,), name="x")(row)), name=model.name)
    about = {"stored": "float32", **about}
    return _networks(classifier, _box((1, d, 1), high - low, low), encoder, about)


def _box(shape: tuple[int, ...], scale: float | Array, offset: float | Array) -> keras.Model:
    """The box as a generator: codes in [0, 1]^d -> x, as images of the shape."""
    codes = keras.Input((int(np.prod(shape)),), name="code")
    x = keras.layers.Rescaling(scale, offset, name="box")
    return keras.Model(codes, keras.layers.Reshape(shape, name="image")(x(codes)), name="box")


def _networks(
    classifier: keras.Model, generator: keras.Model, encoder: str, about: dict[str, Any]
) -> Networks:
    codes = Codes("uniform", generator.input_shape[-1], BOX)
    about = {"name": classifier.name, **about}
    return Networks(
        classifier=classifier, generator=generator, encoder=encoder, codes=codes, **about
    )
