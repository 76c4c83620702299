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

from tf_inverse.errors import UsageError

SLOPE = 0.2


def generator(code: int, size: tuple[int, int, int], widths=(128, 256, 160, 80, 40)) -> keras.Model:
    """A code of `code` entries -> RGB 0..255, unclipped, [B, *size].

    Args:
        code: d, entries of a code.
        size: Height, width and channels of an image; height and width multiples of 2**k, where k
            is `len(widths) - 2`.
        widths: Channels after the dense layer, after the first convolution, and after each
            doubling of the resolution.
    """
    doublings = len(widths) - 2
    if size[0] % 2**doublings or size[1] % 2**doublings:
        raise UsageError(
            f"expected images of a size divisible by {2**doublings}, got {size[0]}x{size[1]}"
        )
    h, w = size[0] >> doublings, size[1] >> doublings
    codes = keras.Input((code,), name="code")
    x = layers.Dense(h * w * widths[0], name="fc")(codes)
    x = layers.Reshape((h, w, widths[0]), name="map")(x)
    x = layers.LeakyReLU(SLOPE, name="relu")(x)
    for i, width in enumerate(widths[1:]):
        if i:
            x = layers.UpSampling2D(name=f"up{i}")(x)
        x = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"conv{i}")(x)
        x = layers.BatchNormalization(momentum=0.98, name=f"norm{i}")(x)
        x = layers.LeakyReLU(SLOPE, name=f"relu{i}")(x)
    x = layers.Conv2D(size[2], 3, padding="same", name="image")(x)
    return keras.Model(codes, layers.Rescaling(127.5, offset=127.5, name="pixels")(x), name="G")


def discriminator(code: int, size: tuple[int, int, int], widths=(64, 128, 256)) -> keras.Model:
    """How real images [B, *size] of pixels 0..255 look, given the codes they show: [B, 1]."""
    images, codes = keras.Input(size, name="x"), keras.Input((code,), name="code")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(images)
    for width in widths:
        convolution = layers.Conv2D(width, 4, 2, padding="same")
        x = layers.LeakyReLU(SLOPE)(layers.SpectralNormalization(convolution)(x))
    x = layers.GlobalAveragePooling2D()(x)
    y = layers.SpectralNormalization(layers.Dense(widths[-1]))(codes)
    realism = layers.SpectralNormalization(layers.Dense(1))(x)
    match = layers.Dot(axes=1)([x, y])
    return keras.Model([images, codes], layers.Add()([realism, match]), name="discriminator")


class Inverter(keras.Model):
    """Trains G against the losses; E and its features stay as they are.

    Args:
        G: From `generator`.
        D: From `discriminator`.
        features: Classifier cut to a list of outputs, the code (flattened) last.
        weights: Weights of the image, feature and adversarial losses.
    """

    def __init__(self, G, D, features, weights=(0.6, 1.0, 0.2)):
        super().__init__()
        self.G, self.D, self.features, self.loss_weights = G, D, features, weights
        features.trainable = False
        self.built = True

    def compile(self, rate):
        """Adam for both, with learning rates as given (a schedule or a number)."""
        super().compile(optimizer=keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.99))
        self.d_optimizer = keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.99)
        self.optimizer.build(self.G.trainable_variables)
        self.d_optimizer.build(self.D.trainable_variables)

    def train_step(self, x):
        """One step of both networks on a batch of images 0..255."""
        real = self.features(x, training=False)
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
        image = tf.reduce_mean(tf.minimum(as_is, mirrored)) / tf.math.reduce_variance(x)
        feature = 0.0
        for wanted, got in zip(real, self.features(y, training=False), strict=True):
            # Relative to what the features vary by: one weight serves every layer and network.
            spread = tf.reduce_mean(tf.math.reduce_variance(wanted, axis=0))
            feature += tf.reduce_mean((wanted - got) ** 2) / spread
        adversarial = -tf.reduce_mean(self.D([y, real[-1]], training=False))
        return image, feature / len(real), adversarial


def features_of(classifier: keras.Model, encoder: str, compare: tuple[str, ...] = ()):
    """The classifier cut to the layers compared and, last, the code that G takes.

    Args:
        classifier: RGB 0..255 -> anything.
        encoder: Layer whose flattened output is the code.
        compare: Further layers for the feature loss; the last one with a map before the encoder
            where none is named.
    """
    if not compare:
        names = [layer.name for layer in classifier.layers]
        maps = [
            layer.name
            for layer in classifier.layers[: names.index(encoder)]
            if len(layer.output.shape) == 4
        ]
        compare = tuple(maps[-1:])
    outputs = [classifier.get_layer(name).output for name in compare]
    outputs.append(layers.Flatten(name="code")(classifier.get_layer(encoder).output))
    return keras.Model(classifier.input, outputs, name="features")


def batches(images, batch: int, seed: int) -> tf.data.Dataset:
    """Shuffled batches of images as floats, each mirrored half of the time."""

    def augment(x, mirror):
        x = tf.cast(x, tf.float32)
        return tf.where(mirror[:, None, None, None], x[:, :, ::-1], x)

    data = tf.data.Dataset.from_tensor_slices(images)
    data = data.shuffle(len(images), seed=seed, reshuffle_each_iteration=True)
    coins = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True)
    coins = coins.map(lambda i: i % 2 == 0).batch(batch)
    return (
        tf.data.Dataset.zip(data.batch(batch, drop_remainder=True), coins).map(augment).prefetch(2)
    )


class Sheets(keras.callbacks.Callback):
    """After every epoch, a picture of some images over their reconstructions."""

    def __init__(self, images, folder):
        super().__init__()
        self.images, self.folder = images.astype(np.float32), folder

    def on_epoch_end(self, epoch, logs=None):
        """Write `epoch_001.png` and so on."""
        from tf_inverse.report.sheet import contact_sheet

        trainer = self.model
        y = trainer.G(trainer.features(self.images, training=False)[-1], training=False)
        pairs = np.concatenate([self.images, np.clip(np.round(y), 0, 255)], axis=1)
        sheet = contact_sheet(pairs.astype(np.uint8), [""] * len(pairs), columns=20, tile=64)
        sheet.save(self.folder / f"epoch_{epoch + 1:03d}.png")


def train(G, features, images, *, epochs, seed, folder, batch=64, rate=5e-4, callbacks=()):
    """Train to the end; go on from `folder` where an earlier run was interrupted.

    Args:
        G: From `generator`; trained in place.
        features: From `features_of`.
        images: [N, H, W, C] uint8.
        epochs: Passes over the images.
        seed: Of order, mirroring and the discriminator's weights.
        folder: Path for checkpoints and sample sheets.
        batch: Images a step.
        rate: Learning rate; it stays for half of the steps and falls as a cosine then.
        callbacks: Further Keras callbacks.

    Returns:
        Keras' history.
    """
    keras.utils.set_random_seed(seed)
    steps = len(images) // batch
    half = epochs * steps // 2
    schedule = keras.optimizers.schedules.CosineDecay(
        rate, half, alpha=0.02, warmup_target=rate, warmup_steps=half
    )
    D = discriminator(G.input_shape[-1], images.shape[1:])
    trainer = Inverter(G, D, features)
    trainer.compile(schedule)
    folder.mkdir(parents=True, exist_ok=True)
    return trainer.fit(
        batches(images, batch, seed),
        epochs=epochs,
        callbacks=[
            keras.callbacks.BackupAndRestore(folder / "backup"),
            Sheets(images[:40], folder),
            *callbacks,
        ],
        verbose=2,
    )
