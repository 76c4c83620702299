"""Networks of strangers: what was silently wrong, or told in words that nobody understands."""

import keras
import numpy as np
import pytest
import worlds
from keras import layers
from PIL import Image

from tf_inverse import adopt
from tf_inverse.adopt import check, ends, loading
from tf_inverse.caffe import join
from tf_inverse.errors import UsageError
from tf_inverse.layers import taps
from tf_inverse.networks import storage


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
