"""Training at toy size: sources of images, folding, losses, going on, and a pair end to end."""

import functools
import io
import json
import os
import signal
import time

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tf_inverse.tools import cli

from tf_inverse import archive
from tf_inverse.errors import UsageError
from tf_inverse.judging import judges, matching
from tf_inverse.method.settings import Settings
from tf_inverse.networks import image_files, storage
from tf_inverse.training import (
    answers,
    architectures,
    batches,
    checkpoint,
    classifier,
    command,
    discriminator,
    evaluation,
    runs,
    verdict,
)
from tf_inverse.training import data as training_data

SIZE = (8, 8)


def world(count, seed):
    """Two classes that anything can tell apart: red above blue, and blue above red."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    x = rng.normal(90, 25, (count, *SIZE, 3))
    for one, label in zip(x, labels, strict=True):
        one[:4, :, 0 if label else 2] += 80
        one[4:, :, 2 if label else 0] += 80
    return x.clip(0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "world.npz"
    (x, y), (x_test, y_test) = world(128, 0), world(64, 1)
    np.savez(path, train_images=x, train_labels=y, test_images=x_test, test_labels=y_test)
    return path


def run(*arguments):
    """Runs tf-inverse in this process and returns its exit code."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(["train", *map(str, arguments)])
    return stopped.value.code


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """classifier.keras, a judge, a generator's folder and a pair, by the commands of the user."""
    out = tmp_path_factory.mktemp("trained")
    network, made = f"--classifier={out / 'classifier.keras'}", f"--classifier={out / 'made'}"
    small = ("--epochs=2", "--batch=16")
    new = ("--size=8", "--rate=0.01", *small)
    assert run("classifier", data, out, "--code=12", "--plain=1", *new) == 0
    assert run("judge", data, out, "--precision=bfloat16", *new) == 0
    about = (network, "--encoder=relu6", "--rate=0.002", "--appearance=0", "--width=0.25")
    assert run("generator", data, out / "made", *about, *small) == 0
    about = ("--labels=sea,sky", "--name=world", "--smooth=0.5")
    assert run("pair", data, out / "pair", made, *about) == 0
    return out


# Images


def test_nobody_trains_on_what_another_is_tested_on(tmp_path, monkeypatch):
    x, y = world(40, 0)
    np.savez(tmp_path / "whole.npz", images=x, labels=y)
    kept = {}

    def recorded(model, parts, *_, seed, **more):
        kept[seed] = parts.test.tobytes()
        raise UsageError("enough")

    monkeypatch.setattr(runs, "train_classifier", recorded)
    for kind, seed in (("classifier", 0), ("judge", 0), ("classifier", 7)):
        asked = (kind, tmp_path / "whole.npz", tmp_path / kind, "--size=8", f"--seed={seed}")
        assert run(*asked) == 2
    assert len(kept) == 3 and len({*kept.values()}) == 1


