"""Training at toy size: sources of images, folding, losses, going on, and a pair end to end."""

import io
import json

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tf_inverse.tools import cli

from tf_inverse import archive, folder
from tf_inverse.codes import generator as random_numbers
from tf_inverse.errors import UsageError
from tf_inverse.natural import LEVELS
from tf_inverse.training import classifier, command, generator, honesty, images, pair

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
    """classifier.keras, generator.keras, a judge and a pair, by the commands of the user."""
    out = tmp_path_factory.mktemp("trained")
    network = f"--classifier={out / 'classifier.keras'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "SIZE", SIZE)
        small = ("--epochs=2", "--batch=16")
        assert run("classifier", data, out, "--code=12", "--plain=1", "--rate=0.01", *small) == 0
        assert run("judge", data, out, "--rate=0.01", *small) == 0
        assert run("generator", data, out, network, "--rate=0.002", *small) == 0
        assert run("pair", data, out / "pair", network, "--labels=sea,sky", "--name=world") == 0
    return out


# Images


def test_images_from_arrays_by_split(data):
    x, y = images.load(data, SIZE)
    np.testing.assert_array_equal(x, world(128, 0)[0])
    np.testing.assert_array_equal(y, world(128, 0)[1])
    assert len(images.load(data, SIZE, "test")[0]) == 64
    larger, _ = images.load(data, (16, 16))
    expected = Image.fromarray(x[3]).resize((16, 16), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(larger[3], np.asarray(expected))


def test_images_from_a_folder_of_classes(tmp_path):
    x, y = world(6, 2)
    for i, (one, label) in enumerate(zip(x, y, strict=True)):
        (tmp_path / f"class{label}").mkdir(exist_ok=True)
        Image.fromarray(one).save(tmp_path / f"class{label}" / f"{i}.png")
    found, labels = images.load(tmp_path, SIZE)
    order = sorted(range(6), key=lambda i: (y[i], i))
    np.testing.assert_array_equal(found, x[order])
    np.testing.assert_array_equal(labels, y[order])
    grey, _ = images.load(tmp_path, SIZE, channels=1)
    assert grey.shape == (6, *SIZE, 1)


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
    found, labels = images.load(tmp_path / "d.h5", SIZE)
    np.testing.assert_array_equal(labels, y)
    expected = np.stack([np.asarray(Image.open(io.BytesIO(part))) for part in parts])
    np.testing.assert_array_equal(found, expected)


def test_sources_of_another_form_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a folder, .h5 or .npz of images, found"):
        images.load(tmp_path / "none.npz", SIZE)
    (tmp_path / "a.txt").touch()
    with pytest.raises(UsageError, match="expected a folder, .h5 or .npz of images, got a.txt"):
        images.load(tmp_path / "a.txt", SIZE)
    with pytest.raises(UsageError, match="expected pictures .* found none"):
        images.load(tmp_path, SIZE)
    np.savez(tmp_path / "f.npz", images=np.zeros((2, 8, 8, 3)))
    with pytest.raises(UsageError, match=r"images \[N, H, W, .*\] uint8 in f.npz, got float64"):
        images.load(tmp_path / "f.npz", SIZE)
    np.savez(tmp_path / "o.npz", labels=np.zeros(2))
    with pytest.raises(UsageError, match="expected images, or jpeg_bytes and offsets, in o.npz"):
        images.load(tmp_path / "o.npz", SIZE)


# The classifier


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


@pytest.mark.parametrize("made", ["classifier", "generator"])
def test_folding_changes_nothing_but_the_layers(made):
    if made == "classifier":
        model, x = randomized(classifier.classifier(3, SIZE, 10)), world(4, 4)[0].astype("f4")
    else:
        model = randomized(generator.generator(5, (*SIZE, 3), (8, 8, 6, 4)))
        x = np.random.default_rng(0).standard_normal((4, 5)).astype("f4")
    folded = classifier.folded(model)
    kinds = {type(layer).__name__ for layer in folded.layers}
    assert not kinds & {"BatchNormalization", "Dropout"}
    np.testing.assert_allclose(folded(x), model(x, training=False), rtol=1e-3, atol=1e-3)


def test_perturbed_images_lie_up_the_loss_within_epsilon():
    model = small()
    trainer = classifier.Robust(model, epsilon=0.5)
    trainer.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = world(16, 5)
    x, y = tf.constant(x, tf.float32), tf.constant(y)
    moved = trainer._steepest(x, y)
    norms = np.sqrt(np.sum(moved.numpy() ** 2, axis=(1, 2, 3)))
    assert norms.max() <= 0.5 * 255 * (1 + 1e-5) and norms.min() > 0
    before, after = (
        keras.losses.sparse_categorical_crossentropy(y, model(a, training=False), True).numpy()
        for a in (x, x + 0.05 * moved)
    )
    assert (after > before).mean() > 0.9


def test_batches_hold_shifted_or_mirrored_images():
    x = np.arange(20, dtype=np.uint8)[:, None, None, None] * np.ones((1, *SIZE, 3), np.uint8)
    one = list(classifier.batches(x, np.arange(20), 6, seed=1))
    assert [len(batch) for batch, _ in one] == [6, 6, 6]  # the rest waits for the next epoch
    for batch, labels in one:
        np.testing.assert_array_equal(batch[:, 0, 0, 0], labels)
        assert (batch == batch[:, :1, :1, :1]).numpy().all()
    again = list(classifier.batches(x, np.arange(20), 6, seed=1))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(one, again, strict=True))


