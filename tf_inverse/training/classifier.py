"""A small classifier, and the judge: another architecture, to see whether the first is fooled.

The classifier sees every other image moved a little up its loss (Goodfellow et al. 2015, with a
step drawn in [0, epsilon] in the L2 norm). A classifier trained so has features that people
recognise (Engstrom et al. 2019), and recognising is what a neuron is looked at for.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import layers


def _conv(x, name, filters, strides=1):
    x = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False, name=f"conv{name}")(x)
    x = layers.BatchNormalization(momentum=0.95, name=f"norm{name}")(x)
    return layers.ReLU(name=f"relu{name}")(x)


def classifier(classes: int, size: tuple[int, int] = (32, 32), code: int = 384) -> keras.Model:
    """Six convolutions and three dense layers, with the names of their likes in CaffeNet.

    Takes RGB 0..255, [B, H, W, 3]; gives logits [B, classes]. `relu6`, [B, code], is meant as the
    encoding. Batch normalisation is for training only: `folded` removes it.
    """
    images = keras.Input((*size, 3), name="data")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(images)
    x = _conv(x, "1_1", 32)
    x = _conv(x, "1_2", 64, strides=2)
    x = _conv(x, "2_1", 64)
    x = _conv(x, "2_2", 128, strides=2)
    x = _conv(x, "3_1", 128)
    x = _conv(x, "3_2", 128, strides=2)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(0.1, name="drop5")(x)
    x = layers.ReLU(name="relu6")(layers.Dense(code, name="fc6")(x))
    x = layers.ReLU(name="relu7")(layers.Dense(code // 2, name="fc7")(x))
    return keras.Model(images, layers.Dense(classes, name="fc8")(x), name="classifier")


def judge(classes: int, size: tuple[int, int] = (32, 32)) -> keras.Model:
    """A residual network without dense hidden layers: as unlike `classifier` as its size allows."""
    images = keras.Input((*size, 3), name="data")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(images)
    x = _conv(x, "1", 48, strides=2)
    for stage, (filters, strides) in enumerate(((48, 1), (96, 2), (192, 2)), start=2):
        x = _conv(x, f"{stage}_in", filters, strides)
        y = _conv(_conv(x, f"{stage}_a", filters), f"{stage}_b", filters)
        x = layers.Add(name=f"add{stage}")([x, y])
    x = layers.GlobalMaxPooling2D(name="pool")(x)
    return keras.Model(images, layers.Dense(classes, name="fc")(x), name="judge")


def folded(model: keras.Model) -> keras.Model:
    """The same function without batch normalisation and dropout: each scale is in its kernel.

    Args:
        model: A chain of layers in which `convX` (without bias) is followed by `normX`.
    """
    x = images = keras.Input(model.input_shape[1:], name=model.inputs[0].name)
    weights = {}
    for layer in model.layers[1:]:
        if isinstance(layer, layers.BatchNormalization | layers.Dropout):
            continue
        config, norm = layer.get_config(), layer.name.replace("conv", "norm")
        weights[layer.name] = layer.get_weights()
        if isinstance(layer, layers.Conv2D) and not layer.use_bias:
            config["use_bias"] = True
            weights[layer.name] = _scaled(layer, model.get_layer(norm))
        x = layer.__class__.from_config(config)(x)
    plain = keras.Model(images, x, name=model.name)
    for name, values in weights.items():
        plain.get_layer(name).set_weights(values)
    return plain


def _scaled(convolution, norm):
    gamma, beta, mean, variance = norm.get_weights()
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return [convolution.get_weights()[0] * scale, beta - mean * scale]


@keras.saving.register_keras_serializable("tf_inverse")
class Robust(keras.Model):
    """Trains a network on batches whose first half is moved one gradient step up the loss.

    Args:
        network: Images RGB 0..255 -> logits.
        epsilon: Largest L2 norm of the move, as a fraction of the full range of one pixel (0.25 is
            a usual value for 32x32 images).
    """

    def __init__(self, network, epsilon):
        """Wrap the network; see the class for the arguments."""
        super().__init__()
        self.network = network
        self.epsilon = tf.Variable(255.0 * epsilon, trainable=False, dtype=tf.float32)

    def build(self, input_shape):
        """Nothing to make: the network has its weights."""
        self.built = True

    def call(self, x, training=False):
        """Logits of the network."""
        return self.network(x, training=training)

    def _steepest(self, x, y):
        # Evaluation mode: batch statistics must not see these images twice.
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = self.compute_loss(y=y, y_pred=self.network(x, training=False))
        g = tape.gradient(loss, x)
        norm = tf.sqrt(tf.reduce_sum(g**2, axis=(1, 2, 3), keepdims=True)) + 1e-12
        return tf.random.uniform(tf.shape(norm), 0.0, self.epsilon) * g / norm

    def train_step(self, data):
        """One step; all images are left as they are where epsilon is 0."""
        x, y = data
        half = tf.shape(x)[0] // 2
        moved = tf.cond(
            self.epsilon > 0.0,
            lambda: x[:half] + self._steepest(x[:half], y[:half]),
            lambda: x[:half],
        )
        x = tf.concat([moved, x[half:]], axis=0)
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred)
        self.optimizer.apply(
            tape.gradient(loss, self.trainable_variables), self.trainable_variables
        )
        return self.compute_metrics(x, y, y_pred)


def batches(images, labels, batch: int, seed: int, pad: int = 4) -> tf.data.Dataset:
    """Shuffled batches, each image mirrored half of the time and shifted by up to `pad` pixels."""
    h, w, channels = images.shape[1:]

    def augment(x, y, seeds):
        x = tf.pad(x, [[pad, pad], [pad, pad], [0, 0]], mode="REFLECT")
        x = tf.image.stateless_random_crop(x, (h, w, channels), seeds)
        x = tf.image.stateless_random_flip_left_right(x, seeds + 1)
        return tf.cast(x, tf.float32), y

    seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
    data = tf.data.Dataset.from_tensor_slices((images, labels))
    data = data.shuffle(len(images), seed=seed, reshuffle_each_iteration=True)
    data = tf.data.Dataset.zip(data, seeds).map(lambda xy, s: augment(*xy, s))
    return data.batch(batch, drop_remainder=True).prefetch(4)


def train(
    network, images, labels, test, *, epochs, plain, epsilon, seed, backup, batch=128, lr=2e-3
):
    """Train to the end; go on from `backup` where an earlier run was interrupted.

    Args:
        network: From `classifier` or `judge`.
        images: [N, H, W, 3] uint8.
        labels: [N] integers.
        test: (images, labels) to report accuracy on after each epoch.
        epochs: Passes over the images.
        plain: How many of them, the last ones, leave the images as they are.
        epsilon: See `Robust`; of the epochs before.
        seed: Of order and augmentation; weights were drawn before.
        backup: Folder for the state of an interrupted run.
        batch: Images a step.
        lr: Peak learning rate; it rises over one epoch and falls as a cosine.

    Returns:
        Keras' history; the network is trained in place.
    """
    keras.utils.set_random_seed(seed)
    steps = len(images) // batch
    rate = keras.optimizers.schedules.CosineDecay(
        lr / 20, (epochs - 1) * steps, alpha=0.0, warmup_target=lr, warmup_steps=steps
    )
    trainer = Robust(network, epsilon)
    trainer.build((None, *images.shape[1:]))
    trainer.compile(
        keras.optimizers.AdamW(rate, weight_decay=0.02),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return trainer.fit(
        batches(images, labels, batch, seed),
        epochs=epochs,
        validation_data=tf.data.Dataset.from_tensor_slices(
            (test[0].astype(np.float32), test[1])
        ).batch(500),
        callbacks=[
            keras.callbacks.BackupAndRestore(backup),
            keras.callbacks.LambdaCallback(
                on_epoch_begin=lambda epoch, _: trainer.epsilon.assign(
                    255.0 * epsilon if epoch < epochs - plain else 0.0
                )
            ),
        ],
        verbose=2,
    )
