"""A generator for any classifier: architecture, losses, the loop, statistics, figures, the path."""

import functools
import json
import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
import worlds
from PIL import Image
from test_training import SIZE, After, run, small, world
from tf_inverse.tools import cli

from tf_inverse import adopt, archive
from tf_inverse.adopt import facts, loading, nature
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.networks import image_files, storage
from tf_inverse.networks.codes import Codes
from tf_inverse.networks.codes import generator as random_numbers
from tf_inverse.networks.natural import LEVELS
from tf_inverse.networks.networks import Networks
from tf_inverse.training import (
    appearance,
    architectures,
    batches,
    checkpoint,
    compared,
    data,
    discriminator,
    generator,
    loop,
    own,
    perceptual,
    quality,
    runs,
    statistics,
    work,
)


def pair(model, encoder="relu6", d=6):
    """A model with a generator that has learned nothing."""
    keras.utils.set_random_seed(1)
    G = architectures.generator(d, (*SIZE, 3), (8, 8, 6, 4))
    return Networks("pair", model, G, encoder, Codes("normal", d))


# Architecture and losses


@pytest.mark.parametrize("size", [(16, 8, 1), (13, 9, 3), (28, 28, 1), (4, 4, 3)])
def test_generator_gives_the_size_asked_for(size):
    model = architectures.generator(7, size)
    assert model.input_shape == (None, 7) and model.output_shape == (None, *size)


def test_a_codes_scale_does_not_matter():
    """What the layers see of codes of mean 50 and deviation 9 is what they see of N(0, 1)."""
    c = np.random.default_rng(0).standard_normal((5, 4)).astype("f4")
    models = []
    for spread in ((0.0, 1.0), (50.0, 9.0)):
        keras.utils.set_random_seed(0)
        models.append(architectures.generator(4, (*SIZE, 3), (8, 8, 6), spread))
    np.testing.assert_allclose(models[0](c), models[1](50 + 9 * c), rtol=1e-3, atol=1e-2)


def test_features_end_with_the_code():
    networks = pair(small())
    x = world(3, 6)[0].astype("f4")
    assert compared.compared(networks) == ("conv1_1",)
    assert compared.compared(networks, ("relu6", "fc8")) == ("relu6", "fc8")
    with pytest.raises(UsageError, match="expected a layer"):
        compared.compared(networks, ("none",))
    model = networks.classifier
    expected = keras.Model(model.input, [model.get_layer(n).output for n in ("conv1_1", "relu6")])
    for features in (
        compared.features(networks, ("conv1_1",)),
        perceptual.of_model(model, ("conv1_1",), "relu6"),
    ):
        for found, wanted in zip(features(x), expected(x), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    with pytest.raises(UsageError, match="expected layers of .*conv1_1.*, got 'none'"):
        perceptual.of_model(model, ("none",), "relu6")


def test_a_teachers_features_stand_before_the_code():
    """Of a network that takes larger images; by default the last map of each size."""
    inputs = keras.Input((16, 16, 3))
    h = keras.layers.Conv2D(5, 3, 2, padding="same", name="one")(inputs)
    h = keras.layers.ReLU(name="two")(h)
    h = keras.layers.Conv2D(6, 3, 2, padding="same", name="three")(h)
    h = keras.layers.GlobalAveragePooling2D()(h)
    teacher = keras.Model(inputs, keras.layers.Dense(7)(h), name="teacher")
    networks, x = pair(small()), world(3, 6)[0].astype("f4")
    mine = compared.features(networks, ("conv1_1",))
    found = perceptual.taught(mine, teacher)(x)
    assert perceptual.lessons(teacher) == ("two", "three")
    larger = tf.image.resize(x, (16, 16))  # bilinear
    taps = keras.Model(inputs, [teacher.get_layer(name).output for name in ("two", "three")])
    for one, wanted in zip(found, [mine(x)[0], *taps(larger), mine(x)[1]], strict=True):
        np.testing.assert_allclose(one, wanted, rtol=1e-4, atol=1e-4)
    with pytest.raises(UsageError, match="give --teacher-layers=A,B"):
        perceptual.lessons(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))