def test_images_from_arrays_by_split(data):
    x, y = image_files.load(data, SIZE)
    np.testing.assert_array_equal(x, world(128, 0)[0])
    np.testing.assert_array_equal(y, world(128, 0)[1])
    assert len(image_files.load(data, SIZE, "test")[0]) == 64
    larger, _ = image_files.load(data, (16, 16))
    expected = Image.fromarray(x[3]).resize((16, 16), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(larger[3], np.asarray(expected))


def test_images_from_a_folder_of_classes(tmp_path):
    x, y = world(6, 2)
    for i, (one, label) in enumerate(zip(x, y, strict=True)):
        (tmp_path / f"class{label}").mkdir(exist_ok=True)
        Image.fromarray(one).save(tmp_path / f"class{label}" / f"{i}.png")
    found, labels = image_files.load(tmp_path, SIZE)
    order = sorted(range(6), key=lambda i: (y[i], i))
    np.testing.assert_array_equal(found, x[order])
    np.testing.assert_array_equal(labels, y[order])
    grey, _ = image_files.load(tmp_path, SIZE, channels=1)
    assert grey.shape == (6, *SIZE, 1)


@pytest.mark.parametrize(
    "flag, words",
    [("epochs=0", "1 or more"), ("batch=-5", "1 or more"), ("code=0", "1 or more")]
    + [("seed=-1", "0 or more"), ("seed=4294967295", "0 or more"), ("epsilon=-1", "0 or more")]
    + [("rate=0", "more than 0"), ("width=-1", "more than 0"), ("rate=inf", "more than 0")],
)
def test_numbers_that_train_nothing_are_refused(data, tmp_path, capsys, flag, words):
    out = tmp_path / "out"
    assert run("classifier", f"--data={data}", f"--out={out}", f"--{flag}") == 2
    name = flag.split("=")[0]
    assert f"expected --{name} of {words}, got" in capsys.readouterr().err
    assert not out.exists()


def test_a_class_whose_images_are_all_kept_apart_is_a_class(tmp_path, monkeypatch):
    x, _ = world(20, 0)
    y = np.arange(20) % 2
    parts = training_data.Data(x[:18], x[18:], y[:18], np.array([1, 2]), x)
    monkeypatch.setattr(command.training_data, "load", lambda *given: parts)
    asked = []

    def network(classes, size, dtype):
        asked.append(classes)
        raise KeyboardInterrupt

    options = {"data": tmp_path, "image": None, "size": None, "rate": None, "batch": None}
    options |= {"epochs": 1, "plain": 0, "epsilon": 0.0, "seed": 0, "overwrite": False}
    with pytest.raises(KeyboardInterrupt):
        command._classifying(tmp_path / "out", "network", network, precision="float32", **options)
    assert asked == [3]


def test_few_channels_are_one_channel():
    assert min(architectures.widths_for((32, 32), 0.001)) == 1
    assert architectures.classifier(2, (8, 8), 4, 0.001).output_shape == (None, 2)


def test_classes_have_the_same_numbers_in_both_parts(tmp_path):
    one = Image.fromarray(world(1, 2)[0][0])
    for place in ("train/ant", "train/bee", "test/bee"):
        (tmp_path / place).mkdir(parents=True)
        one.save(tmp_path / place / "a.png")
    assert image_files.load(tmp_path, SIZE)[1].tolist() == [0, 1]
    assert image_files.load(tmp_path, SIZE, "test")[1].tolist() == [1]
    (tmp_path / "test" / "cat").mkdir()
    one.save(tmp_path / "test" / "cat" / "a.png")
    with pytest.raises(UsageError, match="classes of the training part .*, cat is none of them"):
        image_files.load(tmp_path, SIZE, "test")


def test_images_from_hdf5_of_jpeg_files(tmp_path):
    """As the shared CIFAR-10 file has them: all files end to end, and where each begins."""
    x, y = world(4, 3)
    parts = []
    for one in x:
        buffer = io.BytesIO()
        Image.fromarray(one).save(buffer, "jpeg", quality=95)
        parts.append(buffer.getvalue())
    with h5py.File(tmp_path / "d.h5", "w") as file:
        group = file.create_group("train")
        group["jpeg_bytes"] = np.frombuffer(b"".join(parts), np.uint8)
        group["offsets"] = np.cumsum([0, *map(len, parts)])
        group["labels"] = y
    found, labels = image_files.load(tmp_path / "d.h5", SIZE)
    np.testing.assert_array_equal(labels, y)
    expected = np.stack([np.asarray(Image.open(io.BytesIO(part))) for part in parts])
    np.testing.assert_array_equal(found, expected)


def test_sources_of_another_form_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a folder, .h5 or .npz of images, found"):
        image_files.load(tmp_path / "none.npz", SIZE)
    (tmp_path / "a.txt").touch()
    with pytest.raises(UsageError, match="expected a folder, .h5 or .npz of images, got a.txt"):
        image_files.load(tmp_path / "a.txt", SIZE)
    with pytest.raises(UsageError, match="expected pictures .* found none"):
        image_files.load(tmp_path, SIZE)
    np.savez(tmp_path / "f.npz", images=np.zeros((2, 8, 8, 3)))
    with pytest.raises(UsageError, match=r"images \[N, H, W, .*\] uint8 in f.npz, got float64"):
        image_files.load(tmp_path / "f.npz", SIZE)
    np.savez(tmp_path / "o.npz", labels=np.zeros(2))
    with pytest.raises(UsageError, match="expected images, or jpeg_bytes and offsets, in o.npz"):
        image_files.load(tmp_path / "o.npz", SIZE)
    np.savez(tmp_path / "l.npz", images=np.zeros((2, *SIZE, 3), "u1"), labels=np.zeros(3))
    with pytest.raises(UsageError, match=r"a label for each of 2 images in l.npz, .* shape \[3\]"):
        image_files.load(tmp_path / "l.npz", SIZE)


# The classifier


@pytest.mark.parametrize(
    ("labels", "words"),
    [(-1, "int64"), (0.5, "float64"), (np.nan, "float64"), ("sea", "<U")],
)
def test_labels_that_number_no_classes_are_refused(tmp_path, labels, words):
    np.savez(tmp_path / "l.npz", images=np.zeros((2, *SIZE, 3), "u1"), labels=np.array([0, labels]))
    with pytest.raises(UsageError, match=f"in l.npz that number the classes from 0, got {words}"):
        image_files.load(tmp_path / "l.npz", SIZE)


def test_classes_are_counted():
    x = np.zeros((3, *SIZE, 3), np.uint8)
    for train, test, words in (
        (np.array([0, 0]), np.array([0]), "two classes or more in here, got one class"),
        (np.array([0, 1]), np.array([7]), "got 7 among 3 classes of 3 images"),
        (np.array([0, 1]), None, "expected labels in here: every picture in a sub-folder"),
    ):
        with pytest.raises(UsageError, match=words):
            training_data.classes(training_data.Data(x[:2], x[2:], train, test, x), "here")
    whole = training_data.Data(x[:2], x[2:], np.array([0, 1]), np.array([2]), x)
    assert training_data.classes(whole, "here") == 3


def small(code=6):
    """A classifier of two classes in the least that has a map and a code."""
    keras.utils.set_random_seed(0)
    x = data = keras.Input((*SIZE, 3), name="data")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(x)
    x = keras.layers.Conv2D(4, 3, 2, name="conv1_1", activation="relu")(x)
    x = keras.layers.Dense(code, name="fc6")(keras.layers.Flatten(name="flatten")(x))
    x = keras.layers.LeakyReLU(0.3, name="relu6")(x)
    return keras.Model(data, keras.layers.Dense(2, name="fc8")(x))


def randomized(model, seed=0):
    """Batch normalisation with statistics that matter."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, w.shape) for w in layer.get_weights()])
    return model


@pytest.mark.parametrize("made", ["classifier", "pooled", "generator"])
def test_folding_changes_nothing_but_the_layers(made):
    if made == "generator":
        model = randomized(architectures.generator(5, (*SIZE, 3), (8, 8, 6, 4)))
        x = np.random.default_rng(0).standard_normal((4, 5)).astype("f4")
    else:
        pooled = 2 * (made == "pooled")
        model = randomized(architectures.classifier(3, SIZE, 10, width=0.5, pooled=pooled))
        x = world(4, 4)[0].astype("f4")
    folded = architectures.folded(model)
    kinds = {type(layer).__name__ for layer in folded.layers}
    assert not kinds & {"BatchNormalization", "Dropout"}
    np.testing.assert_allclose(folded(x), model(x, training=False), rtol=1e-3, atol=1e-3)


def test_networks_follow_the_size_of_images():
    """The last map has about four rows; that of 32 pixels is the shipped classifier's."""
    for size, stages, code in (((32, 32), 3, 384), ((64, 64), 4, 768), ((28, 40), 3, 336)):
        model = architectures.classifier(7, size)
        names = [layer.name for layer in model.layers]
        assert f"relu{stages}_2" in names and f"conv{stages + 1}_1" not in names
        assert model.get_layer("relu6").output.shape == (None, code)
        assert 3 <= model.get_layer(f"relu{stages}_2").output.shape[1] <= 5
        last = architectures.judge(7, size).get_layer("pool").input
        assert last.shape[1] == -(-size[0] // 2**stages)
    shipped = storage.load("cifar10_layer").classifier
    mine = architectures.folded(architectures.classifier(10))
    assert [w.shape for w in mine.weights] == [w.shape for w in shipped.weights]


def test_pooled_maps_stand_beside_the_code():
    model = architectures.classifier(3, (16, 12), 5, width=0.25, pooled=2)
    x = world(2, 0)[0].repeat(2, axis=1)[:, :, :6].repeat(2, axis=2).astype("f4")
    taps = [model.get_layer(name).output for name in ("relu1_2", "relu6", "code")]
    maps, code, both = (np.asarray(h) for h in keras.Model(model.input, taps)(x))
    means = [[maps[:, i : i + 4, j : j + 3].mean((1, 2)) for j in (0, 3)] for i in (0, 4)]
    expected = np.concatenate([code, *(one for row in means for one in row)], axis=1)
    np.testing.assert_allclose(both, expected, rtol=1e-4, atol=1e-5)


def test_half_precision_is_for_convolutions_without_a_bias_alone():
    """A bias in bfloat16 gets at most 256 equal terms of its gradient on a CPU: here are 1024."""
    dtype = "mixed_bfloat16"
    networks = [architectures.classifier(3, SIZE, 4, dtype=dtype)]
    networks += [
        architectures.judge(3, SIZE, dtype),
        architectures.generator(5, (*SIZE, 3), dtype=dtype),
    ]
    for network in networks:
        half = {one.name for one in network.layers if one.compute_dtype == "bfloat16"}
        assert half and all(network.get_layer(name).use_bias is False for name in half)
    D = discriminator.discriminator(5, (64, 64, 3), (4,), dtype=dtype)
    spectral = next(layer for layer in D.layers if isinstance(layer, discriminator.Spectral))
    first = keras.Model(D.inputs, spectral.output)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(first([tf.zeros((1, 64, 64, 3)), tf.zeros((1, 5))]))
    gradient = tape.gradient(total, spectral.bias.value)
    np.testing.assert_array_equal(gradient, np.full(4, 1024.0))


def test_perturbed_images_lie_up_the_loss_within_epsilon():
    model = small()
    trainer = classifier.Robust(model, keras.optimizers.SGD(0.0))
    x, y = world(16, 5)
    x, y = tf.constant(x, tf.float32), tf.constant(y)
    steepest = trainer.steepest(x, y)
    np.testing.assert_allclose(np.sum(steepest.numpy() ** 2, axis=(1, 2, 3)), 1.0, rtol=1e-4)
    before, after = (
        keras.losses.sparse_categorical_crossentropy(y, model(a, training=False), True).numpy()
        for a in (x, x + 6.0 * steepest)
    )
    assert (after > before).mean() > 0.9
    # The first half of a batch is moved by the norms given, the second stays as it is.
    moves = tf.linspace(0.0, 50.0, 8)
    x_moved = tf.concat([x[:8] + moves[:, None, None, None] * steepest[:8], x[8:]], axis=0)
    expected = keras.losses.sparse_categorical_crossentropy(y, model(x_moved, training=True), True)
    found = trainer.step({"x": x, "y": y, "moves": moves})["loss"]
    assert float(found) == pytest.approx(float(np.mean(expected)), rel=1e-5)


def test_batches_hold_shifted_or_mirrored_images():
    """Each pixel of an image tells its number and its place."""
    x = np.zeros((20, *SIZE, 3), np.uint8)
    x[..., 0] = np.arange(20)[:, None, None]
    x[..., 1], x[..., 2] = np.arange(8)[:, None], np.arange(8)
    make = batches.Batches(x, 6, seed=1, labels=np.arange(20), shift=2)
    every = [make(step) for step in range(2 * make.steps)]
    assert make.steps == 3  # the rest of a pass waits for another pass, in another order
    for batch in every:
        np.testing.assert_array_equal(batch["x"][:, 3, 3, 0], batch["y"])
        assert len(set(batch["y"])) == 6
    rows = np.concatenate([batch["x"][:, :, 4, 1] for batch in every]).astype(int)
    columns = np.concatenate([batch["x"][:, 4, :, 2] for batch in every]).astype(int)
    assert {int(one[3]) - 3 for one in rows} == {
        -2,
        -1,
        0,
        1,
        2,
    }  # as far as it was asked, both ways
    assert {int(np.sign(one[4] - one[3])) for one in columns} == {-1, 1}
    assert {int(np.sign(one[4] - one[3])) for one in rows} == {1}
    again = batches.Batches(x, 6, seed=1, labels=np.arange(20), shift=2)(4)
    np.testing.assert_array_equal(again["x"], every[4]["x"])


def test_batches_come_in_order_whoever_reads_them_first():
    def slow(step):
        time.sleep(0.02 * (step % 2))
        return {"x": step}

    with batches.ahead(slow, 3, 9) as coming:
        assert [one["x"] for one in coming] == [3, 4, 5, 6, 7, 8]


class After:
    """Asks to stop after so many steps."""

    def __init__(self, steps):
        self.steps = steps

    def __bool__(self):
        self.steps -= 1
        return self.steps == 0


def test_an_interrupted_training_goes_on_bit_for_bit(tmp_path):
    """In the middle of a pass: dropout, augmentation and the optimizer go on where they were."""
    x, y = world(48, 0)
    options = {"epochs": 2, "plain": 1, "epsilon": 0.1, "seed": 0, "batch": 16, "rate": 0.01}

    def train(folder, stop=False):
        folder.mkdir(exist_ok=True)
        keras.utils.set_random_seed(0)
        network = architectures.classifier(2, SIZE, 4, width=0.125)
        left = classifier.train(
            network, x, y, (x[:20], y[:20]), folder=folder, stop=stop, **options
        )
        return left, network.get_weights()

    left, expected = train(tmp_path / "a")
    assert left == 0
    left, found = train(tmp_path / "b", After(4))
    assert left == 2 and not np.array_equal(found[0], expected[0])
    left, found = train(tmp_path / "b")
    assert left == 0
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_accuracy_against_naive_loops():
    model, (x, y) = small(), world(30, 3)
    logits = np.asarray(model(x.astype("f4")))
    found = classifier.accuracy(model, x, y)
    right = [np.argmax(z) == one for z, one in zip(logits, y, strict=True)]
    assert found["top 1"] == np.mean(right)
    assert found["top 5"] == 1.0  # of two classes


# The pair


def test_commands_make_a_pair_that_samples(trained, tmp_path, capsys):
    networks = storage.load(trained / "pair")
    assert networks.name == "world" and networks.labels == ("fc8", ("sea", "sky"))
    assert networks.codes.kind == "bank" and networks.codes.size == 12
    assert networks.codes.limits[0] == 0 and networks.natural.images == 64
    sizes = [
        one.generator.get_layer("image").kernel_size
        for one in (storage.load(trained / "made"), networks)
    ]
    assert sizes == [(3, 3), (5, 5)]
    capsys.readouterr()
    out = tmp_path / "a.h5"
    with pytest.raises(SystemExit) as stopped:
        cli.main(
            ["sample", str(out), f"--network={trained / 'pair'}", "--targets=fc8:sky@p20:p80"]
            + ["--n=4", "--K=4", "--json"]
        )
    assert stopped.value.code == 0 and json.loads(capsys.readouterr().out)["found"] == 4
    assert len(archive.open(out)) == 4


def test_labels_are_a_list_or_a_file_of_them(tmp_path):
    """A list may be longer than the name of any file."""
    names = tuple(f"class {i}" for i in range(1000))
    (tmp_path / "labels.txt").write_text("\n".join(names))
    for text in (",".join(names), str(tmp_path / "labels.txt")):
        assert command._names(text) == names


def test_honesty_by_brute_force(trained):
    """Of a judge with more classes than the pair's, in another order, those are asked alone."""
    networks = storage.load(trained / "pair")
    x, y = world(40, 9)
    inputs = keras.Input((*SIZE, 3))
    h = keras.layers.Dense(8)(keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs)))
    stranger = judges.Judge("stranger", keras.Model(inputs, h), (*"abcde", "sky", "sea", "f"))
    with pytest.raises(UsageError, match="none is called sea, sky: --map=sea=THEIRS names one"):
        bare = judges.Judge("bare", stranger.model, tuple("abcdefgh"))
        matching.among(("sea", "sky"), "fc8", bare, {})
    panel = [
        matching.among(("sea", "sky"), "fc8", judges.load(trained / "judge.keras"), {}),
        matching.among(("sea", "sky"), "fc8", stranger, {}),
        matching.among(("sea", "sky"), "fc8", stranger, {"sky": ("a", "2")}),
    ]
    columns = ([[0], [1]], [[6], [5]], [[6], [0, 2]])
    e = networks.encode(x)
    drawn = np.asarray(networks.generator(e)).clip(0, 255).round()
    for judge, groups in zip(panel, columns, strict=True):
        shared = answers.asked(networks, [judge], x)
        found = evaluation.reconstructions(shared, y)["judges"][judge.name]
        for name, shown in (("accuracy", x), ("on_generated", drawn)):
            said = []
            for one in shown:
                z = np.asarray(judge.model(one[None].astype("f4"))[0])
                said.append(np.argmax([max(z[i] for i in group) for group in groups]))
            assert found[name] == np.mean(said == y)
    found = evaluation.reconstructions(answers.asked(networks, [], x), y)
    seen, again = (np.argmax(networks.classifier(a.astype("f4")), axis=1) for a in (x, drawn))
    assert found["accuracy"] == np.mean(seen == y) and found["agreement"] == np.mean(seen == again)