class Interrupted(Exception):
    pass


def test_an_interrupted_training_goes_on_where_it_was(data, tmp_path):
    """After the second of three epochs: only the third is left, with the optimizer's count."""
    x, y = images.load(data, SIZE)
    options = {"epochs": 3, "plain": 0, "epsilon": 0.1, "seed": 0, "batch": 32}

    def train(network):
        return classifier.train(
            network, x, y, (x[:32], y[:32]), backup=tmp_path / "backup", **options
        )

    real = keras.callbacks.LambdaCallback

    class Stopping(real):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise Interrupted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.callbacks, "LambdaCallback", Stopping)
        with pytest.raises(Interrupted):
            train(small())
    history = train(small())
    assert history.epoch == [2] and int(history.model.optimizer.iterations) == 3 * 4
    assert not (tmp_path / "backup").exists()  # done: nothing is left to go on from


# The generator


def test_generator_gives_the_size_asked_for():
    model = generator.generator(7, (16, 8, 1), (8, 8, 6, 4))
    assert model.input_shape == (None, 7) and model.output_shape == (None, 16, 8, 1)
    with pytest.raises(UsageError, match="size divisible by 8, got 12x8"):
        generator.generator(7, (12, 8, 3))


def test_features_end_with_the_code():
    model = classifier.classifier(2, SIZE, 9)
    features = generator.features_of(model, "relu6")
    assert [h.shape[1:] for h in features.outputs] == [(1, 1, 128), (9,)]
    named = generator.features_of(model, "relu6", ("conv1_1",))
    assert [h.shape[1:] for h in named.outputs] == [(8, 8, 32), (9,)]
    x = world(3, 6)[0].astype("f4")
    expected = keras.Model(model.input, model.get_layer("relu6").output)(x)
    np.testing.assert_allclose(features(x)[-1], expected, rtol=1e-5)


def test_losses_of_the_generator_against_numpy():
    features = generator.features_of(small(), "relu6")
    G = generator.generator(6, (*SIZE, 3), (8, 8, 6, 4))
    D = generator.discriminator(6, (*SIZE, 3), (4, 4))
    trainer = generator.Inverter(G, D, features)
    x = world(5, 7)[0].astype("f4")
    real = features(x)
    found = [float(v) for v in trainer._terms(tf.constant(x), G(real[-1], training=True), real)]
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


