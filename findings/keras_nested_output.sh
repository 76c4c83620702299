#!/usr/bin/env bash
# `output` means two things in Keras 3: of a Functional model it is the tensor inside the model, of a
# Sequential the tensor that the one call of the model gave. Code that takes a part of a model, as
# for Grad-CAM or for features, works for one kind of the same network and raises for the other:
#
# - keras.Model(outer.inputs, outer.get_layer("inner").output): works where `inner` is a Sequential;
#   a Functional raises ValueError (Output with path `` is not connected to `inputs`).
# - keras.Model(inner.inputs, inner.output) of a model alone: works for a Functional; a Sequential
#   raises AttributeError (has never been called), even after it has answered numbers.
#
# Why: Functional.output gives what it was made of; Sequential inherits Layer.output, which asks the
# calls on symbolic tensors. `outputs`, with an s, is the tensor inside for both.
# What helps: of a model alone take `model.outputs[0]`. Of a model within, keep the tensor that the
# call gave when the outer model is built.
#
# Seen with keras 3.15.1 on tensorflow 2.21.0, numpy 2.4.6:
#   Functional: within ValueError, alone works
#   Sequential: within works, alone AttributeError
#   alone by outputs[0]: works, works
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - <<'PYTHON'
import keras
import numpy as np
from keras import layers

x = np.random.default_rng(0).standard_normal((2, 4)).astype("float32")


def functional():
    image = keras.Input((4,))
    return keras.Model(image, layers.Dense(3)(image), name="inner")


def sequential():
    return keras.Sequential([keras.Input((4,)), layers.Dense(3)], name="inner")


def tried(model, inputs, output):
    """Whether the part of a model from its inputs to an output is made and gives what `model` does."""
    try:
        part = keras.Model(inputs[0], output())
    except (AttributeError, ValueError) as error:
        return type(error).__name__
    np.testing.assert_array_equal(np.asarray(part(x)), np.asarray(model(x)))
    return "works"


print("keras", keras.__version__, "numpy", np.__version__)
found, by_outputs = {}, []
for name, make in (("Functional", functional), ("Sequential", sequential)):
    alone, inner = make(), make()
    alone(x)
    image = keras.Input((4,))
    outer = keras.Model(image, layers.Dense(2)(inner(image)))
    found[name] = (
        tried(inner, outer.inputs, lambda: outer.get_layer("inner").output),
        tried(alone, alone.inputs, lambda: alone.output),
    )
    print(f"{name}: within {found[name][0]}, alone {found[name][1]}")
    by_outputs.append(tried(alone, alone.inputs, lambda: alone.outputs[0]))
print("alone by outputs[0]:", ", ".join(by_outputs))
expected = {"Functional": ("ValueError", "works"), "Sequential": ("works", "AttributeError")}
assert found == expected, "the behaviour has changed"
assert by_outputs == ["works", "works"], "outputs has changed"
PYTHON
