"""Saved layers are found by their registered names, whatever module they were saved from."""

import json

import keras
import pytest

from tf_inverse.layers import caffe_layers, convolution, frozen_inputs, pixels, registered

FORMER = {
    "LRN": "tf_inverse.models.layers",
    "Pooling": "tf_inverse.models.layers",
    "Convolution": "tf_inverse.models.convolution",
    "ToPixels": "tf_inverse.models.pixels",
    "Fixed": "tf_inverse.adopt.layers",
}
LAYERS = [
    caffe_layers.LRN(),
    caffe_layers.Pooling("max", (3, 3), (2, 2)),
    convolution.Convolution(4, (3, 3)),
    pixels.ToPixels([1.0, 2.0, 3.0]),
    frozen_inputs.Fixed([1.0, 2.0]),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_a_layer_loads_although_its_module_is_gone(layer):
    saved = keras.saving.serialize_keras_object(layer)
    kind = type(layer).__name__
    assert saved["registered_name"] == f"tf_inverse>{kind}"
    saved["module"] = FORMER[kind]
    loaded = keras.saving.deserialize_keras_object(json.loads(json.dumps(saved)))
    assert type(loaded) is type(layer) and loaded.get_config() == layer.get_config()


def test_every_layer_of_ours_is_registered():
    modules = (registered.convolution, registered.caffe_layers, registered.pixels)
    for module in (*modules, registered.frozen_inputs):
        for name, thing in vars(module).items():
            ours = isinstance(thing, type) and thing.__module__ == module.__name__
            if ours and issubclass(thing, keras.layers.Layer):
                assert keras.saving.get_registered_object(f"tf_inverse>{name}") is thing, name
