"""The crop between a converted classifier and a generator, and a check of both as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tf_inverse.errors import ConversionError

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks


def crop_side(wanted: Sequence[int | None], whole: Sequence[int]) -> int | None:
    """The classifier's side, where the generator's image is a little larger: 256 against 227.

    Of an image more than a quarter larger the crop would keep too little: that one is resized. So
    is one for a classifier of pictures that are no squares, since a crop is a square.

    Args:
        wanted: Rows and columns that the classifier takes; None where any will do.
        whole: Rows and columns of the generator's image.

    >>> crop_side((227, 227), (256, 256)), crop_side((227, 227), (256, 400))
    (227, None)
    """
    side = wanted[0]
    if side is None or wanted[0] != wanted[1] or list(whole) == list(wanted):
        return None
    return side if all(side <= one <= 1.25 * side for one in whole) else None


def round_trip(networks: Networks) -> list[str]:
    """E(G(c)) of two random codes: finite, and of the encoder's size.

    Returns:
        Lines that tell of codes, images and the check.

    Raises:
        ConversionError: The encodings are of another size, or not finite.
    """
    c = np.random.default_rng(0).standard_normal((2, networks.codes.size), np.float32)
    last = networks.classifier.layers[-1].name
    view = networks.look(np.clip(c, *networks.codes.limits), (last,), np.zeros((1, 3), np.int32))
    size = int(np.prod(networks.layer_shape(networks.encoder)))
    if view.e.shape != (2, size) or not np.isfinite(np.asarray(view.e)).all():
        raise ConversionError(f"expected finite encodings [2, {size}], got {tuple(view.e.shape)}")
    return [
        f"codes {networks.codes.kind} [{networks.codes.size}], bounds {networks.codes.bounds}",
        f"images {list(networks.image_shape)}, crop {networks.crop}, "
        f"classifier {list(networks.classifier.input_shape[1:])}",
        f"self-check: E(G(c)) finite, {networks.encoder} [{size}]",
    ]
