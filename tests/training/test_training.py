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

from tf_inverse import archive
from tf_inverse.errors import UsageError
from tf_inverse.judging import judges
from tf_inverse.networks import image_files, storage
from tf_inverse.training import classifier, evaluation, generator

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
    new = ("--image=8,8", "--rate=0.01", *small)
    assert run("classifier", data, out, "--code=12", "--plain=1", *new) == 0
    assert run("judge", data, out, *new) == 0
    about = (network, "--encoder=relu6", "--rate=0.002")
    assert run("generator", data, out / "made", *about, *small) == 0
    about = ("--labels=sea,sky", "--name=world", "--smooth=0.5")
    assert run("pair", data, out / "pair", made, *about) == 0
    return out


# Images


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
    x, y = image_files.load(data, SIZE)
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


def test_honesty_by_brute_force(trained):
    networks = storage.load(trained / "pair")
    judge = storage.model(trained / "judge.keras")
    x, y = world(40, 9)
    found = evaluation.reconstructions(networks, [judges.load(trained / "judge.keras")], x, y)

    def classes(model, shown):
        return np.array([np.argmax(model(one[None].astype("f4"))[0]) for one in shown])

    e = networks.encode(x)
    drawn = np.asarray(networks.generator(e)).clip(0, 255).round()
    seen = classes(networks.classifier, x)
    assert found["accuracy"] == np.mean(seen == y)
    assert found["agreement"] == np.mean(seen == classes(networks.classifier, drawn))
    said = found["judges"]["judge"]
    assert said["accuracy"] == np.mean(classes(judge, x) == y)
    assert said["on_generated"] == np.mean(classes(judge, drawn) == y)


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
    np.savez(tmp_path / "bare.npz", images=world(4, 0)[0])
    assert "expected labels in" in said("classifier", tmp_path / "bare.npz", tmp_path / "o")
    assert "of images, got a.txt" in said("classifier", _touched(tmp_path / "a.txt"), tmp_path)
    assert "found nothing at" in said("classifier", tmp_path / "none.npz", tmp_path / "o")