def test_first_choices_of_a_judge():
    """Output i of image j is that a linear map gives; ranks are counted by sorting."""
    inputs = keras.Input((*SIZE, 3))
    model = keras.Model(inputs, keras.layers.Dense(9)(keras.layers.Flatten()(inputs)))
    (x, _), y = world(30, 1), np.arange(30) % 9
    judge, z = judges.Judge("wide", model), np.asarray(model(x.astype("f4")))
    ranks = [sorted(one, reverse=True).index(one[i]) for one, i in zip(z, y, strict=True)]
    assert judge.ranks(x, y).tolist() == ranks
    shares = [np.mean(np.argsort(-z)[:, :n] == 4) * n for n in (1, 5)]
    found = answers.shares("samples", z, np.full(30, 4))
    assert found == pytest.approx({"samples": shares[0], "samples_top5": shares[1]})


def test_a_judge_whose_last_map_has_one_pixel():
    """As SqueezeNet's files have it, whichever axis holds the channels; a larger map is refused."""
    inputs = keras.Input((*SIZE, 3))
    plain = keras.Model(inputs, keras.layers.Dense(9)(keras.layers.Flatten()(inputs)))
    x = world(5, 1)[0]
    for shape in ((1, 1, 9), (9, 1, 1)):
        map_ = keras.Model(inputs, keras.layers.Reshape(shape)(plain.outputs[0]))
        judge = judges.load(map_)
        assert judge.count == 9
        np.testing.assert_array_equal(judge.outputs(x), plain(x.astype("f4")))
    with pytest.raises(UsageError, match=r"each of several classes, .* gives \[3, 3, 1\]"):
        judges.load(keras.Model(inputs, keras.layers.Reshape((3, 3, 1))(plain.outputs[0])))