def test_losses_of_the_generator_against_numpy():
    networks = pair(small())
    features, G = compared.features(networks, ("conv1_1",)), networks.generator
    D = discriminator.discriminator(6, (*SIZE, 3), (4, 4))
    trainer = generator.Inverter(G, D, features)
    x = world(5, 7)[0].astype("f4")
    real = features(x)
    terms = trainer.terms(tf.constant(x), G(real[-1], training=True), real, {})
    assert tuple(terms) == generator.LOSSES
    found = [float(v) for v in terms.values()]
    y = np.asarray(G(real[-1], training=True), float)
    ways = [((v - y) ** 2).mean(axis=(1, 2, 3)) for v in (x, x[:, :, ::-1])]
    assert found[0] == pytest.approx(np.minimum(*ways).mean() / x.astype(float).var(), rel=1e-3)
    terms = []
    for wanted, got in zip(real, features(y.astype("f4")), strict=True):
        wanted, got = np.asarray(wanted, float), np.asarray(got, float)
        terms.append(((wanted - got) ** 2).mean() / wanted.var(axis=0).mean())
    assert found[1] == pytest.approx(np.mean(terms), rel=1e-3)
    assert found[2] == pytest.approx(
        -np.mean(D([tf.constant(y, tf.float32), real[-1]])), rel=1e-3, abs=1e-5
    )


def test_a_step_without_the_discriminator_leaves_it_as_it_is():
    """G then goes down the image and the feature loss alone, as a naive step of Adam does."""
    x = world(8, 4)[0].astype("f4")
    networks = pair(small())
    features, G = compared.features(networks, ("conv1_1",)), networks.generator
    D = discriminator.discriminator(6, (*SIZE, 3), (4,))
    trainer = generator.Inverter(G, D, features, 1e-3)
    before = [w.copy() for w in D.get_weights()]
    weights = [v.numpy() for v in G.trainable_variables]
    real = features(x)
    with tf.GradientTape() as tape:
        terms = trainer.terms(tf.constant(x), G(real[-1], training=True), real, {})
        loss = 0.6 * terms["image"] + terms["feature"]
    gradients = tape.gradient(loss, [v.value for v in G.trainable_variables])
    found = trainer.step({"x": x, "alone": np.zeros(0, "f4")})
    assert tuple(found) == ("image", "feature")
    for a, b in zip(D.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    for v, w, g in zip(G.trainable_variables, weights, gradients, strict=True):
        g = np.asarray(g, float)  # Adam's first step: each entry moves by the rate, down its slope
        np.testing.assert_allclose(v, w - 1e-3 * g / (abs(g) + 1e-7), rtol=1e-3, atol=2e-5)


def test_who_joins_late_learns_at_the_rate_of_the_others():
    schedule = keras.optimizers.schedules.CosineDecay(1.0, 8, alpha=0.5)
    late = generator.Later(schedule, 6)
    expected = 0.5 + 0.5 * (1 + np.cos(np.pi * 7 / 8)) / 2
    assert float(late(tf.constant(1))) == pytest.approx(expected, rel=1e-5)


def test_features_in_half_precision_are_nearly_those_in_float32():
    """Of the classifier and of a teacher; what comes out is float32, and gradients are alike."""
    networks, teacher = pair(small()), small(5)
    x = tf.constant(world(6, 7)[0], tf.float32)
    found = {}
    about = (networks, ("conv1_1",), teacher, ("relu6",))
    for precision in ("float32", "bfloat16"):
        features, used = compared.quick(x, precision, *about)
        assert used == precision
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = features(x)
            loss = sum(tf.reduce_sum(one) for one in outputs)
        found[precision] = [*outputs, tape.gradient(loss, x)]
    errors = []
    for exact, half in zip(*found.values(), strict=True):
        assert half.dtype == tf.float32
        errors.append(np.linalg.norm(half - exact) / np.linalg.norm(exact))
    *of_outputs, of_gradient = errors
    assert 1e-5 < min(of_outputs) and max(of_outputs) < 0.02
    assert of_gradient < 0.1  # a unit near 0 is on the other side of it in half precision
    assert {layer.compute_dtype for layer in teacher.layers} == {"float32"}


@pytest.mark.parametrize("fault", ["wrong", "raises"])
def test_features_that_half_precision_spoils_are_in_float32(fault):
    """A layer of the user's own that is written for one precision."""

    class Own(keras.layers.Layer):
        def call(self, x):
            if self.compute_dtype == "float32":
                return x
            return x + 1e4 if fault == "wrong" else x.written_for_float32()

    inputs = keras.Input((*SIZE, 3))
    h = keras.layers.Conv2D(4, 3, 2, activation="relu", name="map")(inputs)
    h = keras.layers.Dense(6, name="relu6")(keras.layers.Flatten()(Own(name="own")(h)))
    networks, x = pair(keras.Model(inputs, keras.layers.Dense(2, name="fc8")(h))), world(6, 7)[0]
    features, used = compared.quick(x, "bfloat16", networks, ("map",))
    assert used == "float32"
    expected = keras.Model(inputs, h)(x.astype("f4"))
    np.testing.assert_allclose(features(tf.constant(x, tf.float32))[-1], expected, rtol=1e-5)


def test_the_encoder_stays_as_it_is_and_the_generator_learns():
    x = world(32, 0)[0].astype("f4")
    networks = pair(small())
    before = [w.copy() for w in networks.classifier.get_weights()]
    D = discriminator.discriminator(6, (*SIZE, 3), (4,))
    features = compared.features(networks, ("conv1_1",))
    trainer = generator.Inverter(networks.generator, D, features, 5e-3, average=0.9)
    step = trainer.engine.compiled(trainer.step)
    mean, losses = None, []
    for _ in range(40):
        losses.append(float(step({"x": x})["image"]))
        now = [w.numpy().astype(float) for w in networks.generator.trainable_variables]
        mean = [0.9 * a + 0.1 * b for a, b in zip(mean, now, strict=True)] if mean else now
    assert losses[-1] < 0.6 * losses[0]
    trainer.finish()
    for variable, wanted in zip(networks.generator.trainable_variables, mean, strict=True):
        np.testing.assert_allclose(variable, wanted, rtol=1e-3, atol=1e-4)
    after = networks.classifier.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


# The discriminator


def test_spectral_layers_have_a_largest_singular_value_of_one():
    """After so many steps of power iteration it is that of NumPy; the bias is added after it."""
    keras.utils.set_random_seed(0)
    dense = keras.layers.Dense(5, use_bias=False)
    layer = discriminator.Spectral(dense)
    x = np.random.default_rng(0).standard_normal((7, 6)).astype("f4")
    for _ in range(60):
        layer(x, training=True)
    layer.bias.assign(np.arange(5.0))
    kernel = dense.kernel.numpy().astype(float)
    expected = x @ (kernel / np.linalg.svd(kernel)[1][0]) + np.arange(5.0)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-3, atol=1e-3)
    before = layer.u.numpy()
    layer(x, training=False)
    np.testing.assert_array_equal(layer.u, before)


