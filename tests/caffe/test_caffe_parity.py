"""Real networks layer by layer against OpenCV; classes of real photographs."""

import json

import numpy as np
import pytest
from oracles import caffe_cv2

from tf_inverse.caffe import (
    caffemodel,
    convert,
    keras_model,
    net_parameter,
    shape_inference,
    weights,
)
from tf_inverse.caffe.prototxt import parse
from tf_inverse.zoo import caffenet, generator

# MTCNN's third head is in the weights and not in the description.
IGNORED = {"mtcnn_det1": ("conv4-3",)}


def loaded(shared, name):
    """The raw network of a real file, its plan and the Keras names of its layers."""
    prototxt, file = caffe_cv2.files(shared, name)
    planned = shape_inference.make(net_parameter.read(prototxt))
    model, names = keras_model.raw(planned), keras_model.keras_names(planned)
    caffe_names = {keras_name: name_ for name_, keras_name in names.items()}
    weights.load(model, caffemodel.read(file), caffe_names, IGNORED.get(name, ()))
    return model, names


@pytest.mark.parametrize("name", caffe_cv2.FOLDERS)
def test_real_networks_layer_by_layer(shared_data, name):
    model, names = loaded(shared_data, name)
    x = caffe_cv2.image(name)
    expected = caffe_cv2.expected(name, *caffe_cv2.files(shared_data, name), x)
    found = caffe_cv2.outputs(model, names, x.transpose(0, 2, 3, 1))
    errors = {n: caffe_cv2.error(y, expected[n]) for n, y in found.items() if n in expected}
    assert len(errors) == len(names)
    assert max(errors.values()) < caffe_cv2.LIMIT, errors


def test_golden_values_are_opencvs(shared_data):
    if not caffe_cv2.available():
        pytest.skip("OpenCV with readNetFromCaffe is not installed")
    golden = json.loads(caffe_cv2.GOLDEN.read_text())
    for name in caffe_cv2.FOLDERS:
        arrays = caffe_cv2.forward(*caffe_cv2.files(shared_data, name), caffe_cv2.image(name))
        for layer, array in arrays.items():
            assert caffe_cv2.error(array, golden[name][layer]) < caffe_cv2.LIMIT


def test_squeezenet_names_photographs_as_opencv_does(shared_data):
    made = convert.any_caffe(
        *caffe_cv2.files(shared_data, "squeezenet_v1.0"), mean=np.float32([104, 117, 123])
    )
    images, classes = caffe_cv2.photographs(shared_data)
    ours = np.asarray(made.model.predict(images, batch_size=10, verbose=0)).reshape(-1, 1000)
    theirs = json.loads(caffe_cv2.GOLDEN.read_text())["photographs"]
    np.testing.assert_array_equal(ours.argmax(1), theirs["classes"])
    places = caffe_cv2.probes(ours[0])
    np.testing.assert_allclose(ours[:, places], theirs["logits"], atol=1e-4 * ours.max())
    assert (ours.argmax(1) == classes).mean() > 0.6
    assert made.labels[0] == "pool_final" and made.labels[1][980] == "volcano"


def test_data_flow_is_ppgns():
    """BGR minus mean out of G, cropped at 14, goes into CaffeNet as it is: no clip, no rounding."""
    rng = np.random.default_rng(2)
    x = rng.normal(0, 90, (1, 256, 256, 3)).astype("f4")
    mean = rng.uniform(90, 130, (256, 256, 3)).astype("f4")
    to_pixels = generator.generator("pool5", mean).get_layer("pixels")
    model = caffenet.caffenet(mean=mean)
    rgb = to_pixels(x)[:, 14:241, 14:241]
    data = model.get_layer("pixels")(rgb)
    assert float(np.asarray(rgb).min()) < 0
    np.testing.assert_allclose(data, x[:, 14:241, 14:241], atol=1e-4)


def test_names_of_layers_that_are_put_in_are_taken_by_no_other():
    """Keras takes each name once: those of the input, of the pixels and of a flattening too."""
    text = """input: "data" input_dim: 1 input_dim: 3 input_dim: 4 input_dim: 4
    layer { name: "pixels" type: "ReLU" bottom: "data" top: "a" }
    layer { name: "data" type: "Power" bottom: "a" top: "b" }
    layer { name: "fc_chw" type: "TanH" bottom: "b" top: "c" }
    layer { name: "fc" type: "InnerProduct" bottom: "c" top: "d"
            inner_product_param { num_output: 6 } }
    layer { name: "fc_flatten" type: "ReLU" bottom: "d" top: "e" }
    layer { name: "cut" type: "Slice" bottom: "e" top: "f" top: "g" }
    layer { name: "cut_1" type: "ReLU" bottom: "f" top: "h" }"""
    planned = shape_inference.make(net_parameter.understand(parse(text)))
    names = keras_model.keras_names(planned)
    assert names == {
        "pixels": "pixels_",
        "data": "data_",
        "fc_chw": "fc_chw",
        "fc": "fc_",
        "fc_flatten": "fc_flatten",
        "cut": "cut",
        "cut_1": "cut_1_",
    }
    model = keras_model.classifier(planned)
    assert set(names.values()) < {layer.name for layer in model.layers}
