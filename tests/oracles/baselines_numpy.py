"""PPGN and activation maximisation in NumPy float64, one chain, gradients written out by hand.

The world: x = 20 (A h + a) + 128 on 8 x 8 pixels, its 6 x 6 centre seen; a 1 x 1 convolution
`conv1`, a dense layer with ReLU `relu6` (the encoding, as large as the code), logits `fc8`.
"""

from __future__ import annotations

import keras
import numpy as np

from tf_inverse.networks.codes import Codes
from tf_inverse.networks.networks import Networks

D, SIZE, CROP, EDGE = 5, 8, 6, 1


def networks():
    """The world as a pair."""
    keras.utils.set_random_seed(3)
    h = keras.Input((D,), name="code")
    x = keras.layers.Dense(SIZE * SIZE * 3, name="A")(h)
    x = keras.layers.Rescaling(20.0, offset=128.0)(keras.layers.Reshape((SIZE, SIZE, 3))(x))
    generator = keras.Model(h, x)
    image = keras.Input((CROP, CROP, 3), name="data")
    y = keras.layers.Rescaling(1 / 64, offset=-2.0)(image)
    y = keras.layers.Conv2D(4, 1, name="conv1", bias_initializer="glorot_uniform")(y)
    y = keras.layers.Dense(D, name="fc6")(keras.layers.Flatten()(y))
    y = keras.layers.ReLU(name="relu6")(y)
    classifier = keras.Model(image, keras.layers.Dense(3, name="fc8")(y))
    return Networks(
        name="linear",
        classifier=classifier,
        generator=generator,
        encoder="relu6",
        codes=Codes("normal", D),
        crop=CROP,
    )


class World:
    """The same, with its gradients, from the weights."""

    def __init__(self, made):
        def weights(model, name):
            return [w.astype(np.float64) for w in model.get_layer(name).get_weights()]

        self.A, self.a = weights(made.generator, "A")
        k, self.b1 = weights(made.classifier, "conv1")
        self.k = k[0, 0]
        self.W6, self.b6 = weights(made.classifier, "fc6")
        self.W8, self.b8 = weights(made.classifier, "fc8")

    def image(self, h):
        """The crop of G(h), [6, 6, 3]."""
        x = (20 * (h @ self.A + self.a) + 128).reshape(SIZE, SIZE, 3)
        return x[EDGE : EDGE + CROP, EDGE : EDGE + CROP]

    def see(self, x):
        """conv1's map, fc6 before ReLU, the encoding, the logits."""
        conv1 = (x / 64 - 2) @ self.k + self.b1
        pre = conv1.ravel() @ self.W6 + self.b6
        e = np.maximum(pre, 0)
        return conv1, pre, e, e @ self.W8 + self.b8

    def acts(self, x, neuron):
        """All units of the neuron's layer at its position."""
        conv1, _, _, logits = self.see(x)
        return logits if neuron.layer == "fc8" else conv1[neuron.at]

    def image_gradient(self, x, neuron):
        """d act / d x."""
        conv1, pre, _, _ = self.see(x)
        if neuron.layer == "fc8":
            back = self.W6 @ (self.W8[:, neuron.unit] * (pre > 0))
        else:
            back = np.zeros_like(conv1)
            back[(*neuron.at, neuron.unit)] = 1
        return back.reshape(conv1.shape) @ self.k.T / 64

    def to_code(self, image_gradient):
        """G^T of a gradient that is padded with zeros to the generator's size."""
        padded = np.zeros((SIZE, SIZE, 3))
        padded[EDGE : EDGE + CROP, EDGE : EDGE + CROP] = image_gradient
        return self.A @ (20 * padded.ravel())


def ppgn_step(world, h, i, neuron, *, eps1, eps2, eps3, noise, lr, lr_end, n_iters, low, high):
    """One step of the published program; returns h after it, and p and the image before it."""
    step = lr + (lr_end - lr) * i / n_iters
    x = world.image(h)
    _, _, e, _ = world.see(x)
    acts = world.acts(x, neuron)
    p = np.exp(acts - acts.max()) / np.exp(acts - acts.max()).sum()
    d_prior = e - h
    d_cond = world.to_code((1 - p[neuron.unit]) * world.image_gradient(x, neuron))
    d_h = eps1 * d_prior + eps2 * d_cond + eps3 * noise
    return np.clip(h + step / np.abs(d_h).mean() * d_h, low, high), p[neuron.unit], x


def am_step(world, c, i, neuron, *, lr, lr_end, n_iters, low, high, decay=0.99):
    """One step of act_max.py."""
    step = lr + (lr_end - lr) * i / n_iters
    x = world.image(c)
    g = world.image_gradient(x, neuron)
    moved = x + step / np.abs(g).mean() * g
    gc = world.to_code(moved - x)
    return np.clip(c + step / np.abs(gc).mean() * gc, low, high) * decay
