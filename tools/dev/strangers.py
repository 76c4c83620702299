"""Two public classifiers of CIFAR-10 that we did not train, as Keras files: judges of the pair.

    python tools/dev/strangers.py ../shared/data/judges_cifar10 OUT

writes OUT/resnet20.keras and OUT/resnet44.keras. They are of akamaster/pytorch_resnet_cifar10
(BSD-2): He et al., Deep Residual Learning for Image Recognition, 2016, section 4.2, with padded
shortcuts (option A). The arrays have PyTorch's names and order of axes.
"""

from __future__ import annotations

import pathlib
import sys

import keras
import numpy as np
from keras import layers

MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
STAGES = (16, 32, 64)
EPSILON = 1e-5


def resnet(path) -> keras.Model:
    """A residual network of 6 n + 2 layers, from its arrays; RGB 0..255 in, logits out.

    Args:
        path: An .npz of convolutions [out, in, h, w], batch normalisations and one linear layer.
    """
    arrays = dict(np.load(path))
    blocks = 1 + max(int(name.split(".")[1]) for name in arrays if name.startswith("layer1."))
    x = keras.Input((32, 32, 3), name="pixels")
    scale, offset = [1 / (255 * s) for s in SD], [-m / s for m, s in zip(MEAN, SD, strict=True)]
    h = layers.Rescaling(scale, offset, name="normalised")(x)
    h = layers.ReLU()(_convolved(h, arrays, "conv1", "bn1"))
    for stage, channels in enumerate(STAGES, 1):
        for block in range(blocks):
            h = _block(h, arrays, f"layer{stage}.{block}", channels)
    h = layers.GlobalAveragePooling2D(name="pooled")(h)
    last = layers.Dense(10, name="logits")
    y = last(h)
    last.set_weights([arrays["linear.weight"].T, arrays["linear.bias"]])
    return keras.Model(x, y, name=pathlib.Path(path).stem)


def _block(x, arrays, name, channels):
    stride = 1 if x.shape[-1] == channels else 2
    h = _convolved(x, arrays, f"{name}.conv1", f"{name}.bn1", stride)
    h = _convolved(layers.ReLU()(h), arrays, f"{name}.conv2", f"{name}.bn2")
    if stride == 2:
        # Every second pixel, and channels of zeros before and after.
        x = layers.MaxPooling2D(1, 2)(x)
        pad = (channels - x.shape[-1]) // 2
        shape = (x.shape[-1] * x.shape[1], x.shape[2])
        x = layers.Permute((3, 1, 2))(x)
        x = layers.ZeroPadding1D(pad * x.shape[2])(layers.Reshape(shape)(x))
        x = layers.Permute((2, 3, 1))(layers.Reshape((channels, *h.shape[1:3]))(x))
    return layers.ReLU()(layers.Add()([h, x]))


def _convolved(x, arrays, kernel, norm, stride=1):
    weight = arrays[f"{kernel}.weight"].transpose(2, 3, 1, 0)
    # PyTorch pads by one on each side, whatever the stride.
    x = layers.ZeroPadding2D(1)(x)
    convolution = layers.Conv2D(weight.shape[-1], 3, stride, use_bias=False)
    h = convolution(x)
    convolution.set_weights([weight])
    batch = layers.BatchNormalization(epsilon=EPSILON)
    h = batch(h)
    batch.set_weights(
        [arrays[f"{norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
    )
    return h


def main(source: str, out: str) -> None:
    """Writes every network of a folder as OUT/NAME.keras."""
    folder = pathlib.Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(pathlib.Path(source).glob("*.npz")):
        resnet(path).save(folder / f"{path.stem}.keras")
        print(folder / f"{path.stem}.keras")


if __name__ == "__main__":
    main(*sys.argv[1:])