def test_changed_images_against_naive_loops():
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 255, (6, 16, 8, 3)).astype("f4")
    numbers = discriminator.changes(rng, 6, discriminator.WAYS)
    for name in discriminator.WAYS:
        found = discriminator.augmented(x, {name: numbers[name]})
        for one, r, image in zip(found, numbers[name].astype(float), x.astype(float), strict=True):
            if name == "color":
                wanted = image + 255 * (r[0] - 0.5) / 2
                grey = wanted.mean(axis=2, keepdims=True)
                wanted = grey + 2 * r[1] * (wanted - grey)
                wanted = wanted.mean() + (0.5 + r[2]) * (wanted - wanted.mean())
            elif name == "translation":
                wanted = np.zeros_like(image)
                down, right = int(r[0] * 5) - 2, int(r[1] * 3) - 1
                for i in range(16):
                    for j in range(8):
                        if 0 <= i + down < 16 and 0 <= j + right < 8:
                            wanted[i, j] = image[i + down, j + right]
            else:
                wanted, i, j = image.copy(), int(r[0] * 16), int(r[1] * 8)
                wanted[max(0, i - 4) : i + 4, max(0, j - 2) : j + 2] = 127.5
            np.testing.assert_allclose(one, wanted, rtol=1e-4, atol=1e-2)
    with pytest.raises(UsageError, match="expected --augment of color, .*, got 'blur'"):
        discriminator.ways("color,blur")


# The loop


def test_batches_depend_on_the_step_alone():
    """A pass shows every image once, each pass in its own order, from wherever one begins."""
    x = np.arange(12, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 1), np.uint8)
    x[:, :, 1] += 100
    make = batches.Batches(x, 4, 3)
    every = [make(step)["x"] for step in range(6)]
    shown = [sorted(np.concatenate(every[i : i + 3])[:, 0].min(axis=1)[:, 0]) for i in (0, 3)]
    assert shown == [list(range(12))] * 2
    assert not np.array_equal(every[0], every[3])
    sides = np.concatenate(every)[:, 0, 0, 0] >= 100
    assert 0 < sides.sum() < len(sides)  # some are mirrored
    again = batches.Batches(x, 4, 3)
    np.testing.assert_array_equal([again(step)["x"] for step in (4, 5)], every[4:])


