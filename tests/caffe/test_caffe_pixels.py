"""What a data layer does to pixels is done, or the flag that does it is named."""

import numpy as np
import pytest
from oracles import caffe_files
from oracles.caffe_text import layer

from tf_inverse.caffe import convert, feeds, means
from tf_inverse.errors import RefusedInput, UsageError

V2 = (
    'layer {{ name: "d" type: "Data" top: "data" top: "label" include {{ phase: TEST }} '
    'data_param {{ source: "/x" backend: LMDB batch_size: 50 }} transform_param {{ {} }} }} '
)
V1 = (
    'layers {{ name: "d" type: DATA top: "data" top: "label" include {{ phase: TEST }} '
    'data_param {{ source: "/x" {} }} }} '
)
V0 = 'layers {{ layer {{ name: "d" type: "data" source: "/x" {} }} top: "data" top: "label" }} '
BODY = {
    2: layer("Convolution", "convolution_param { num_output: 3 kernel_size: 1 }", "c")
    + layer("SoftmaxWithLoss", "", "loss", "c label"),
    1: 'layers { name: "c" type: CONVOLUTION bottom: "data" top: "c" '
    "convolution_param { num_output: 3 kernel_size: 1 } }",
    0: 'layers { layer { name: "c" type: "conv" num_output: 3 kernelsize: 1 } bottom: "data" '
    'top: "c" }',
}
TRAIN = V2.format("mirror: true crop_size: 9 mean_value: 1").replace("TEST", "TRAIN")


def converted(where, text, **given):
    """A conversion of a network that gives back what comes into its first layer."""
    (where / "n.prototxt").write_text(text)
    blobs = [np.eye(3, dtype="f4").reshape(3, 3, 1, 1), np.zeros(3, "f4")]
    rows = [("c", "Convolution", "x", "x", {}, [b.shape for b in blobs])]
    caffe_files.write(where / "n.caffemodel", rows, [("c", blobs)])
    return convert.any_caffe(where / "n.prototxt", where / "n.caffemodel", **given)


DESCRIBED = [
    # text, mean of blue, green and red, scale, what is said of the mean
    (V2.format("crop_size: 6 mean_value: 104 mean_value: 117 mean_value: 123"), (104, 117, 123), 1),
    (V2.format("crop_size: 6 mean_value: 90 scale: 0.5 mirror: true"), (90, 90, 90), 0.5),
    (V2.format("crop_size: 6 scale: 0.00390625 force_gray: false"), (0, 0, 0), 1 / 256),
    (V2.format("crop_h: 6 crop_w: 4 mean_value: 90"), (90, 90, 90), 1),
    (V1.format("crop_size: 6 scale: 0.25 mirror: false"), (0, 0, 0), 0.25),
    (V0.format("cropsize: 6 scale: 0.25 batchsize: 10 mirror: true"), (0, 0, 0), 0.25),
]


@pytest.mark.parametrize("text, mean, scale", DESCRIBED)
def test_pixels_come_in_as_the_data_layer_sends_them(tmp_path, text, mean, scale):
    version = 2 if text.startswith("layer {") else 0 if "layer {" in text else 1
    made = converted(tmp_path, (TRAIN if version == 2 else "") + text + BODY[version])
    _, height, width, _ = made.model.input_shape
    assert (height, width) == ((6, 4) if "crop_w" in text else (6, 6))
    rgb = np.random.default_rng(0).uniform(0, 255, (2, height, width, 3)).astype("f4")
    expected = (rgb[..., ::-1] - np.float32(mean)) * np.float32(scale)
    np.testing.assert_allclose(made.model(rgb), expected, rtol=0, atol=1e-4)
    said = ";".join(made.notes)
    assert ("mean: none is taken off" in said) == (not any(mean))
    assert ("scale: " in said) == (scale != 1)
    assert ("mirror: left out" in said) == ("mirror: true" in text)