def test_the_encoder_stays_as_it_is_and_the_generator_learns(data):
    x = images.load(data, SIZE)[0][:32].astype("f4")
    model = small()
    before = [w.copy() for w in model.get_weights()]
    features = generator.features_of(model, "relu6")
    keras.utils.set_random_seed(0)
    G = generator.generator(6, (*SIZE, 3), (16, 16, 12, 8))
    D = generator.discriminator(6, (*SIZE, 3), (8, 8))
    trainer = generator.Inverter(G, D, features)
    trainer.compile(5e-3)
    step = tf.function(trainer.train_step)
    losses = [float(step(tf.constant(x))["image"]) for _ in range(40)]
    assert losses[-1] < 0.6 * losses[0]
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


# The pair


def test_statistics_against_numpy():
    model, x = small(), world(600, 8)[0]
    found = pair.statistics(model, "relu6", "fc8", x, 0, "made up")
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
    order = random_numbers(0, 2).permutation(600)[: pair.BANK]
    np.testing.assert_allclose(found.bank, e[order], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found.encodings[: pair.BANK], found.bank)
    assert found.images == 600 and len(found.activations["fc8"]) == len(found.encodings)


def test_commands_make_a_pair_that_samples(trained, tmp_path, capsys):
    assert sorted(p.name for p in trained.glob("epoch_*.png")) == [
        f"epoch_00{i}.png" for i in (1, 2)
    ]
    networks = folder.load(trained / "pair")
    assert networks.name == "world" and networks.labels == ("fc8", ("sea", "sky"))
    assert networks.codes.kind == "bank" and networks.codes.size == 12
    assert networks.codes.limits[0] == 0 and networks.natural.images == 64
    capsys.readouterr()
    out = tmp_path / "a.h5"
    with pytest.raises(SystemExit) as stopped:
        cli.main(
            ["sample", str(out), f"--network={trained / 'pair'}", "--targets=fc8:sky@p20:p80"]
            + ["--n=4", "--K=4", "--json"]
        )
    assert stopped.value.code == 0 and json.loads(capsys.readouterr().out)["found"] == 4
    assert len(archive.open(out)) == 4


def test_honesty_by_brute_force(trained):
    networks = folder.load(trained / "pair")
    judge = folder.model(trained / "judge.keras")
    x, y = world(40, 9)
    found = honesty.reconstructions(networks, judge, x, y)

    def classes(model, shown):
        return np.array([np.argmax(model(one[None].astype("f4"))[0]) for one in shown])

    e = networks.encode(x)
    drawn = np.asarray(networks.generator(e)).clip(0, 255).round()
    seen = classes(networks.classifier, x)
    assert found["accuracy"] == np.mean(seen == y)
    assert found["agreement"] == np.mean(seen == classes(networks.classifier, drawn))
    assert found["judge_accuracy"] == np.mean(classes(judge, x) == y)
    assert found["judge_on_generated"] == np.mean(classes(judge, drawn) == y)


def _touched(path):
    path.touch()
    return path


def test_refusals(trained, data, tmp_path, capsys):
    def said(*arguments):
        assert run(*arguments) == 2
        return capsys.readouterr().err

    assert "expected classifier, judge, generator, pair, check, got 'gan'" in said(
        "gan", data, tmp_path
    )
    assert "train generator needs --classifier" in said("generator", data, tmp_path)
    assert "network.keras exists; give --overwrite" in said("classifier", data, trained)
    lonely = tmp_path / "classifier.keras"
    lonely.write_bytes((trained / "classifier.keras").read_bytes())
    text = said("pair", data, tmp_path / "pair", f"--classifier={lonely}")
    assert "expected generator.keras beside" in text
    np.savez(tmp_path / "bare.npz", images=world(4, 0)[0])
    assert "expected labels in" in said("classifier", tmp_path / "bare.npz", tmp_path / "o")
    assert "of images, got a.txt" in said("classifier", _touched(tmp_path / "a.txt"), tmp_path)
    assert "found nothing at" in said("classifier", tmp_path / "none.npz", tmp_path / "o")