def test_a_stopped_training_goes_on_bit_for_bit(tmp_path, monkeypatch):
    """In the middle of a pass, with both optimizers, maps and the average; D joins."""
    x = world(48, 0)[0]
    little = functools.partial(discriminator.discriminator, widths=(4,))
    monkeypatch.setattr(generator, "discriminator", little)

    def train(path, stop=False):
        path.mkdir(exist_ok=True)
        read = compared.features(pair(small()), ("conv1_1",))
        keras.utils.set_random_seed(1)
        grid = appearance.grid(6, 1.0, SIZE, 2)
        G = architectures.generator(grid.size, (*SIZE, 3), (8, 6, 4), grid=grid)
        maps = appearance.Appearance(grid, (*SIZE, 3))
        options = {"epochs": 2, "batch": 16, "rate": 2e-3, "seed": 0, "folder": path}
        options |= {"average": 0.9, "augment": discriminator.WAYS, "disc_start": 1}
        left = generator.train(G, read, x, stop=stop, appearance=maps, **options)
        return left, G.get_weights() + maps.network.get_weights()

    left, expected = train(tmp_path / "a")
    assert left == 0
    for steps, wanted in ((2, 4), (2, 2)):
        left, halfway = train(tmp_path / "b", After(steps))
        assert left == wanted and not np.allclose(halfway[0], expected[0], atol=1e-5)
    left, found = train(tmp_path / "b")
    assert left == 0
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    assert sorted(p.name for p in (tmp_path / "b").glob("*.png")) == [
        "epoch_001.png",
        "epoch_002.png",
    ]
    kept = tmp_path / "b" / "state.npz"
    whole = kept.read_bytes()
    arrays = dict(np.load(kept))
    for damage in ("cut", "more", "shape"):
        if damage == "cut":
            kept.write_bytes(whole[:1000])
        else:
            np.savez(kept, **arrays | ({"999": 1} if damage == "more" else {"0": np.zeros(3)}))
        with pytest.raises(RefusedInput, match="cannot go on from .*; take that folder away to be"):
            train(tmp_path / "b")


def test_losses_that_are_not_finite_end_a_training(tmp_path):
    networks = pair(small())
    networks.generator.get_layer("image").set_weights(
        [np.full(w.shape, np.nan) for w in networks.generator.get_layer("image").get_weights()]
    )
    read = compared.features(networks, ())
    with pytest.raises(UsageError, match="expected finite losses, step 1 .* smaller --rate"):
        generator.train(
            networks.generator, read, world(16, 0)[0], epochs=1, seed=0, folder=tmp_path, batch=8
        )


class Counting:
    """A trainer of one number, which counts the steps."""

    class Engine:
        compiled, settle = staticmethod(lambda step: step), staticmethod(lambda: None)

    def __init__(self):
        self.engine, self.changing = self.Engine(), [keras.Variable(0.0)]

    def step(self, batch):
        self.changing[0].assign_add(1.0)
        return {"loss": self.changing[0].value}


@pytest.mark.parametrize(
    ("epochs", "told"), [(5, [1, 2, 3, 4, 5]), (6, [2, 4, 6]), (13, [3, 6, 9, 12, 13])]
)
def test_many_passes_of_few_images_are_told_and_kept_together(
    tmp_path, monkeypatch, capsys, epochs, told
):
    """20 images have thousands of passes, each of which took a checkpoint, a sheet and a line."""
    saved, means = [], []
    monkeypatch.setattr(checkpoint, "save", lambda folder, variables, done: saved.append(done))
    batch = batches.Batches(np.zeros((5, 1, 1, 1), np.uint8), 2, 0)  # two steps a pass
    monkeypatch.setattr(loop.progress, "EVERY", 0.0)
    monkeypatch.setattr(loop, "TOLD", 5)

    def after(epoch, losses):
        means.append((epoch, losses["loss"]))
        return ""

    assert loop.train(Counting(), batch, epochs=epochs, folder=tmp_path, after=after) == 0
    assert saved == [2 * epoch for epoch in told] + [2 * epochs]
    ends = [0, *(2 * epoch for epoch in told)]
    wanted = [np.mean(np.arange(a, b) + 1.0) for a, b in zip(ends, ends[1:], strict=False)]
    assert [epoch for epoch, _ in means] == told
    np.testing.assert_allclose([mean for _, mean in means], wanted)
    assert " images a second, 0:00 left" in capsys.readouterr().err


