"""Half precision where it holds the numbers: a float16 ends at 65504, and begins at 6e-5.

What lies beyond becomes infinite without a word, and what lies below is lost digit by digit.
"""

from __future__ import annotations

import numpy as np

from tf_inverse.tensors import Array

LEAST, MOST = float(np.finfo(np.float16).smallest_normal), float(np.finfo(np.float16).max)


def fitting(values: Array) -> Array:
    """The values in half precision, or in float32 where their largest is no normal number of that.

    Args:
        values: Of any shape and type; whole numbers, as states of random numbers, stay as they are.
    """
    if values.dtype.kind != "f":
        return values
    most = float(np.abs(values).max(initial=0.0))
    return values.astype(np.float16 if most == 0.0 or LEAST <= most <= MOST else np.float32)
