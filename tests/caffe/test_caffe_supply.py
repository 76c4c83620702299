"""Weights that a file need not hold: blobs shared by name, fillers that say every number."""

import numpy as np
import pytest
from oracles import caffe_files
from oracles import caffe_naive as naive
from oracles.caffe_text import INPUT, layer

from tf_inverse.caffe import caffemodel, convert, net_parameter, shape_inference, supply
from tf_inverse.errors import ConversionError, RefusedInput

rng = np.random.default_rng(5)
SHAPES = [(3, 3, 3, 3), (3,)]
SETTINGS = "convolution_param { num_output: 3 kernel_size: 3 pad: 1 }"


def converted(where, text, blobs):
    """A conversion of layers and {name: arrays of a Convolution}."""
    (where / "n.prototxt").write_text(INPUT + text)
    rows = [(name, "Convolution", "x", "x", {}, [a.shape for a in b]) for name, b in blobs.items()]
    caffe_files.write(where / "n.caffemodel", rows, list(blobs.items()))
    return convert.any_caffe(where / "n.prototxt", where / "n.caffemodel")


def blobs():
    return [rng.normal(size=shape).astype("f4") for shape in SHAPES]


def tower(name, bottom, words):
    return layer("Convolution", f"{words} {SETTINGS}", name, bottom)


NAMES = 'param { name: "w" } param { name: "b" share_mode: PERMISSIVE }'
V1_TOWER = (
    'layers {{ name: "{0}" type: CONVOLUTION bottom: "{1}" top: "{0}" param: "w" param: "b" '
    "blob_share_mode: STRICT {2} }}"
)


@pytest.mark.parametrize("version", [1, 2])
def test_layers_take_shared_blobs_from_one_another(tmp_path, version):
    towers = [("one", "data"), ("two", "one"), ("three", "two")]
    if version == 1:
        text = "".join(V1_TOWER.format(*names, SETTINGS) for names in towers)
    else:
        text = "".join(tower(*names, NAMES) for names in towers)
    held = blobs()
    # The file has the owner's and one of the sharers': Caffe writes each, tools strip some.
    made = converted(tmp_path, text, {"one": held, "three": held})
    kernels = [made.model.get_layer(name).get_weights() for name, _ in towers]
    for kernel, bias in kernels:
        np.testing.assert_array_equal(kernel, held[0].transpose(2, 3, 1, 0))
        np.testing.assert_array_equal(bias, held[1])
    assert "two: the file holds no weights for it, they are shared" in made.notes


def test_shared_blobs_that_differ_or_are_not_all_there_are_refused(tmp_path):
    text = tower("one", "data", NAMES) + tower("two", "one", NAMES)
    with pytest.raises(ConversionError, match="'two' shares 'w' with another layer, but the file"):
        converted(tmp_path, text, {"one": blobs(), "two": blobs()})
    half = tower("one", "data", NAMES) + tower("two", "one", 'param { name: "w" }')
    with pytest.raises(ConversionError, match=r"'two' \(Convolution\): expected .* found none"):
        converted(tmp_path, half, {"one": blobs()})


UP = "num_output: 3 group: 3 kernel_size: {0} stride: 2 bias_term: false"


@pytest.mark.parametrize("side", [3, 4])
def test_a_bilinear_filler_defines_the_layer(tmp_path, side):
    filler = 'weight_filler { type: "bilinear" }'
    settings = f"convolution_param {{ {UP.format(side)} {filler} }}"
    made = converted(tmp_path, layer("Deconvolution", settings), {"unused": []})
    x = rng.uniform(0, 255, (1, 8, 8, 3)).astype("f4")
    kernel = np.stack([naive.bilinear(side)[None]] * 3)
    bgr = x[0, ..., ::-1].transpose(2, 0, 1).astype("f8")
    expected = naive.deconvolution(bgr, kernel, np.zeros(3), (2, 2), (0, 0), 3)
    np.testing.assert_allclose(made.model(x)[0], expected.transpose(1, 2, 0), atol=1e-3)
    assert "l: the file holds no weights for it, they are from its filler" in made.notes


def test_a_constant_filler_does_and_one_that_draws_does_not(tmp_path):
    constant = "weight_filler { value: 0.5 } bias_filler { type: 'constant' value: 2 }"
    settings = f"convolution_param {{ num_output: 1 kernel_size: 8 {constant} }}"
    made = converted(tmp_path, layer("Convolution", settings), {"unused": []})
    x = np.ones((1, 8, 8, 3), "f4")
    assert float(made.model(x).numpy().item()) == 0.5 * 192 + 2
    for words in ('weight_filler { type: "xavier" }', "", "bias_filler { }"):
        settings = f"convolution_param {{ num_output: 1 kernel_size: 8 {words} }}"
        with pytest.raises(ConversionError, match="found none"):
            converted(tmp_path, layer("Convolution", settings), {"unused": []})
    for words, message in (
        ('weight_filler { type: "bilinear" vale: 1 }', "vale is no setting of weight_filler"),
        ("kernel_h: 1 kernel_w: 2 weight_filler { type: 'bilinear' }", "expected a square kernel"),
    ):
        size = "" if "kernel" in words[:8] else "kernel_size: 8"
        settings = f"convolution_param {{ num_output: 1 {size} {words} }}"
        with pytest.raises(RefusedInput, match=message):
            converted(tmp_path, layer("Convolution", settings), {"unused": []})


def test_fillers_take_no_memory(tmp_path):
    """A few bytes of text may ask for a gigabyte: the numbers are spread when they are copied."""
    text = "num_output: 60000 weight_filler { value: 1 }"
    (tmp_path / "p").write_text(INPUT + layer("InnerProduct", f"inner_product_param {{ {text} }}"))
    caffe_files.write(tmp_path / "m", [("u", "ReLU", "x", "x", {}, [])], [("u", [])])
    planned = shape_inference.make(net_parameter.read(tmp_path / "p"))
    file, _ = supply.complete(planned, caffemodel.read(tmp_path / "m"))
    weights = file.weights()["l"].blobs[0]
    assert weights.shape == (60000, 192) and weights.array().strides == (0, 0)