def test_means_of_all_neurons():
    same, less = {"n": 3, "vendi": 4.0, "vendi_natural": 4.0}, {"n": 3, "vendi": 3.0}
    rows = [
        {"range": "p1:p2", "judges": {"a": {"samples": 0.5, "nature": 0.0}}} | same,
        {"range": "p1:p2", "judges": {"a": {"samples": 1.0, "nature": 0.5}}} | same | less,
        {"range": "p1:p2", "judges": {"a": {"nature": 1.0}}, "n": 0},
        {"range": "p3:p4", "judges": {"a": {"nature": 1.0}}, "n": 0},
    ]
    found = verdict.means(rows)
    assert found["p1:p2"] == {
        "neurons": 3,
        "reached": 2,
        "vendi of nature or more": 1,
        "judges": {"a": {"samples": 0.75, "nature": 0.5}},
    }
    assert found["p3:p4"]["reached"] == 0


def test_words_of_a_check():
    """A share over nature's is that of the numbers before it."""
    shares = {"natural images in range_top5": 0.8, "samples_top5": 0.6}
    mean = {"neurons": 10, "reached": 9, "vendi of nature or more": 7, "judges": {"j": shares}}
    told = {"accuracy_top5": 0.5, "on_generated_top5": 0.2, "accuracy": 0.3, "on_generated": 0.1}
    figures = {"accuracy": 0.4, "agreement": 0.25, "judges": {"j": told}, "means": {"p1:p2": mean}}
    assert verdict.words(figures) == [
        "the classifier's class on G(E(x)) is that on x for 25.0% of the test images; 40.0% of "
        "them are given to their class",
        "j (first 5 choices): of x 50.0%, of G(E(x)) 20.0%, 0.40 of it",
        "j (first 5 choices), p1:p2: of natural images 80.0%, of samples 60.0%, 0.75 of it",
        "p1:p2: 9 of 10 neurons reached, 7 with nature's Vendi score or more",
    ]


