"""The layers against loops from Caffe's definition; the networks' shapes, files and precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from oracles import caffe_naive as naive

from tf_inverse.errors import UsageError
from tf_inverse.layers import caffe_layers, pixels
from tf_inverse.layers.convolution import Convolution, convolution, deconvolution
from tf_inverse.networks.saving import Frugal
from tf_inverse.zoo import caffenet, generator, labels

rng = np.random.default_rng(0)


def chw(x):
    return np.asarray(x, np.float64)[0].transpose(2, 0, 1)


def assert_close(got, expected):
    """Within 1e-5 of the largest value, as float32 sums allow."""
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def fill(layer, shape, weights):
    layer.build((None, *shape))
    layer.set_weights([np.asarray(w, np.float32) for w in weights])
    return layer


CONVOLUTIONS = [
    # size, channels, filters, kernel, stride, pad, dilation, groups
    ((7, 6), 4, 6, (3, 3), (1, 1), (1, 1), (1, 1), 2),
    ((9, 8), 4, 4, (3, 2), (2, 1), (1, 0), (1, 1), 1),
    ((19, 19), 3, 5, (11, 11), (4, 4), (0, 0), (1, 1), 1),
    ((17, 22), 2, 4, (11, 11), (4, 4), (2, 2), (1, 1), 2),
    ((20, 16), 2, 2, (3, 3), (5, 5), (0, 0), (1, 1), 1),
    ((9, 9), 2, 4, (3, 3), (1, 1), (2, 2), (2, 2), 1),
    ((9, 9), 2, 4, (2, 2), (2, 2), (1, 1), (3, 3), 2),
    ((9, 9), 2, 4, (2, 2), (2, 2), (0, 0), (3, 3), 1),
    ((5, 5), 3, 2, (1, 1), (1, 1), (1, 1), (1, 1), 1),
    ((6, 6), 2, 3, (4, 4), (1, 1), (1, 1), (1, 1), 1),
]


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolution_equals_loops(case):
    size, channels, filters, kernel, stride, pad, dilation, groups = case
    x = rng.normal(size=(1, *size, channels)).astype("f4")
    w = rng.normal(size=(filters, channels // groups, *kernel))
    b = rng.normal(size=filters)
    pads = (pad[0], pad[0], pad[1], pad[1])
    layer = convolution(filters, kernel, stride, pads, dilation, groups)
    fill(layer, (*size, channels), [w.transpose(2, 3, 1, 0), b])
    expected = naive.convolution(chw(x), w, b, stride, pad, dilation, groups)
    assert_close(chw(layer(x)), expected)
    assert layer.compute_output_shape((None, *x.shape[1:])) == (None, *layer(x).shape[1:])


DECONVOLUTIONS = [
    # size, channels, filters, kernel, stride, pad, groups
    ((3, 4), 3, 2, (4, 4), (2, 2), (1, 1), 1),
    ((4, 3), 2, 3, (3, 3), (1, 1), (1, 1), 1),
    ((3, 3), 4, 4, (3, 3), (2, 2), (0, 0), 2),
    ((3, 3), 2, 2, (2, 2), (3, 3), (0, 0), 1),
    ((4, 4), 2, 2, (5, 4), (2, 3), (2, 1), 1),
]


@pytest.mark.parametrize("case", DECONVOLUTIONS)
def test_deconvolution_equals_loops(case):
    size, channels, filters, kernel, stride, pad, groups = case
    x = rng.normal(size=(1, *size, channels)).astype("f4")
    w = rng.normal(size=(channels, filters // groups, *kernel))
    b = rng.normal(size=filters)
    layer = deconvolution(filters, kernel, stride, (pad[0], pad[0], pad[1], pad[1]), groups)
    fill(layer, (*size, channels), [w.transpose(2, 3, 1, 0), b])
    expected = naive.deconvolution(chw(x), w, b, stride, pad, groups)
    assert_close(chw(layer(x)), expected)


@pytest.mark.parametrize("mode", ["max", "average"])
@pytest.mark.parametrize(
    "size, kernel, stride, pad",
    [
        ((7, 7), (3, 3), (2, 2), (0, 0)),
        ((8, 9), (3, 3), (2, 2), (0, 0)),
        ((8, 8), (3, 2), (3, 1), (1, 1)),
        ((5, 5), (2, 2), (2, 2), (1, 1)),
        ((6, 5), (3, 3), (1, 1), (1, 1)),
    ],
)
def test_pooling_equals_loops(mode, size, kernel, stride, pad):
    x = rng.normal(size=(1, *size, 2)).astype("f4") - 3
    layer = caffe_layers.pooling(mode, kernel, stride, (pad[0], pad[0], pad[1], pad[1]), size)
    expected = naive.pooling(chw(x), mode, kernel, stride, pad)
    np.testing.assert_allclose(chw(layer(x)), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size, alpha, beta, k", [(5, 1e-4, 0.75, 1.0), (3, 0.5, 0.5, 2.0)])
def test_lrn_equals_loops(size, alpha, beta, k):
    x = rng.normal(0, 50, (1, 4, 3, 7)).astype("f4")
    across = caffe_layers.LRN(size, alpha, beta, k)(x)
    np.testing.assert_allclose(
        chw(across), naive.lrn_across(chw(x), size, alpha, beta, k), rtol=1e-5
    )
    within = caffe_layers.LRN(size, alpha, beta, across=False)(x)
    np.testing.assert_allclose(chw(within), naive.lrn_within(chw(x), size, alpha, beta), rtol=1e-5)


def test_lrn_equals_tensorflows_with_alpha_divided():
    x = rng.normal(0, 100, (2, 5, 5, 16)).astype("f4")
    expected = tf.nn.local_response_normalization(x, 2, 1.0, 1e-4 / 5, 0.75)
    np.testing.assert_allclose(caffe_layers.LRN()(x), expected, rtol=1e-5)


def test_grouped_gradients_equal_those_of_keras():
    x = tf.constant(rng.normal(size=(2, 9, 9, 4)).astype("f4"))
    ours = Convolution(6, (3, 3), (1, 1), (1, 1, 1, 1), groups=2)
    ours(x)
    theirs = keras.layers.Conv2D(6, 3, padding="same", groups=2)
    theirs.build(x.shape)
    theirs.set_weights(ours.get_weights())
    gradients = []
    for layer in (ours, theirs):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x) ** 3)
        gradients.append(tape.gradient(loss, [x, *layer.trainable_weights]))
    for mine, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-3)


def test_log_power_scale_slice():
    x = np.array([[[[1.0, 4.0]]]], np.float32)
    np.testing.assert_allclose(caffe_layers.Log(2.0, 2.0, 0.0)(x), np.log2(2 * x), rtol=1e-6)
    np.testing.assert_allclose(caffe_layers.Power(0.5, 1.0, 3.0)(x), np.sqrt(3 + x), rtol=1e-6)
    scale = fill(caffe_layers.Scale(), (1, 1, 2), [[2, 3], [1, -1]])
    np.testing.assert_allclose(scale(x), [[[[3, 11]]]])
    np.testing.assert_array_equal(caffe_layers.Slice((0, 0, 1), (1, 1, 1))(x), [[[[4.0]]]])


def test_pixels_there_and_back():
    x = rng.uniform(0, 255, (2, 5, 4, 3)).astype("f4")
    mean = rng.uniform(90, 130, (5, 4, 3)).astype("f4")
    there = fill(pixels.FromPixels("bgr", mean.shape, 0.5), (5, 4, 3), [mean])
    back = fill(pixels.ToPixels("bgr", mean.shape, 0.5), (5, 4, 3), [mean])
    np.testing.assert_allclose(there(x), (x[..., ::-1] - mean) * 0.5, atol=1e-5)
    np.testing.assert_allclose(back(there(x)), x, atol=1e-4)


def test_pixels_keep_their_digits_in_sixteen_bits():
    layer = pixels.FromPixels("rgb", (1,), dtype="mixed_bfloat16")
    layer.build((None, 1, 1, 1))
    layer.mean.assign([200.0])
    assert float(layer(np.full((1, 1, 1, 1), 201.25, "f4"))[0, 0, 0, 0]) == 1.25


def test_centre_crop_begins_at_fourteen_as_ppgns():
    mean = np.arange(256 * 256 * 3, dtype="f4").reshape(256, 256, 3)
    np.testing.assert_array_equal(pixels.centre_crop(mean, 227, 227), mean[14:241, 14:241])
    with pytest.raises(ValueError, match="at least 300 x 300"):
        pixels.centre_crop(mean, 300, 300)


def test_one_mean_is_that_of_every_channel():
    made = generator.generator("norm1", (117.0,))
    np.testing.assert_array_equal(made.get_layer("pixels").mean, [117, 117, 117])
    for grey in (np.zeros((256, 256, 1)), np.zeros(4), np.float32(3)):
        with pytest.raises(UsageError, match="expected a mean of 3 channels"):
            pixels.centre_crop(grey, 240, 240)


@pytest.mark.parametrize(
    "make, count, shape",
    [
        (lambda: caffenet.caffenet(), 60_965_224, (1000,)),
        (lambda: caffenet.caffenet(205), 57_708_109, (205,)),
        (lambda: caffenet.alexnet(), 60_965_224, (1000,)),
        (lambda: generator.generator("fc6"), 56_097_891, (256, 256, 3)),
        (lambda: generator.generator("pool5"), 12_702_307, (256, 256, 3)),
    ],
)
def test_networks_have_the_published_parameters(make, count, shape):
    model = make()
    assert model.count_params() - 3 == count  # the mean is ours
    assert model.output_shape[1:] == shape


def test_caffenet_and_alexnet_differ_in_the_order_of_norm_and_pool():
    for model, order in ((caffenet.caffenet(), ["pool1", "norm1"]), (caffenet.alexnet(), None)):
        names = [layer.name for layer in model.layers if layer.name in ("pool1", "norm1")]
        assert names == (order or ["norm1", "pool1"])


def test_generator_refuses_other_codes():
    with pytest.raises(ValueError, match="fc6, fc6_eucl, fc7, .*norm1, got 'fc9'"):
        generator.generator("fc9")


def small():
    image = keras.Input((19, 19, 3))
    x = pixels.FromPixels("bgr", (3,), name="pixels")(image)
    x = convolution(8, (11, 11), (4, 4), name="conv1")(x)
    x = caffe_layers.LRN(name="norm1")(x)
    x = convolution(6, (3, 3), pads=(1, 1, 1, 1), groups=2, name="conv2")(x)
    x = caffe_layers.pooling("max", (2, 2), (2, 2), size=(3, 3), name="pool")(x)
    x = deconvolution(2, (3, 3), (2, 2), name="deconv")(x)
    return keras.Model(image, keras.layers.Flatten()(x))


@pytest.mark.parametrize("save", [lambda m, p: m.save(p), lambda m, p: Frugal(m).save(p)])
def test_saved_models_reload_equal_with_safe_mode(tmp_path, save):
    model, x = small(), rng.uniform(0, 255, (3, 19, 19, 3)).astype("f4")
    save(model, tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(again(x), model(x))
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def test_sixteen_bit_policies_are_honoured():
    x = rng.uniform(0, 255, (2, 19, 19, 3)).astype("f4")
    keras.utils.set_random_seed(1)
    full = small()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = small()
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(full.get_weights())
    assert half.get_layer("conv2").compute_dtype == "bfloat16"
    assert half(x).dtype == tf.bfloat16
    scale = float(tf.reduce_max(tf.abs(full(x))))
    np.testing.assert_allclose(tf.cast(half(x), "float32"), full(x), atol=0.05 * scale)


def test_labels_name_the_papers_units():
    imagenet, places = labels.imagenet(), labels.places205()
    assert len(set(imagenet)) == 1000 and len(set(places)) == 205
    assert imagenet[980] == "volcano" and imagenet[946] == "cardoon"
    assert imagenet[663] == "monastery" and imagenet[861] == "toilet seat"
    assert imagenet[999] == "toilet tissue, toilet paper, bathroom tissue"
    assert places[87] == "gas station" and places[140] == "phone booth"
    assert labels.for_classes(10) is None


def test_labels_agree_with_the_photographs(shared_data):
    names = [name.replace("'", "").lower() for name in labels.imagenet()]
    files = sorted((shared_data / "natural_images").glob("*.jpg"))
    assert len(files) == 250
    for file in files:
        index, word = int(file.stem[:4]), file.stem[5:].replace("_", " ").replace("'", "").lower()
        spelt = [w.replace("-", " ") for w in names[index].split(", ")]
        assert word.replace("-", " ") in spelt