def interrupted(*_):
    raise KeyboardInterrupt


def test_a_state_is_that_of_one_training(tmp_path, monkeypatch):
    there = tmp_path / "x.training"
    there.mkdir()  # as a process leaves it that is killed right there
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt), work.alone(there):
        patch.setattr(os, "replace", interrupted)
        work.claim(there, {"seed": 0, "batch": 4}, False)
    assert not there.exists()
    there.mkdir()
    (there / "training.json.tmp").write_bytes(b"{")  # or killed in the middle
    (there / work.LOCK).touch()
    work.claim(there, {"seed": 0, "batch": 4}, False)
    work.claim(there, {"seed": 0, "batch": 4}, False)
    with pytest.raises(FileExistsError, match="differs in batch; give what it had, or --overwrite"):
        work.claim(there, {"seed": 0, "batch": 8}, False)
    (there / "step-3.index").touch()
    (there / "mine.txt").touch()
    work.clear(there)
    assert sorted(p.name for p in there.iterdir()) == [work.LOCK, "mine.txt"]
    with pytest.raises(FileExistsError, match="tf-inverse did not write it"):
        work.claim(there, {"seed": 0}, True)


@pytest.mark.parametrize(
    ("kind", "folder"),
    [("generator", "g.training"), ("classifier", "g/network.training"), ("judge", "g")],
)
def test_two_trainings_do_not_share_a_state(tmp_path, capsys, kind, folder):
    """Each would go on from what the other kept."""
    words = (kind, f"--data={tmp_path}", f"--out={tmp_path / 'g'}", "--classifier=f.keras")
    with work.alone(tmp_path / folder):
        assert run(*words) == 2
        error = capsys.readouterr().err
    assert f"{folder} is being written by process {os.getpid()}; wait for it" in error
    assert not (tmp_path / folder).exists()


@pytest.mark.parametrize("out", [".", "../here"])
def test_the_folder_that_one_stands_in_has_a_name(tmp_path, monkeypatch, capsys, out):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert run("generator", "--data=x", f"--out={out}", "--classifier=f.keras") == 2
    assert "here exists; give --overwrite" in capsys.readouterr().err
    assert run("generator", "--data=x", "--out=/", "--classifier=f.keras") == 2
    assert "expected --out of a folder with a name, got /" in capsys.readouterr().err


# Images, statistics, figures


def test_codes_that_tell_nothing_apart_are_refused(tmp_path):
    features = perceptual.Features(lambda x: [x, x[:, 0, :2, 0] * 0.0])
    options = {"epochs": 1, "batch": 8, "rate": 1e-3, "seed": 0, "overwrite": False}
    with pytest.raises(UsageError, match="expected encodings that tell images apart"):
        runs.train_generator(features, world(20, 0)[0], tmp_path, {}, **options)
    with pytest.raises(UsageError, match="expected --average from 0 to below 1, .*, got 1"):
        runs.train_generator(features, world(20, 0)[0], tmp_path, {}, average=1.0, **options)
    with pytest.raises(UsageError, match="expected --batch of 2 or more, got 1"):
        runs.train_generator(features, world(20, 0)[0], tmp_path, {}, **options | {"batch": 1})
    with pytest.raises(UsageError, match="expected --disc-start of 0 passes or more, got -1"):
        runs.train_generator(features, world(20, 0)[0], tmp_path, {}, disc_start=-1, **options)


