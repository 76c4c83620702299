"""What a classifier's own program does to pixels before the graph, put inside the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tf_inverse.adopt import adapters, pixels
from tf_inverse.errors import UsageError, reason
from tf_inverse.tensors import Array, Model

SIDE = 8
"""Rows and columns of the pictures that tell a preprocessing where a model takes any size."""


def inside(
    model: Model, prepare: Callable[[Array], Any], size: tuple[int, ...] | None = None
) -> Model:
    """The model of RGB pixels in 0..255, with a preprocessing of whole images inside.

    Args:
        model: Takes what is prepared.
        prepare: Of images [N, H, W, 3] in 0..255, as large as the model takes them.
        size: (H, W, 3) of its input, where the model leaves that open.

    Raises:
        UsageError: The preprocessing is something else than x A + b of each pixel.
    """
    shape = size or tuple(side or SIDE for side in model.input_shape[1:])
    images = np.random.default_rng(0).uniform(0.0, 255.0, (2, *shape)).astype(np.float32)

    def of_pixels(x: Array) -> Array:
        return np.asarray(prepare(np.tile(x, (1, *shape[:2], 1))))[:, :1, :1]

    try:
        matrix, shift = pixels.affine(of_pixels)
        found = np.asarray(prepare(images), np.float64)
        off = float(np.abs(found - (images @ matrix + shift)).max() / np.abs(found).max())
    except Exception as error:  # a preprocessing may be any function of the user's
        off, why = np.inf, f" ({reason(error)})"
    else:
        why = ""
    if not off < 1e-4:
        raise UsageError(
            f"expected a preprocessor of {model.name} that scales and shifts each pixel of "
            f"{list(shape)}, its own does something else{why}; take it off (preprocessor=None) and "
            f"say what the model itself takes: --pixels=LOW:HIGH"
        )
    return adapters.prepared(model, matrix, shift, size)
