#!/usr/bin/env bash
# Two modifiers of the package tf-keras-vis leave many networks as they were, without a word:
#
# - GuidedBackpropagation gives the plain gradient where ReLU is a layer of its own
#   (keras.layers.ReLU, as in MobileNet) or where the ReLUs are in a model within the model (as after
#   transfer learning). A saliency map by its name is then the map without it.
# - ReplaceToLinear, which the package recommends for a network that ends in a softmax, leaves the
#   softmax where it is the layer keras.layers.Softmax or where the last layer is a model. The map
#   then shows the gradient of the probability, which vanishes for a class that is certain.
#
# Why: both put another function at a layer's attribute `activation`. GuidedBackpropagation looks for
# it in `model.layers`, which does not tell the layers of a model within; keras.layers.ReLU has no such
# attribute. ReplaceToLinear sets it without asking, and neither Softmax nor a model reads it.
# What helps: compare with the map without the modifier, or the sums of the modified model's outputs
# with 1. Build networks with Activation("relu") and Activation("softmax"), all in one model.
#
# Seen with tf-keras-vis 0.8.7, keras 3.15.1 on tensorflow 2.21.0, numpy 2.4.6. Gradients are compared
# by their largest difference with closed forms of the same three layers:
#   Conv2D(activation="relu"): 0.0e+00 from the guided gradient, 4.8e-03 from the plain one
#   Activation("relu"): 0.0e+00 from the guided gradient, 4.8e-03 from the plain one
#   ReLU(): 4.8e-03 from the guided gradient, 0.0e+00 from the plain one
#   a model within: 4.8e-03 from the guided gradient, 0.0e+00 from the plain one
#   Dense(activation="softmax"): made linear, sums to 1: False
#   Activation("softmax"): made linear, sums to 1: False
#   Softmax(): made linear, sums to 1: True
#   a model at the end: made linear, sums to 1: True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tf-keras-vis==0.8.7 tensorflow-cpu==2.21.0 keras==3.15.1 numpy==2.4.6
cd "$folder"
KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import keras
import numpy as np
import tensorflow as tf
import tf_keras_vis
from keras import layers
from tf_keras_vis.saliency import Saliency
from tf_keras_vis.utils.model_modifiers import GuidedBackpropagation, ReplaceToLinear
from tf_keras_vis.utils.scores import CategoricalScore

x = np.random.default_rng(0).standard_normal((5, 8, 8, 3)).astype("float32")


def convolutions(image, activation, layer):
    for _ in range(3):
        image = layers.Conv2D(8, 3, padding="same", activation=activation)(image)
        image = layer()(image) if layer else image
    return image


def network(activation=None, layer=None, within=False):
    """Three convolutions with ReLU, a mean over the image and four classes' logits."""
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3))
    if within:
        inner = keras.Input((8, 8, 3))
        features = keras.Model(inner, convolutions(inner, activation, layer))(image)
    else:
        features = convolutions(image, activation, layer)
    return keras.Model(image, layers.Dense(4)(layers.GlobalAveragePooling2D()(features)))


def gradient(weights, guided):
    """The absolute gradient of class 1, by TensorFlow's operations alone."""

    @tf.custom_gradient
    def relu(value):
        def back(upstream):
            passed = tf.nn.relu(upstream) if guided else upstream
            return passed * tf.cast(value > 0, value.dtype)

        return tf.nn.relu(value), back

    image = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(image)
        features = image
        for kernel, bias in zip(weights[0:6:2], weights[1:6:2]):
            features = relu(tf.nn.conv2d(features, kernel, 1, "SAME") + bias)
        logits = tf.reduce_mean(features, (1, 2)) @ weights[6] + weights[7]
        score = tf.reduce_sum(logits[:, 1])
    return np.abs(tape.gradient(score, image))


print("tf-keras-vis", tf_keras_vis.__version__, "keras", keras.__version__, "numpy", np.__version__)
cases = {
    'Conv2D(activation="relu")': (network("relu"), True),
    'Activation("relu")': (network(layer=lambda: layers.Activation("relu")), True),
    "ReLU()": (network(layer=layers.ReLU), False),
    "a model within": (network("relu", within=True), False),
}
for name, (model, is_guided) in cases.items():
    saliency = Saliency(model, model_modifier=GuidedBackpropagation())
    found = saliency(CategoricalScore(1), x, normalize_map=False, keepdims=True)
    guided, plain = (
        float(np.abs(np.abs(found) - gradient(model.get_weights(), kind)).max())
        for kind in (True, False)
    )
    print(f"{name}: {guided:.1e} from the guided gradient, {plain:.1e} from the plain one")
    near, far = (guided, plain) if is_guided else (plain, guided)
    assert near < 1e-6 < 1e-3 < far, "what GuidedBackpropagation changes has changed"


def ending(last):
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3))
    return keras.Model(image, last(layers.GlobalAveragePooling2D()(image)))


features = keras.Input((3,))
inner = keras.Model(features, layers.Dense(4, activation="softmax")(features))
cases = {
    'Dense(activation="softmax")': (ending(layers.Dense(4, activation="softmax")), False),
    'Activation("softmax")': (ending(lambda x: layers.Activation("softmax")(layers.Dense(4)(x))), False),
    "Softmax()": (ending(lambda x: layers.Softmax()(layers.Dense(4)(x))), True),
    "a model at the end": (ending(inner), True),
}
for name, (model, is_softmax) in cases.items():
    sums = np.asarray(Saliency(model, model_modifier=ReplaceToLinear()).model(x)).sum(-1)
    sums_to_1 = bool(np.abs(sums - 1).max() < 1e-5)
    print(f"{name}: made linear, sums to 1: {sums_to_1}")
    assert sums_to_1 == is_softmax, "what ReplaceToLinear changes has changed"
PYTHON