def test_images_are_divided_once_or_as_their_folders_say(tmp_path):
    x, y = world(40, 0)
    for i, (one, label) in enumerate(zip(x, y, strict=True)):
        path = tmp_path / "photos" / f"class{label}"
        path.mkdir(parents=True, exist_ok=True)
        Image.fromarray(one).save(path / f"{i}.png")
    parts = data.load(tmp_path / "photos", SIZE, 3)
    assert len(parts.train) == 36 and len(parts.test) == len(parts.labels) == 4
    both = {one.tobytes() for one in (*parts.train, *parts.test)}
    assert both == {one.tobytes() for one in x} == {one.tobytes() for one in parts.natural}
    assert all(
        y[[np.array_equal(one, other) for other in x]][0] == label
        for one, label in zip(parts.test, parts.labels, strict=True)
    )
    assert image_files.names(tmp_path / "photos") == ("class0", "class1")
    (tmp_path / "parts").mkdir()
    for part in ("train", "test"):
        (tmp_path / "parts" / part).symlink_to(tmp_path / "photos")
    parts = data.load(tmp_path / "parts", SIZE, 3)
    assert len(parts.train) == len(parts.test) == len(parts.natural) == 40
    # Of other parts, the natural images are counted where the training counted them.
    (tmp_path / "parts" / "test").rename(tmp_path / "parts" / "dev")
    natural = image_files.load(tmp_path / "parts", SIZE, "test")[0]
    np.testing.assert_array_equal(natural, data.load(tmp_path / "parts", SIZE, 3).natural)
    assert image_files.names(tmp_path / "parts") == ("class0", "class1")
    Image.fromarray(x[0]).save(tmp_path / "photos" / "loose.png")
    assert image_files.names(tmp_path / "photos") == ()
    np.savez(tmp_path / "few.npz", images=x[:5])
    with pytest.raises(UsageError, match="at least 20 images to train on in .*, got 5"):
        data.load(tmp_path / "few.npz", SIZE, 3)


def test_statistics_against_numpy(monkeypatch):
    monkeypatch.setattr(nature, "AT_A_TIME", 600 * 7)  # the layers take turns
    networks, x = pair(small()), world(600, 8)[0]
    model = networks.classifier
    found = statistics.described(networks, x, 0, "made up").natural
    for name, centre in (("fc8", ()), ("conv1_1", (1, 1)), ("relu6", ())):
        output = model.get_layer(name).output
        h = keras.Model(model.input, output).predict(x.astype("f4"), verbose=0)
        h = h[(slice(None), *centre)].astype(float)
        mean, sd, percentiles = found.layers[name]
        np.testing.assert_allclose(mean, h.mean(axis=0), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(sd, h.std(axis=0), rtol=1e-3, atol=1e-4)
        expected = np.percentile(h, LEVELS, axis=0).T
        np.testing.assert_allclose(percentiles, expected, rtol=1e-3, atol=1e-3)
    assert not {"data", "scale", "flatten"} & set(found.layers)
    e = keras.Model(model.input, model.get_layer("relu6").output).predict(x.astype("f4"), verbose=0)
    order = random_numbers(0, 2).permutation(600)[: nature.BANK]
    np.testing.assert_allclose(found.bank, e[order], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found.encodings[: nature.BANK], found.bank)
    assert found.images == 600 and len(found.activations["fc8"]) == len(found.encodings)


def test_figures_against_naive_loops():
    networks, (x, y) = pair(small()), world(30, 5)
    found = quality.figures(networks, x, y)
    model = networks.classifier
    E = keras.Model(model.input, model.get_layer("relu6").output)
    same, right, pixels, features, seen = 0, 0, [], [], []
    for one, label in zip(x, y, strict=True):
        e = E(one[None].astype("f4"))
        again = np.asarray(networks.generator(e)).clip(0, 255).round()
        was, now = (int(np.argmax(model(a))) for a in (one[None].astype("f4"), again))
        same, right = same + (was == now), right + (was == label)
        seen.append(was)
        errors = [((v - again[0].astype(float)) ** 2).mean() for v in (one, one[:, ::-1])]
        pixels.append(min(errors))
        features.append(((E(again) - e).numpy().astype(float) ** 2).mean())
    e = E(x.astype("f4")).numpy().astype(float)
    assert found["agreement"] == same / 30 and found["accuracy"] == right / 30
    assert found["by chance"] == max(seen.count(0), seen.count(1)) / 30
    assert found["pixel error"] == pytest.approx(np.mean(pixels) ** 0.5, rel=1e-3)
    mean = x.astype(float) - x.astype(float).mean(axis=0)
    assert found["pixel error of the mean image"] == pytest.approx((mean**2).mean() ** 0.5)
    assert found["feature error"] == pytest.approx(np.mean(features) / e.var(axis=0).mean(), 1e-3)


def test_poor_figures_are_called_so():
    good = {"images": 500, "agreement": 0.9, "by chance": 0.2, "feature error": 0.2}
    good |= {"pixel error": 30.0, "pixel error of the mean image": 60.0}
    assert not any(text.startswith("poor") for text in quality.words(good))
    for name, value in (("agreement", 0.5), ("feature error", 0.7), ("pixel error", 61.0)):
        assert quality.words(good | {name: value})[-1].startswith(f"poor: {name};")
    assert "figures are rough" in " ".join(quality.words(good | {"images": 25}))


@pytest.mark.parametrize(
    ("activation", "labels", "words"),
    [
        (None, None, "the strongest unit of out"),
        (None, ("out", ("a", "b", "c", "d")), "the classifier's class"),
        ("softmax", None, "the classifier's class"),
    ],
)
def test_what_a_network_without_classes_answers(activation, labels, words):
    x = keras.Input((8, 8, 3))
    h = keras.layers.Dense(5, name="fc")(keras.layers.Flatten()(x))
    f = keras.Model(x, keras.layers.Dense(4, name="out")(h))
    if activation:
        f = keras.Model(x, keras.layers.Softmax(name="prob")(f.output))
    networks = worlds.tiny_networks(classifier=f, encoder="fc", labels=labels)
    assert quality.answer(networks) == words


# Classifiers of any kind


def _sequential():
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((10, 6, 3)),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.Flatten(),
            layers.Dense(5, activation="relu", name="hidden"),
            layers.Dense(3, activation="softmax", name="out"),
        ]
    )


