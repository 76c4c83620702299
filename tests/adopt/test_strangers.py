"""Networks of strangers: what was silently wrong, or told in words that nobody understands."""

import re

import keras
import numpy as np
import pytest
import worlds
from keras import layers
from PIL import Image

from tf_inverse import adopt
from tf_inverse.adopt import adapters, check, command, ends, facts, loading, notes
from tf_inverse.caffe import join
from tf_inverse.errors import UsageError
from tf_inverse.layers import taps
from tf_inverse.networks import logits, storage


def generator(rows=12, columns=12):
    c = keras.Input((5,), name="code")
    h = layers.Dense(rows * columns * 3, activation="tanh", name="fc")(c)
    return keras.Model(c, layers.Reshape((rows, columns, 3))(h), name="G")


def classifier(rows=12, columns=12):
    x = keras.Input((rows, columns, 3))
    h = layers.Dense(6, name="fc")(layers.Flatten()(x))
    return keras.Model(x, layers.Dense(4, name="logits")(h), name="f")


def test_a_crop_of_none_comes_before_that_of_the_folder(tmp_path):
    adopted = adopt.adopt(classifier(8, 8), generator(), "fc", crop=8)
    folder = adopt.write(adopted, tmp_path / "pair")
    assert storage.load(folder).crop == 8
    again = {crop: adopt.adopt(classifier(8, 8), folder, "fc", crop=crop) for crop in (None, 0, 9)}
    assert [one.networks.crop for one in again.values()] == [8, None, 9]
    assert again[0].networks.image_shape == (12, 12, 3)
    with pytest.raises(UsageError, match="--crop from 1 to 12 .*, or 0 for none, got -1"):
        adopt.adopt(classifier(8, 8), folder, "fc", crop=-1)


@pytest.mark.parametrize(
    ("wanted", "whole", "side"),
    [
        ((227, 227), (256, 256), 227),
        ((227, 227), (227, 256), 227),
        ((227, 227), (227, 227), None),
        ((227, 227), (256, 300), None),
        ((227, 227), (256, 200), None),
        ((227, 200), (256, 256), None),
        ((None, None), (256, 256), None),
    ],
)
def test_a_crop_is_a_square_of_both_sides(wanted, whole, side):
    assert join.crop_side(wanted, whole) == side


def test_a_unit_that_is_not_finite_is_not_chosen():
    f = classifier()
    W, b = f.get_layer("logits").get_weights()
    b[1] = np.nan
    f.get_layer("logits").set_weights([W, b])
    networks = worlds.tiny_networks(classifier=f, size=12, encoder="fc", labels=None)
    seen = check.images(networks, (0.0, 255.0), 1.0)
    z = np.asarray(f(check.stored(seen.images).astype("f4")))
    spread = z.std(axis=0)
    assert check.liveliest(networks, "logits", seen).unit == np.nanargmax(spread)
    f.get_layer("logits").set_weights([W, b + np.nan])
    with pytest.raises(UsageError, match="no unit of logits has them for images of random codes"):
        check.liveliest(networks, "logits", seen)


def test_a_layer_of_a_savedmodel_is_a_tensor_of_the_classifier(tmp_path):
    """Maps are learned beside it, and sparse autoencoders read it, as with layers of Keras."""
    f = classifier()
    f.export(tmp_path / "f", verbose=False)
    x = np.random.default_rng(0).uniform(0, 255, (3, 12, 12, 3)).astype("f4")
    own = loading.open(tmp_path / "f", "classifier", trust=True).model
    adopted = adopt.adopt(tmp_path / "f", generator(), pixel_range=(0.0, 1.0), trust=True)
    for model, pixels in ((own, x), (adopted.networks.classifier, x / 255)):
        layer = next(path for path in taps.shapes(model) if path.endswith("graph/fc"))
        made, h = ends.exposed(model, layer)
        found = keras.Model(made.inputs[0], h)(x)
        expected = keras.Model(f.inputs[0], f.get_layer("fc").output)(pixels)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)
    sae = keras.Sequential([keras.Input((6,)), layers.Dense(9, "relu")])
    made, path = ends.with_features(adopted.networks.classifier, sae, "graph/fc")
    assert path == "f/fc_sae" and taps.shapes(made)[path] == (9,)


