"""The upconvolutional generators: images from the code of one layer of CaffeNet.

Dosovitskiy and Brox 2016, "Generating images with perceptual similarity metrics based on deep
networks" (DeePSiM), and Nguyen et al. 2017 (PPGN). The names conv5_1, conv4_1 and conv3_1 are
transposed convolutions in the original too. Every ReLU leaks with slope 0.3.
"""

import keras

from tf_inverse.errors import UsageError
from tf_inverse.models.convolution import convolution, deconvolution
from tf_inverse.models.pixels import IMAGENET_MEAN, ToPixels, centre_crop

# Name, channels, kernel, stride of the transposed convolutions; the pad is 1.
DECONVOLUTIONS = (
    ("deconv5", 256, 4, 2),
    ("conv5_1", 512, 3, 1),
    ("deconv4", 256, 4, 2),
    ("conv4_1", 256, 3, 1),
    ("deconv3", 128, 4, 2),
    ("conv3_1", 128, 3, 1),
    ("deconv2", 64, 4, 2),
    ("deconv1", 32, 4, 2),
    ("deconv0", 3, 4, 2),
)


def generator(code: str = "fc6", mean=IMAGENET_MEAN, name: str | None = None) -> keras.Model:
    """The generator of a layer's codes; weights zero until loaded.

    Args:
        code: "fc6" or "fc7", codes of 4096 entries; or "pool5", 9216 entries, the flattened
            [6, 6, 256] output of the layer.
        mean: Of the training images, blue first: three values or an image [H, W, 3]. It is added,
            since the network's own output has it taken off.
        name: Of the model.

    Returns:
        Keras model: codes [B, d] -> RGB [B, 256, 256, 3], unclipped.
    """
    if code not in ("fc6", "fc7", "pool5"):
        raise UsageError(f"expected code fc6, fc7 or pool5, got {code!r}")
    feat = keras.Input((9216 if code == "pool5" else 4096,), name="feat")
    x = _from_pool5(feat) if code == "pool5" else _from_dense(feat)
    for layer, filters, kernel, stride in DECONVOLUTIONS:
        x = deconvolution(
            filters,
            (kernel, kernel),
            (stride, stride),
            (1, 1, 1, 1),
            kernel_initializer="zeros",
            name=layer,
        )(x)
        x = _leaky(f"relu_{layer}")(x) if layer != "deconv0" else x
    mean = centre_crop(mean, *x.shape[1:3])
    pixels = ToPixels("bgr", mean.shape, name="pixels")
    model = keras.Model(feat, pixels(x), name=name or f"generator_{code}")
    pixels.mean.assign(mean)
    return model


def _from_dense(x):
    for layer in ("defc7", "defc6", "defc5"):
        x = keras.layers.Dense(4096, kernel_initializer="zeros", name=layer)(x)
        x = _leaky(f"relu_{layer}")(x)
    # Caffe's order: channel by channel.
    x = keras.layers.Reshape((256, 4, 4), name="reshape_chw")(x)
    return keras.layers.Permute((2, 3, 1), name="reshape")(x)


def _from_pool5(x):
    x = keras.layers.Reshape((6, 6, 256), name="feat_map")(x)
    for i, pad in ((6, 1), (7, 1), (8, 0)):
        x = convolution(512, (3, 3), pads=(pad,) * 4, kernel_initializer="zeros", name=f"Rconv{i}")(
            x
        )
        x = _leaky(f"Rrelu{i}")(x)
    return x


def _leaky(name):
    return keras.layers.LeakyReLU(negative_slope=0.3, name=name)