def _nested():
    x = keras.Input((10, 6, 3))
    inner = _sequential()
    return keras.Model(x, keras.layers.Dense(2, name="head")(inner(x / 255.0)))


def _grey():
    x = keras.Input((10, 6))
    h = keras.layers.Dense(5, name="hidden")(keras.layers.Flatten()(x))
    return keras.Model(x, keras.layers.Dense(1, activation="sigmoid", name="out")(h))


@pytest.mark.parametrize("make", [_sequential, _nested, _grey])
@pytest.mark.parametrize("pixels", [(0.0, 255.0), (-1.0, 1.0)])
def test_codes_of_a_classifier_of_any_kind(make, pixels, tmp_path):
    """The encoder is chosen as adopt does; the code is what the user's own model gives.

    Of the nested model it is no probabilities of the model within, but what is before them.
    """
    keras.utils.set_random_seed(0)
    make().save(tmp_path / "my.keras")
    mine = keras.models.load_model(tmp_path / "my.keras")
    opened = loading.open(str(tmp_path / "my.keras"), "classifier")
    networks = own.untrained(facts.classifier(opened, pixels))
    channels = 1 if make is _grey else 3
    assert networks.image_shape == (10, 6, channels)
    x = np.random.default_rng(0).uniform(0, 255, (4, 10, 6, channels)).astype("f4")
    low, high = pixels
    scaled = low + x / 255 * (high - low)
    given = {_nested: scaled / 255, _grey: scaled[..., 0]}.get(make, scaled)
    inner = mine.layers[-2] if make is _nested else mine
    expected = keras.Model(inner.inputs[0], inner.get_layer("hidden").output)(given)
    code = compared.features(networks, compared.compared(networks))(x)[-1]
    np.testing.assert_allclose(code, expected, rtol=1e-4, atol=1e-5)


def test_images_of_another_size_than_the_classifiers():
    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.GlobalMaxPooling2D()])
    models = (loading.open(one, "classifier") for one in (model, _sequential()))
    of_any_size, sized = map(facts.classifier, models)
    with pytest.raises(UsageError, match="expected --image=ROWS,COLUMNS: .* of any size"):
        own.untrained(of_any_size)
    networks = own.untrained(sized, image=(20, 12))
    assert networks.image_shape == (20, 12, 3)