def test_the_encoding_of_one_member_of_an_ensemble_is_told():
    def member(name):
        x = keras.Input((12, 12, 3))
        h = layers.Dense(6, name="fc")(layers.Flatten()(layers.Rescaling(1 / 255)(x)))
        return keras.Model(x, layers.Dense(3, activation="softmax", name="out")(h), name=name)

    x = keras.Input((12, 12, 3), name="image")
    f = keras.Model(x, layers.Average()([member("one")(x), member("two")(x)]), name="both")
    told = "joins the answers of one and two: the encoding is that of two alone, layer two/fc"
    assert any(told in line for line in adopt.adopt(f, generator()).measured["notes"])
    named = adopt.adopt(f, generator(), "one/fc").measured["notes"]
    assert not any("joins the answers" in line for line in named)


def test_labels_in_another_order_than_units_are_doubted(tmp_path):
    """Folders are read by their names; a classifier's units are in an order of its own."""
    x = keras.Input((12, 12, 3))
    h = layers.GlobalAveragePooling2D(name="means")(x)
    f = keras.Model(x, layers.Dense(3, use_bias=False, name="logits")(h), name="f")
    f.get_layer("logits").set_weights([np.eye(3, dtype="f4")[:, [2, 0, 1]]])  # blue, red, green
    images = np.random.default_rng(0).integers(0, 200, (60, 12, 12, 3))
    for i, name in enumerate(("red", "green", "blue")):
        (tmp_path / name).mkdir()
        for j, image in enumerate(images[i::3]):
            image[..., i] += 55
            Image.fromarray(image.astype("u1")).save(tmp_path / name / f"{j}.png")
    told = adopt.adopt(f, generator(), "means", images=tmp_path).measured["notes"]
    # In the order of their names: blue, green, red.
    expected = "images of green excite unit 2 most, which is labelled red; --labels"
    assert any(expected in line for line in told)
    labels = (None, ("blue", "red", "green"))
    told = adopt.adopt(f, generator(), "means", images=tmp_path, labels=labels).measured["notes"]
    assert not any("another order" in line for line in told)


def test_a_file_of_a_model_that_was_never_built_has_no_weights(tmp_path):
    f = keras.Sequential([layers.Flatten(), layers.Dense(2)], name="early")
    with pytest.warns(UserWarning, match="not yet been built"):
        f.save(tmp_path / "f.keras")
    for size in (None, (12, 12, 3)):
        with pytest.raises(UsageError, match="with weights, .*f.keras holds early before it was"):
            loading.open(tmp_path / "f.keras", "classifier", size=size)
    with pytest.raises(UsageError, match="expected --size=.* for early, which does not tell"):
        loading.open(f, "classifier")
    assert loading.open(f, "classifier", size=(12, 12, 3)).model.output_shape == (None, 2)


def test_outputs_of_words_and_of_whole_numbers_are_left_out():
    f = classifier()
    best = keras.ops.argmax(f.outputs[0], axis=-1)
    words = layers.StringLookup(vocabulary=list("abcd"), invert=True, num_oov_indices=0)(best)
    several = {"best": best, "kind": words, "scores": f.outputs[0]}
    model = loading.open(keras.Model(f.inputs[0], several, name="f"), "classifier").model
    (h,) = model.outputs
    assert logits.source(h) == "logits"
    alone = keras.Model(f.inputs[0], best)
    assert loading.open(alone, "classifier").model is alone


def test_a_classifier_of_one_number_of_images_is_refused():
    x = keras.Input(batch_shape=(8, 12, 12, 3))
    f = keras.Model(x, layers.Dense(2)(keras.ops.reshape(x, (8, -1))), name="eight")
    with pytest.raises(
        UsageError, match=r"eight takes 8 at a time: .* keras.Input\(\(12, 12, 3\)\)"
    ):
        loading.open(f, "classifier")
    x = keras.Input(batch_shape=(1, 12, 12, 3))
    f = keras.Model(x, layers.Dense(2)(layers.Flatten()(x)))
    assert loading.open(f, "classifier").model is f


@pytest.mark.parametrize("pack", [lambda y: {"image": y}, lambda y: [y]])
def test_a_generator_that_packs_its_image(pack):
    G, c = generator(), np.random.default_rng(0).standard_normal((3, 5)).astype("f4")
    packed = keras.Model(G.inputs[0], pack(G.outputs[0]))
    for values in (adapters.PIXELS, (-1.0, 1.0)):
        expected = np.asarray(adapters.generator(G, values)(c))
        np.testing.assert_allclose(adapters.generator(packed, values)(c), expected, atol=1e-4)


