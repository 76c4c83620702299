"""A generator for any Keras classifier: it learns to undo one of the classifier's layers.

After Dosovitskiy and Brox, Generating Images with Perceptual Similarity Metrics based on Deep
Networks (NIPS 2016): the encoder E is fixed; G(E(x)) is to be like x in pixels, in the features of
the classifier, and to a discriminator that sees the code too. What differs is younger practice:
resizing and convolution where they had strided transposed convolutions (these leave a
checkerboard), the hinge loss with spectral normalisation (Miyato et al. 2018) and a projection of
the code (Miyato and Koyama 2018), and an image that may be the mirror image of x.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tf_inverse.adopt.nature import PASSIVE
from tf_inverse.networks import unit_statistics

SLOPE = 0.2
COARSE = 4
"""Rows or columns of the map that doublings start from, at least."""

LEAST = 1e-12


def widths_for(size: tuple[int, ...]) -> tuple[int, ...]:
    """Channels of a generator of images whose shorter side is `min(size[:2])`; see `generator`."""
    doublings = max(0, round(np.log2(min(size[:2]) / COARSE)))
    return (128, 256, *(max(32, 320 >> i) for i in range(1, doublings + 1)))


def generator(
    code: int,
    size: tuple[int, int, int],
    widths: tuple[int, ...] | None = None,
    spread: tuple[float, float] = (0.0, 1.0),
) -> keras.Model:
    """A code of `code` entries -> RGB 0..255, unclipped, [B, *size].

    Args:
        code: d, entries of a code.
        size: Height, width and channels of an image. What doubling gives beyond it is cut off.
        widths: Channels after the dense layer, after the first convolution, and after each
            doubling of the resolution; as many as the size needs if left out.
        spread: Mean and standard deviation of the entries of a code: layers learn at the same pace
            whatever the scale of the encoding is.
    """
    widths = widths or widths_for(size)
    doublings = len(widths) - 2
    h, w = (-(-side // 2**doublings) for side in size[:2])
    codes = keras.Input((code,), name="code")
    x = _standardized(spread)(codes)
    x = layers.Dense(h * w * widths[0], name="fc")(x)
    x = layers.Reshape((h, w, widths[0]), name="map")(x)
    x = layers.LeakyReLU(SLOPE, name="relu")(x)
    for i, width in enumerate(widths[1:]):
        if i:
            x = layers.UpSampling2D(name=f"up{i}")(x)
        x = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"conv{i}")(x)
        x = layers.BatchNormalization(momentum=0.98, name=f"norm{i}")(x)
        x = layers.LeakyReLU(SLOPE, name=f"relu{i}")(x)
    x = layers.Conv2D(size[2], 3, padding="same", name="image")(x)
    beyond = [(made << doublings) - side for made, side in zip((h, w), size, strict=False)]
    if any(beyond):
        edges = tuple((extra // 2, extra - extra // 2) for extra in beyond)
        x = layers.Cropping2D(edges, name="edges")(x)
    return keras.Model(codes, layers.Rescaling(127.5, offset=127.5, name="pixels")(x), name="G")


def _standardized(spread):
    mean, sd = spread
    return layers.Rescaling(1.0 / sd, offset=-mean / sd, name="standardized")


def discriminator(
    code: int, size: tuple[int, int, int], widths=(64, 128, 256), spread=(0.0, 1.0)
) -> keras.Model:
    """How real images [B, *size] of pixels 0..255 look, given the codes they show: [B, 1]."""
    images, codes = keras.Input(size, name="x"), keras.Input((code,), name="code")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(images)
    for width in widths:
        convolution = layers.Conv2D(width, 4, 2, padding="same")
        x = layers.LeakyReLU(SLOPE)(layers.SpectralNormalization(convolution)(x))
    x = layers.GlobalAveragePooling2D()(x)
    y = layers.SpectralNormalization(layers.Dense(widths[-1]))(_standardized(spread)(codes))
    realism = layers.SpectralNormalization(layers.Dense(1))(x)
    match = layers.Dot(axes=1)([x, y])
    return keras.Model([images, codes], layers.Add()([realism, match]), name="discriminator")


class Inverter(keras.Model):
    """Trains G against the losses; E and its features stay as they are.

    Args:
        G: From `generator`.
        D: From `discriminator`.
        features: Images -> list of what the classifier's layers give, the code (flattened) last.
        weights: Weights of the image, feature and adversarial losses.
    """

    def __init__(self, G, D, features, weights=(0.6, 1.0, 0.2)):
        super().__init__()
        self.G, self.D, self.features, self.loss_weights = G, D, features, weights
        self.built = True

    def compile(self, rate):
        """Adam for both, with learning rates as given (a schedule or a number)."""
        super().compile(optimizer=keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.99))
        self.d_optimizer = keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.99)
        self.optimizer.build(self.G.trainable_variables)
        self.d_optimizer.build(self.D.trainable_variables)

    def train_step(self, x):
        """One step of both networks on a batch of images 0..255."""
        real = self.features(x)
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            y = self.G(real[-1], training=True)
            losses = self._terms(x, y, real)
            total = sum(w * loss for w, loss in zip(self.loss_weights, losses, strict=True))
            x_realism = self.D([x, real[-1]], training=True)
            y_realism = self.D([tf.stop_gradient(y), real[-1]], training=True)
            d_loss = tf.reduce_mean(tf.nn.relu(1.0 - x_realism) + tf.nn.relu(1.0 + y_realism))
        for optimizer, tape, loss, network in (
            (self.optimizer, g_tape, total, self.G),
            (self.d_optimizer, d_tape, d_loss, self.D),
        ):
            variables = network.trainable_variables
            optimizer.apply(tape.gradient(loss, variables), variables)
        names = ("image", "feature", "adversarial")
        return dict(zip(names, losses, strict=True)) | {"discriminator": d_loss}

    def _terms(self, x, y, real):
        # A classifier forgets which way things face; the mean of both ways is neither.
        as_is, mirrored = (tf.reduce_mean((v - y) ** 2, axis=(1, 2, 3)) for v in (x, x[:, :, ::-1]))
        variance = tf.maximum(tf.math.reduce_variance(x), LEAST)
        image = tf.reduce_mean(tf.minimum(as_is, mirrored)) / variance
        feature = 0.0
        for wanted, got in zip(real, self.features(y), strict=True):
            # Relative to what the features vary by: one weight serves every layer and network.
            spread = tf.reduce_mean(tf.math.reduce_variance(wanted, axis=0))
            feature += tf.reduce_mean((wanted - got) ** 2) / tf.maximum(spread, LEAST)
        adversarial = -tf.reduce_mean(self.D([y, real[-1]], training=False))
        return image, feature / len(real), adversarial


def compared(networks, layers: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The layers whose features are compared: those named, or the last map before the encoder.

    Args:
        networks: `networks.Networks`.
        layers: Names or paths.

    Raises:
        UsageError: The classifier has no such layer.
    """
    if layers:
        return tuple(map(networks.layer_path, layers))
    known = {layer.name: layer for layer in unit_statistics.layers(networks)}
    paths = list(networks.shapes)
    before = paths[: paths.index(networks.layer_path(networks.encoder))]
    maps = [path for path in before if path in known and len(known[path].shape) == 3]
    maps = [path for path in maps if known[path].kind not in PASSIVE]
    return tuple(maps[-1:])


def features(networks, compare: tuple[str, ...]):
    """A function of images: what the layers compared give, and last the code that G takes.

    Args:
        networks: `networks.Networks`; its generator is not asked.
        compare: From `compared`.
    """

    def read(x):
        code, outputs = networks.outputs(x, compare)
        return [*(outputs[name] for name in compare), code]

    return read
