"""Layers that other layers make have the same names in every process that loads their file."""

import keras
import numpy as np
from keras import layers

from tf_inverse.layers import taps
from tf_inverse.networks import keras_file


def test_names_of_layers_within_layers_depend_on_the_file_alone(tmp_path):
    x = keras.Input((4, 6))
    layers.Softmax()
    h = x
    for name in ("first", "second"):
        h = layers.MultiHeadAttention(2, 3, name=name)(h, h)
    f = keras.Model(x, layers.Dense(2, name="head")(h))
    # Keras counts every layer of the process, those of the lines before as well.
    assert not any(path == "first/softmax" for path in taps.shapes(f))
    f.save(tmp_path / "f.keras")
    count = keras.backend.get_uid("softmax")
    made = [keras_file.load(tmp_path / "f.keras") for _ in range(2)]
    paths = [[path for path, _ in taps.walk(one)] for one in made]
    assert paths[0] == paths[1]
    assert {"first/softmax", "second/softmax_1"} <= set(paths[0])
    # What is made afterwards is counted as before.
    assert keras.backend.get_uid("softmax") > count
    inputs = np.random.default_rng(0).normal(size=(2, 4, 6)).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(made[0](inputs)), np.asarray(f(inputs)))