def test_codes_of_an_open_size():
    c = keras.Input((None, None, 4))
    G = keras.Model(c, layers.Conv2D(3, 1)(layers.UpSampling2D(4)(c)), name="open")
    with pytest.raises(UsageError, match=r"open takes \[None, None, 4\]: save it with one, x ="):
        facts.generator(loading.open(G, "generator"))
    words = r"--code-size=NUMBER that open takes, whose input is \[None, None, 4\], got \[4\]: "
    with pytest.raises(UsageError, match=words):
        loading.open(G, "generator", size=(4,))


def test_codes_of_whole_numbers_are_refused():
    """Tokens that an embedding takes: it failed where they were tried as pixels."""
    tokens = keras.Input((4, 4), dtype="int32")
    G = keras.Model(tokens, layers.Conv2D(3, 1)(layers.Embedding(16, 2)(tokens)), name="vq")
    with pytest.raises(UsageError, match=r"vq takes whole numbers \[4, 4\] \(int32\), as tokens"):
        facts.generator(loading.open(G, "generator"))
    f = keras.Model(tokens, layers.Dense(2)(layers.Flatten()(layers.Embedding(16, 2)(tokens))))
    assert loading.open(f, "classifier").model is f


def test_a_classifier_of_words_alone_is_refused():
    """Keras takes the words of a StringLookup for whole numbers."""
    f = classifier()
    best = keras.ops.argmax(f.outputs[0], axis=-1)
    words = layers.StringLookup(vocabulary=list("abcd"), invert=True, num_oov_indices=0)(best)
    with pytest.raises(UsageError, match="f gives words, as of a StringLookup: save a model of a"):
        loading.open(keras.Model(f.inputs[0], words, name="f"), "classifier")


def test_a_layer_is_no_model():
    with pytest.raises(UsageError, match=r"for the generator, .* got Dense; a layer becomes a mod"):
        loading.open(layers.Dense(2), "generator")


def test_an_encoder_of_several_outputs_is_refused():
    x = keras.Input((12, 12, 3))
    h = layers.Flatten()(x)
    E = keras.Model(x, [layers.Dense(4)(h), layers.Dense(5)(h)], name="E")
    with pytest.raises(UsageError, match=r"with one output, E gives \[4\], \[5\]: save a model"):
        adopt.adopt(classifier(), generator(), E)


@pytest.mark.parametrize(
    ("shape", "way"),
    [
        ((784,), r"Reshape\(\(28, 28, 1\)\)"),
        ((192,), r"Reshape\(\(8, 8, 3\)\)"),
        ((190,), r"Reshape\(\(ROWS, COLUMNS, CHANNELS\)\)"),
        ((), "IMAGE"),
        ((4, 4, 6), r"G.outputs\[0\]\[..., :3\]"),
    ],
)
def test_how_a_generator_of_no_image_becomes_one(shape, way):
    c = keras.Input((5,))
    G = keras.Model(c, layers.Reshape(shape)(layers.Dense(int(np.prod(shape)))(c)), name="G")
    with pytest.raises(UsageError, match=f"the image alone, keras.Model.*{way}"):
        facts.generator(loading.open(G, "generator"), (-1.0, 1.0))


def doubts(code, shape, size=(8, 8)):
    """What is said of a generator of images of a shape, before a classifier of pictures [size]."""
    c = keras.Input(code)
    h = layers.Dense(int(np.prod(shape)), activation="tanh")(layers.Flatten()(c))
    G = keras.Model(c, layers.Reshape(shape)(h), name="G")
    f = facts.classifier(loading.Opened(classifier(*size), {}))
    return " ".join(notes.generator(facts.generator(loading.Opened(G, {})), f))


def test_how_codes_and_images_are_read_is_doubted():
    assert not doubts((5,), (8, 8, 3)) and not doubts((2, 2, 3), (16, 16, 3))
    assert not doubts((5,), (12, 8, 3), (24, 16))
    for shape in ((8, 8, 3), (16, 16, 3)):
        expected = "codes are of the shape [16, 16, 3] of pictures, and begin as noise"
        assert expected in doubts((16, 16, 3), shape)
    told = doubts((5,), (16, 12))
    assert "an output [16, 12] is read as a picture, 16 pixels high and 12 wide; tokens" in told
    told = doubts((5,), (16, 12, 3))
    assert (
        "images of 16 x 12 pixels (rows, columns) are stretched to the classifier's 8 x 8" in told
    )
    assert told.endswith("; --crop=12 takes the centre square")
    assert doubts((5,), (12, 12, 3), (8, 12)).endswith("which has other proportions")


