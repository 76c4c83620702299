"""Classifiers of KerasHub: their preprocessing is inside, and a hostile preset is refused."""

import importlib.util
import shutil

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from tf_inverse.tools import cli

from tf_inverse import adopt
from tf_inverse.adopt import kerashub, loading
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.judging import judges
from tf_inverse.networks import keras_file, places

there = pytest.mark.skipif(
    importlib.util.find_spec("keras_hub") is None, reason="needs KerasHub: the extra kerashub"
)
SCALE, OFFSET = (1 / 60, 1 / 58, 1 / 57), (-2.0, -1.9, -1.8)


def generator():
    c = keras.Input((5,), name="code")
    h = layers.Dense(16 * 16 * 3, activation="tanh", name="fc")(c)
    return keras.Model(c, layers.Reshape((16, 16, 3))(h), name="G")


def task(side=16, image_size=(16, 16), scale=SCALE, offset=OFFSET):
    """A small residual network as KerasHub makes them, with its preprocessor."""
    hub = importlib.import_module("keras_hub")
    keras.utils.set_random_seed(0)
    backbone = hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64],
        stackwise_num_blocks=[1],
        stackwise_num_strides=[1],
        block_type="basic_block",
        image_shape=(side, side, 3),
    )
    converter = hub.layers.ResNetImageConverter(image_size=image_size, scale=scale, offset=offset)
    made = hub.models.ResNetImageClassifierPreprocessor(image_converter=converter)
    return hub.models.ResNetImageClassifier(backbone=backbone, num_classes=4, preprocessor=made)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A classifier as a .keras file and as a preset, a generator, and what `predict` says of x."""
    folder, model = tmp_path_factory.mktemp("hub"), task()
    model.save(folder / "task.keras")
    model.save_to_preset(str(folder / "preset"))
    generator().save(folder / "G.keras")
    x = np.random.default_rng(1).uniform(0, 255, (3, 16, 16, 3)).astype("f4")
    return folder, x, model.predict(x, verbose=0)


@there
@pytest.mark.parametrize("form", ["task.keras", "preset", "keras_hub:"])
def test_a_call_gives_what_predict_gives(saved, form):
    folder, x, expected = saved
    source = f"keras_hub:{folder / 'preset'}" if form == "keras_hub:" else str(folder / form)
    opened = loading.open(source, "classifier")
    assert opened.prepares
    np.testing.assert_allclose(opened.model(x), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(judges.load(source, 3).outputs(x), expected, rtol=1e-4, atol=1e-5)


@there
@pytest.mark.parametrize("said", [None, (24, 20, 3)])
def test_an_open_size_is_that_of_the_preprocessor_or_as_said(said):
    model = task(side=None, image_size=(24, 20) if said is None else None)
    opened = loading.open(model, "classifier", size=said)
    assert opened.model.input_shape == (None, 24, 20, 3)
    x = np.random.default_rng(1).uniform(0, 255, (2, 24, 20, 3)).astype("f4")
    np.testing.assert_allclose(opened.model(x), model.predict(x, verbose=0), rtol=1e-4, atol=1e-5)


@there
def test_the_command_adopts_a_preset(saved, tmp_path, capsys):
    folder, x, expected = saved
    made = tmp_path / "pair"
    with pytest.raises(SystemExit, match="0"):
        cli.main(["adopt", str(folder / "preset"), str(folder / "G.keras"), str(made)])
    assert "encoder: [" in capsys.readouterr().out
    again = loading.open(made, "classifier").model
    np.testing.assert_allclose(again(x), expected, rtol=1e-4, atol=1e-5)


@there
def test_without_a_preprocessor_pixels_are_said(saved):
    model = task()
    model.preprocessor = None
    assert loading.open(model, "classifier") == (model, {}, False)
    assert adopt.adopt(model, generator(), pixel_range=(-1, 1)).networks.image_shape == (16, 16, 3)


@there
@pytest.mark.parametrize("prepare", [lambda x: x**2, lambda x: x[:, ::-1], lambda x: None])
def test_another_preprocessing_is_refused(prepare):
    model = task()
    model.preprocessor = prepare
    with pytest.raises(UsageError, match="expected a preprocessor of res_net_.* --pixels=LOW:HIGH"):
        loading.open(model, "classifier")


def test_a_model_with_a_preprocessor_of_its_own_is_left_alone():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.preprocessor, self.top = layers.Rescaling(1 / 255), layers.Dense(2)

        def call(self, x):
            return self.top(layers.Flatten()(self.preprocessor(x)))

    model, x = Own(), np.ones((1, 4, 4, 3), np.float32)
    expected = model(x)
    opened = loading.open(model, "classifier", size=(4, 4, 3))
    assert not opened.prepares
    np.testing.assert_allclose(opened.model(x), expected)


@pytest.mark.parametrize("source", ["cifar10", "a file of it", "keras:MobileNetV2"])
def test_pixels_are_not_scaled_twice(source):
    size = (32, 32, 3)
    if source == "a file of it":
        source = str(places.find("cifar10") / "classifier.keras")
    with pytest.raises(UsageError, match="expected no --pixels of .* takes 0..255, got -1:1"):
        adopt.adopt(source, generator(), pixel_range=(-1, 1), weights=None, size=size)
    with pytest.raises(UsageError, match="expected no --pixels of .* takes 0..255, got 0:1"):
        judges.load(source, 3, pixels=(0, 1), weights=None, size=size)


@there
def test_a_forged_preset_is_refused(saved, tmp_path):
    folder, copy = saved[0] / "preset", tmp_path / "preset"

    def forged(change):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        change()
        with pytest.raises(RefusedInput) as caught:
            kerashub.preset(str(copy))
        return str(caught.value)

    def rewrite(name, old, new):
        text = (copy / name).read_text()
        assert old in text
        (copy / name).write_text(text.replace(old, new))

    def link():
        with h5py.File(copy / "model.weights.h5", "a") as file:
            file["elsewhere"] = h5py.ExternalLink("other.h5", "/w")

    assert "stores" in forged(
        lambda: rewrite("task.json", '"num_classes": 4', '"num_classes": 1000000')
    )
    assert "is a program" in forged(
        lambda: rewrite("config.json", '"class_name": "ResNetBackbone"', '"class_name": "Lambda"')
    )
    assert "no preset that KerasHub knows" in forged(lambda: (copy / "task.json").write_text("{"))
    assert "elsewhere" in forged(link)


@there
def test_what_is_no_preset_is_said(saved, tmp_path):
    with pytest.raises(UsageError, match="expected --weights=none, or none said"):
        kerashub.preset(str(saved[0] / "preset"), weights="f.h5")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UsageError, match="KerasHub preset of an image classifier, got .* \\("):
        loading.open(f"keras_hub:{tmp_path}", "classifier")


def test_a_file_of_a_package_that_is_not_installed(tmp_path, monkeypatch):
    """Keras imports the package that a file names; without it, the line says what to install."""
    keras.Sequential([keras.Input((2,)), layers.Dense(1)]).save(tmp_path / "own.keras")

    def fails(*arguments, **options):
        raise TypeError(
            "Could not deserialize class 'ResNetImageClassifier' because its parent module "
            "keras_hub.src.models cannot be imported."
        )

    monkeypatch.setattr(keras.models, "model_from_json", fails)
    with pytest.raises(UsageError, match="pip install keras-hub"):
        keras_file.load(tmp_path / "own.keras")
