"""A plane with a known answer: two linear neurons of codes in a box."""

import keras
import numpy as np

from tf_inverse.networks import domains


def box():
    """Codes x in [0, 1]^6; neuron 0 is x0, neuron 1 is x0 + x1: (z0, z1) fill a parallelogram."""
    x = keras.Input((1, 2, 3), name="data")
    flat = keras.layers.Flatten(name="flat")(keras.layers.Rescaling(1 / 255)(x))
    layer = keras.layers.Dense(2, use_bias=False, name="f")
    classifier = keras.Model(x, layer(flat))
    layer.set_weights([np.array([[1, 1], [0, 1], *[[0, 0]] * 4], np.float32)])
    return domains.pixels(classifier, "flat")


def reachable(rows, columns):
    """Cells of [0, 1] x [0, 2] that meet z0 <= z1 <= z0 + 1, by their corners."""
    found = np.zeros((rows, columns), bool)
    for row in range(rows):
        for column in range(columns):
            left, right = column / columns, (column + 1) / columns
            low, high = 2 * row / rows, 2 * (row + 1) / rows
            found[row, column] = high > left and low < right + 1
    return found