def ranged(scale, shift=0.0):
    """A generator that gives values on [shift - scale, shift + scale], and nothing tells so."""
    c = keras.Input((5,))
    h = keras.ops.tanh(layers.Dense(192)(c) * 9) * scale + shift
    return keras.Model(c, layers.Reshape((8, 8, 3))(h), name="G")


def test_images_of_no_usual_range_are_refused():
    """Logits of pixels were taken for 0:255, and all images were black."""
    for scale, shift in ((8.0, 0.0), (100.0, 5.0), (2.5, -5.0)):
        with pytest.raises(UsageError, match="G in -1:1, 0:1 or 0:255, they go from -[0-9.]+ to"):
            check.likely_range(ranged(scale, shift), 5, "normal")
    assert check.likely_range(ranged(120.0, 118.0), 5, "normal") == (0, 255)


@pytest.mark.parametrize(
    ("scale", "shift", "declared", "told"),
    [
        (0.5, 0.0, None, "lie from -0.5 to 0.5 and are read in the range -1:1, of which"),
        (0.2, 0.25, None, "lie from 0.05 to 0.45 and are read in the range 0:1, of which"),
        (0.9, 0.0, None, ""),
        (0.5, 0.0, (-1.0, 1.0), ""),
    ],
)
def test_images_that_fill_half_a_range_are_doubted(scale, shift, declared, told):
    said = adopt.adopt(classifier(), ranged(scale, shift), image_range=declared).measured["notes"]
    found = " ".join(line for line in said if "are read in the range" in line)
    assert told in found and bool(told) == bool(found)


def bright(end):
    """A generator whose random codes give values of 0.5 to 0.76 alone, by a function at its end."""
    c = keras.Input((5,))
    h = layers.Dense(192, "sigmoid")(c) * 0.5 + 0.5
    return keras.Model(c, end(layers.Reshape((8, 8, 3))(h)))


ENDS = {
    "layer": (layers.Activation("tanh"), (-1, 1)),
    "operation": (keras.ops.tanh, (-1, 1)),
    "sigmoid": (layers.Activation("sigmoid"), (0, 1)),
    "cropped": (lambda h: layers.Cropping2D(1)(keras.ops.tanh(h)), (-1, 1)),
    "model": (keras.Sequential([keras.Input((8, 8, 3)), layers.Dense(3, "tanh")]), (-1, 1)),
    "scaled": (lambda h: keras.ops.tanh(h) * 0.5 + 0.5, (0, 1)),
}


@pytest.mark.parametrize("name", ENDS)
def test_the_last_function_of_a_generator_tells_the_range_of_its_images(name):
    end, expected = ENDS[name]
    assert check.likely_range(bright(end), 5, "normal") == expected


@pytest.mark.parametrize("plain", [True, False])
def test_an_output_that_is_no_layers_own_is_told(plain):
    f = classifier()
    h = keras.ops.multiply(f.outputs[0], 100.0)
    f = keras.Model(f.inputs[0], h if plain else layers.Identity(name="years")(h), name="f")
    networks = worlds.tiny_networks(classifier=f, size=12, encoder="fc", labels=None)
    told = " ".join(notes.chosen(networks, True))
    expected = r"operation \(multiply.*\) makes the output .* target is of logits, before it"
    assert bool(re.search(expected, told)) == plain


def test_an_input_of_words_is_told():
    with pytest.raises(UsageError, match="an input of words is fixed in a model of the other"):
        command.values("site=b")
    image, site = keras.Input((8, 8, 3)), keras.Input((1,), dtype="string", name="site")
    h = layers.Embedding(4, 2)(layers.StringLookup(vocabulary=["a", "b"])(site))
    h = layers.Concatenate()([layers.Flatten()(image), layers.Flatten()(h)])
    f = keras.Model([image, site], layers.Dense(2)(h))
    with pytest.raises(UsageError, match="expected no input of words, as site, to be fixed here"):
        adapters.classifier(f, fixed={"site": 1.0})