def test_check_prints_what_judges_say(trained, data, monkeypatch, capsys):
    """Shares of the natural images in a range, and of G(E(x)) of these, by asking one by one."""
    monkeypatch.setattr(evaluation, "Settings", functools.partial(Settings, patience=1, K=4))
    monkeypatch.setattr(answers, "AT_A_TIME", 25)
    judge = trained / "judge.keras"
    words = (f"--judge={judge}", "--map=sea=0,sky=1", "--n=3")
    assert run("check", data, trained / "pair", *words) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert [row["label"] for row in found["neurons"]] == ["sea", "sea", "sky", "sky"]
    networks, (x, _) = storage.load(trained / "pair"), world(64, 1)
    z = networks.classifier(x.astype("f4")).numpy()
    drawn = networks.generator(networks.encode(x)).numpy().clip(0, 255).round()
    model = judges.load(judge).model
    for unit, row in zip((0, 0, 1, 1), found["neurons"], strict=True):
        # A range that is out of reach ends nothing.
        told = row["judges"]["judge"]
        assert bool(row["n"]) == ("samples" in told) == ("vendi" in row) and row["n"] <= 3
        inside = [i for i in range(64) if row["z1"] <= z[i, unit] <= row["z2"]]
        for name, shown in (("natural images in range", x), ("... as G draws them", drawn)):
            said = [np.argmax(model(shown[i][None].astype("f4"))[0]) == unit for i in inside]
            assert told.get(name) == (np.mean(said) if said else None)
    assert found["means"].keys() == {"p99:p99.8", "p90:p98"}
    assert "neurons reached" in printed.err and "judge: of x" in printed.err
    assert run("check", data, trained / "pair", *words, "--neurons=1") == 0
    rows = json.loads(capsys.readouterr().out)["neurons"]
    assert rows == found["neurons"][:2]
    assert run("check", data, trained / "pair", *words, "--neurons=0") == 2
    assert "expected --neurons of 1 or more, got 0" in capsys.readouterr().err