# The path


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """photos/, my.keras and mine/: made by one command that was interrupted and given again."""
    path = tmp_path_factory.mktemp("own")
    x, y = world(40, 0)
    for i, (one, label) in enumerate(zip(x, y, strict=True)):
        (path / "photos" / "ab"[label]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(one).save(path / "photos" / "ab"[label] / f"{i}.png")
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((*SIZE, 3)),
            keras.layers.Conv2D(4, 3, 2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(6, activation="relu", name="hidden"),
            keras.layers.Dense(2, name="logits"),
        ]
    )
    model.save(path / "my.keras")
    words = ("generator", f"--data={path / 'photos'}", f"--classifier={path / 'my.keras'}")
    words += (f"--out={path / 'mine'}", "--epochs=2", "--batch=12", "--rate=0.002")
    little = functools.partial(discriminator.discriminator, widths=(4,))
    teacher = small()
    teacher.save(path / "teacher.keras")
    words += (f"--teacher={path / 'teacher.keras'}", "--teacher-layers=conv1_1")
    words += (
        "--average=0.5",
        "--augment=color",
        "--disc-start=1",
        "--precision=float32",
        "--width=0.5",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generator, "discriminator", little)
        patch.setattr(architectures, "widths_for", lambda size, width: (int(32 * width), 16, 8))
        real = loop.over_under

        def interrupted(*arguments):
            os.kill(os.getpid(), signal.SIGINT)
            return real(*arguments)

        patch.setattr(loop, "over_under", interrupted)
        assert run(*words) == 130
        assert not (path / "mine").exists() and (path / "mine.training").is_dir()
        patch.setattr(loop, "over_under", real)
        assert run(*words) == 0
    return path


def test_a_folder_that_samples_comes_out(mine, tmp_path, capsys):
    found = sorted(p.name for p in mine.iterdir())
    assert found == ["mine", "mine.png", "my.keras", "photos", "teacher.keras"]
    networks = storage.load(mine / "mine")
    assert networks.labels == ("logits", ("a", "b")) and networks.encoder == "hidden_maps"
    assert networks.codes.kind == "bank" and networks.natural.images == 40
    assert networks.default.startswith("logits:")
    figures = storage.manifest(mine / "mine")["source"]["measured"]["figures"]
    assert figures["images"] == 4 and {"agreement", "accuracy", "feature error"} <= set(figures)
    out = tmp_path / "a.h5"
    with pytest.raises(SystemExit) as stopped:
        cli.main(["sample", str(out), f"--network={mine / 'mine'}", "--n=4", "--K=4", "--json"])
    assert stopped.value.code == 0 and json.loads(capsys.readouterr().out)["found"] == 4
    assert len(archive.open(out)) == 4


def test_adopt_takes_what_train_wrote(mine):
    """Its range, codes and encodings are known, whether by its folder or by its file."""
    f = str(mine / "my.keras")
    for source in (mine / "mine", mine / "mine" / "generator.keras"):
        adopted = adopt.adopt(f, str(source), images=str(mine / "photos"))
        assert adopted.networks.codes.kind == "bank" and adopted.measured["encoder"][1] == 6


def test_a_generator_that_overshoots():
    """A linear output strays beyond black and white: clipped where the range was declared."""
    x = keras.Input((6,))
    kernel = keras.initializers.RandomNormal(stddev=0.3, seed=0)
    y = keras.layers.Dense(192, use_bias=False, kernel_initializer=kernel)(x)
    y = keras.layers.Reshape((*SIZE, 3))(y)
    G = keras.Model(x, keras.layers.Rescaling(110.0, offset=127.5)(y), name="wild")
    with pytest.raises(UsageError, match="which of them are black and white; what lies beyond is"):
        adopt.adopt(small(), G, "relu6", codes="normal")
    adopted = adopt.adopt(small(), G, "relu6", codes="normal", image_range=(0.0, 255.0))
    clipped = adopted.measured["pixels clipped"]
    assert 0.01 < clipped < 0.5 and adopted.measured["declared range"] == [0.0, 255.0]


def test_nothing_is_replaced_unasked(mine, tmp_path, capsys):
    words = ("generator", mine / "photos", "--classifier", mine / "my.keras")
    assert run(*words, "--out", mine / "mine") == 2
    assert "exists; give --overwrite" in capsys.readouterr().err
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis.txt").touch()
    assert run(*words, "--out", tmp_path / "theirs", "--overwrite") == 2
    assert "thesis.txt" in capsys.readouterr().err
    (tmp_path / "new.png").touch()
    assert run(*words, "--out", tmp_path / "new") == 2
    assert "new.png exists" in capsys.readouterr().err
    assert run(*words, "--out", tmp_path / "c", "--labels=a,b,c", "--epochs=1") == 2
    assert "expected 2 labels" in capsys.readouterr().err
    assert run(*words, "--out", tmp_path / "d", "--image=8") == 2
    assert "expected --image=ROWS,COLUMNS" in capsys.readouterr().err