def test_a_file_for_training_alone_says_what_comes_in(tmp_path):
    text = TRAIN.replace("mean_value: 1", "mean_value: 90 scale: 0.5") + BODY[2]
    made = converted(tmp_path, text, input_shape=(3, 6, 6))
    rgb = np.random.default_rng(0).uniform(0, 255, (2, 6, 6, 3)).astype("f4")
    np.testing.assert_allclose(made.model(rgb), (rgb[..., ::-1] - 90) / 2, rtol=0, atol=1e-4)
    assert {"mean: 90, from the prototxt", "scale: 0.5, from the prototxt"} <= set(made.notes)


def test_a_mean_image_is_another_file_which_a_flag_names(tmp_path):
    text = V2.format('crop_size: 6 mean_file: "data/imagenet_mean.binaryproto"') + BODY[2]
    with pytest.raises(UsageError, match="--mean=FILE: .* mean image data/imagenet_mean.binary"):
        converted(tmp_path, text)
    image = np.random.default_rng(0).uniform(90, 130, (8, 8, 3)).astype("f4")
    made = converted(tmp_path, text, mean=image)
    rgb = np.full((1, 6, 6, 3), 128, "f4")
    np.testing.assert_allclose(made.model(rgb)[0], 128 - image[1:7, 1:7], atol=1e-4)
    assert "mean: as given, in place of the prototxt's data/imagenet_mean.binaryproto" in made.notes


def test_what_is_given_comes_before_what_is_described():
    described = feeds.Transform((104.0, 117.0, 123.0), "", 0.5, False)
    (mean, scale, _), said = means.choose(described, np.float32([1, 2, 3]), 2.0)
    assert mean.tolist() == [1, 2, 3] and scale == 2.0
    assert said == [
        "mean: as given, in place of the prototxt's 104,117,123",
        "scale: as given, in place of the prototxt's 0.5",
    ]
    (mean, scale, _), said = means.choose(None, None, None)
    assert mean.tolist() == [0] and scale == 1.0 and "neither the prototxt nor" in said[0]


@pytest.mark.parametrize(
    "settings, message",
    [
        ("crop_size: 6 mean_valu: 104", "line 1: mean_valu is no setting of transform_param"),
        ("crop_size: 6 resize_param { height: 9 width: 9 }", "resize_param is no setting"),
        ('crop_size: 6 mean_value: 1 mean_file: "x"', "mean_value or mean_file, got both"),
        ("crop_size: 6 mean_value: inf", "expected a finite mean_value"),
    ],
)
def test_transformations_that_cannot_be_done_are_refused(tmp_path, settings, message):
    with pytest.raises(RefusedInput, match=message):
        converted(tmp_path, V2.format(settings) + BODY[2])


SIZES = [
    ("ImageData", "image_data_param { new_height: 5 new_width: 4 }", (3, 5, 4)),
    ("ImageData", "image_data_param { new_height: 5 new_width: 4 is_color: false }", (1, 5, 4)),
    ("ImageData", "image_data_param { new_height: 5 } transform_param { crop_size: 3 }", (3, 3, 3)),
    ("MemoryData", "memory_data_param { channels: 1 height: 5 width: 4 }", (1, 5, 4)),
    ("Data", "transform_param { crop_size: 3 force_gray: true }", (1, 3, 3)),
    ("Data", "transform_param { mean_value: 3 }", None),
]


@pytest.mark.parametrize("kind, settings, shape", SIZES)
def test_the_size_of_images_is_read_where_the_data_layer_says_it(kind, settings, shape):
    from tf_inverse.caffe import net_parameter, prototxt

    text = f'layer {{ name: "d" type: "{kind}" top: "data" {settings} }}' + layer("ReLU")
    assert net_parameter.understand(prototxt.parse(text)).inputs == {"data": shape}


@pytest.mark.parametrize("scale", [0.0, float("nan"), float("-inf")])
def test_a_scale_that_leaves_nothing_of_pixels_is_refused(scale):
    for described, given in ((None, scale), (feeds.Transform(scale=scale), None)):
        with pytest.raises(UsageError, match="expected a --scale other than 0, got"):
            means.choose(described, None, given)