def test_check_goes_on_past_a_neuron_that_never_changes(trained, monkeypatch):
    monkeypatch.setattr(evaluation, "Settings", functools.partial(Settings, patience=1, K=4))
    networks, (x, _) = storage.load(trained / "pair"), world(64, 1)
    last = networks.classifier.get_layer("fc8")
    kernel, bias = last.get_weights()
    kernel[:, 0] = 0
    last.set_weights([kernel, bias])
    panel = [judges.load(trained / "judge.keras").labelled(("sea", "sky"))]
    rows = evaluation.samples(networks, panel, answers.asked(networks, panel, x), 3)
    assert [(row["label"], row["n"]) for row in rows[:2]] == [("sea", 0), ("sea", 0)]
    assert [row["z1"] < row["z2"] for row in rows] == [False, False, True, True]
    means = verdict.means(rows)
    assert {one["neurons"] for one in means.values()} == {2}
    figures = {"agreement": 1.0, "accuracy": 1.0, "means": verdict.means(rows[:2])}
    said = verdict.words(figures | {"judges": {"judge": {"accuracy": 1.0, "on_generated": 1.0}}})
    assert said[-1].startswith("p90:p98: 0 of 1 neurons reached")


def test_weights_of_an_unfinished_training_are_a_beginning(data, tmp_path, monkeypatch, capsys):
    """What a shorter training begins with is what the state has; other sizes are refused."""
    words = ("classifier", data, tmp_path / "a", "--size=8", "--code=4", "--width=0.125")
    words += ("--batch=32", "--epochs=2", "--plain=2")
    real = classifier.Robust.step

    def interrupted(self, batch):  # once, while the first step is traced
        os.kill(os.getpid(), signal.SIGINT)
        return real(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(classifier.Robust, "step", interrupted)
        assert run(*words) == 130
    state = tmp_path / "a" / "network.training"
    network = architectures.classifier(2, SIZE, 4, width=0.125)
    assert checkpoint.weights(state, network) == 1
    with np.load(state / "state.npz") as file:
        for i, variable in enumerate(network.variables):  # those of dropout's seeds, too
            np.testing.assert_array_equal(variable, file[str(i)])
    seen = []
    monkeypatch.setattr(
        runs, "train_classifier", lambda made, *_, **__: seen.append(made.get_weights())
    )
    other = (*words[:2], tmp_path / "b", *words[3:], f"--start={state}")
    assert run(*other) == 0
    for a, b in zip(seen[0], network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    capsys.readouterr()
    assert run(*other, "--overwrite", "--width=0.25") == 4
    assert f"cannot take weights from {state} (" in capsys.readouterr().err
    assert run(*other[:-1], "--overwrite", f"--start={tmp_path / 'a'}") == 4
    assert "cannot take weights from" in capsys.readouterr().err


def _touched(path):
    path.touch()
    return path


def test_refusals(trained, data, tmp_path, capsys):
    def said(*arguments):
        assert run(*arguments) == 2
        return capsys.readouterr().err

    assert "expected generator, classifier, judge, pair, check, got 'gan'" in said(
        "gan", data, tmp_path
    )
    assert "train generator needs --classifier" in said("generator", data, tmp_path)
    assert "network.keras exists; give --overwrite" in said("classifier", data, trained)
    lonely = tmp_path / "classifier.keras"
    lonely.write_bytes((trained / "classifier.keras").read_bytes())
    text = said("pair", data, tmp_path / "pair", f"--classifier={lonely}")
    assert "expected --generator=FILE, or generator.keras beside" in text
    np.savez(tmp_path / "bare.npz", images=world(24, 0)[0])
    assert "expected labels in" in said("classifier", tmp_path / "bare.npz", tmp_path / "o")
    assert "of images, got a.txt" in said("classifier", _touched(tmp_path / "a.txt"), tmp_path)
    assert "found nothing at" in said("classifier", tmp_path / "none.npz", tmp_path / "o")
    new = ("classifier", data, tmp_path / "o")
    assert "expected --size=SIDE, or ROWS,COLUMNS" in said(*new, "--size=8,8,1")
    assert "got --image=8,8 and --size=16" in said(*new, "--size=16", "--image=8,8")
    assert "expected --precision of auto, float32" in said(*new, "--precision=half")
    text = said(*new, f"--start={trained / 'network.keras'}", "--size=16")
    assert "expected images of 8,8 as --start takes" in text
    np.savez(tmp_path / "three.npz", images=world(24, 0)[0], labels=np.arange(24) % 3)
    other = ("classifier", tmp_path / "three.npz", tmp_path / "o")
    text = said(*other, f"--start={trained / 'network.keras'}")
    assert "expected a --start of 3 classes or more, as" in text and "got 2" in text
    text = said(*new, f"--start={trained / 'made' / 'generator.keras'}")
    assert "expected a --start that takes colour images of one size" in text
    assert not (tmp_path / "o").exists()
    text = said("check", other[1], trained / "pair", f"--judge={tmp_path / 'none.keras'}")
    assert "three.npz is not in parts train and test: all 24 images are asked about" in text
