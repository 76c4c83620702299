"""Where Caffe's axes lie in Keras: (C, H, W) without the batch is [B, H, W, C]."""

from __future__ import annotations

import keras

from tf_inverse.caffe.blob_shape import BlobShape
from tf_inverse.tensors import Tensor

# Where Caffe's axes of (B, C, H, W) lie in [B, H, W, C].
AXES = {1: 3, 2: 1, 3: 2}


def keras_shape(shape: BlobShape) -> BlobShape:
    """(C, H, W) -> (H, W, C); other shapes stay."""
    return (*shape[1:], shape[0]) if len(shape) == 3 else tuple(shape)


def caffe_order(shape: BlobShape, tensor: Tensor, name: str) -> Tensor:
    """[B, H, W, C] -> [B, C, H, W], where the order of the numbers is about to matter."""
    if len(shape) != 3 or shape[1:] == (1, 1):
        return tensor
    return keras.layers.Permute((3, 1, 2), name=f"{name}_chw")(tensor)
