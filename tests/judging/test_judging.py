"""Judges see what their own Keras call gives, and their say is counted as a loop counts it."""

import json
import pathlib
import shutil
import types

import keras
import numpy as np
import pytest
import worlds
from commands import run
from keras import layers

from tf_inverse import archive, grammar
from tf_inverse.archive import side_file
from tf_inverse.errors import UsageError
from tf_inverse.judging import agreement, command, judges, matching
from tf_inverse.networks import codes, storage
from tf_inverse.networks.keras_file import keras2
from tf_inverse.report import judged
from tf_inverse.run import verify

NAMES = ("cat", "dog", "ship", "toilet tissue, toilet paper")


@pytest.fixture(scope="module")
def drawn(tiny_folder, tmp_path_factory):
    """An archive of the tiny pair, and a folder for files beside it."""
    path = tmp_path_factory.mktemp("judged") / "a.h5"
    words = (f"--network={tiny_folder}", "--targets=fc3:dog@p50:p90", "--n=12", "--K=4")
    assert run("sample", str(path), *words, "--precision=float32") == 0
    return path


def stranger(low=0.0, high=255.0, last=None, seed=3):
    """Another tiny classifier of pixels from low to high."""
    f = worlds.tiny_networks(seed=seed).classifier
    x = keras.Input((8, 8, 3))
    y = f(layers.Rescaling(255 / (high - low), -low * 255 / (high - low))(x))
    return keras.Model(x, layers.Activation(last)(y) if last else y, name=f"stranger{seed}")


def own_classes(images, seed=3):
    """What that classifier says by Keras' own call of images in 0..255."""
    f = worlds.tiny_networks(seed=seed).classifier
    return np.asarray(f(np.asarray(images, np.float32), training=False)).argmax(axis=1)


@pytest.mark.parametrize(
    ("low", "high", "last"), [(0, 255, None), (-1, 1, "softmax"), (0, 1, None)]
)
def test_a_judge_of_any_pixels_sees_the_same(tmp_path, low, high, last):
    path = tmp_path / "s.keras"
    stranger(low, high, last).save(path)
    images = np.random.default_rng(0).integers(0, 256, (130, 8, 8, 3)).astype(np.uint8)
    judge = judges.load(path, pixels=(low, high))
    np.testing.assert_array_equal(judge.classes(images), own_classes(images))
    assert (judge.name, judge.count, judge.labels) == ("s", 4, None)
    assert judge.labelled(NAMES).labels == NAMES and judge.labelled(NAMES[:2]).labels is None


def test_a_judge_has_the_name_of_its_file_or_folder(tiny_folder, tmp_path, monkeypatch):
    # A network's own name may be another: of a Caffe model it is that which its text tells.
    folder = shutil.copytree(tiny_folder, tmp_path / "squeezenet")
    assert json.loads((folder / "network.json").read_text())["name"] == "tiny"
    assert judges.load(folder).name == "squeezenet"
    monkeypatch.chdir(folder)
    assert judges.load(".").name == "squeezenet"
    one, other = judges.load(stranger()), judges.load(stranger(seed=4))
    assert (one.name, other.name) == ("stranger3", "stranger4")
    judges.apart([one, other])
    with pytest.raises(UsageError, match="of different names, got stranger3, stranger3: "):
        judges.apart([one, one])


def test_grey_judges_and_judges_of_another_size_see_images_as_keras_makes_them():
    x = keras.Input((16, 16, 1))
    last = layers.Dense(3)
    f = keras.Model(x, last(layers.Flatten()(layers.Rescaling(1 / 255)(x))), name="grey")
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3)).astype(np.float32)
    grey = images @ np.array([[0.299], [0.587], [0.114]], np.float32)
    resized = layers.Resizing(16, 16)(grey)
    expected = np.asarray(f(resized)).argmax(axis=1)
    np.testing.assert_array_equal(judges.load(f).classes(images), expected)


def test_large_images_are_looked_at_few_at_a_time(monkeypatch):
    f, images = stranger(), np.random.default_rng(1).integers(0, 256, (9, 8, 8, 3)).astype("u1")
    sizes = []
    monkeypatch.setattr(judges, "PIXELS", 4 * 8 * 8)
    whole = judges.load(f)
    ask = whole.model.call
    monkeypatch.setattr(whole.model, "call", lambda x, **how: sizes.append(len(x)) or ask(x, **how))
    y = whole.outputs(images)
    assert sizes == [4, 4, 1] and len(y) == 9
    np.testing.assert_allclose(y, np.asarray(f(images.astype("f4"))), rtol=1e-5, atol=1e-5)


def test_what_is_no_judge_is_refused_in_a_line():
    x = keras.Input((8, 8, 3))
    with pytest.raises(UsageError, match="a number for each of several classes, m gives"):
        judges.load(keras.Model(x, layers.Conv2D(4, 3)(x), name="m"))
    with pytest.raises(UsageError, match="several classes, one gives"):
        judges.load(keras.Model(x, layers.Dense(1)(layers.Flatten()(x)), name="one"))
    with pytest.raises(UsageError, match="expected 4 labels for the judge tiny, got 2"):
        judges.load(worlds.tiny_networks().classifier, labels=("a", "b"))
    bad = worlds.tiny_networks().classifier
    bad.get_layer("fc3").set_weights([np.full((7, 4), np.nan), np.zeros(4)])
    with pytest.raises(UsageError, match="expected finite outputs of the judge tiny"):
        judges.load(bad).classes(np.zeros((2, 8, 8, 3)))


@pytest.mark.parametrize(
    ("target", "text", "expected"),
    [
        ({"label": "ship", "unit": 2}, None, (2,)),
        ({"label": "Ship", "unit": 9}, None, (2,)),
        ({"label": "toilet paper", "unit": 0}, None, (3,)),
        ({"label": "liner", "unit": 2}, None, ()),
        ({"label": "liner", "unit": 2}, "liner=ship,liner=0", (2, 0)),
        ({"label": None, "unit": 5}, None, ()),
        ({"label": None, "unit": 5}, "fc3:5=toilet tissue", (3,)),
    ],
)
def test_classes_are_matched_by_label_or_by_the_map(target, text, expected):
    judge = judges.load(worlds.tiny_networks().classifier, labels=NAMES)
    target = {"layer": "fc3", **target}
    assert matching.classes(target, judge, matching.read(text)) == expected


def test_a_class_of_any_target_is_expected_and_a_group_gives_what_its_best_class_gives():
    judge = judges.load(stranger(), labels=NAMES)
    made = types.SimpleNamespace(
        targets=[{"layer": "fc3", "unit": i, "label": name} for i, name in enumerate(NAMES[1:3])]
    )
    assert agreement.expected(made, judge, matching.read("dog=3,dog=2")) == (3, 2)
    assert agreement.expected(made, judge, {}) == (1, 2)
    x = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3)).astype(np.uint8)
    y = judge.outputs(x)
    grouped = judge.among([(0, 3), (1,)], ("a", "b")).outputs(x)
    np.testing.assert_array_equal(grouped, [[max(row[0], row[3]), row[1]] for row in y])
    order = np.argsort(-y, axis=1)
    for place in range(4):
        assert (judge.ranks(x, order[:, place]) == place).all()


def test_a_map_names_the_judge_of_a_number():
    """Of judges with other classes, or the same ones in another order, a number is of one alone."""
    net = worlds.tiny_networks().classifier
    four, same = (judges.Judge(name, net, NAMES) for name in ("four", "same"))
    turned = judges.Judge("turned", net, NAMES[::-1])
    two = judges.Judge("two", net, groups=((0, 1), (2,)))
    given = matching.read("ship=3@four,ship=1 @ two,ship=dog,cat=0@two")
    for panel in ([four, two], [two, turned, four]):
        assert matching.of_judge(given, four, panel) == {"ship": ("3", "dog")}
        assert matching.of_judge(given, two, panel) == {"ship": ("1", "dog"), "cat": ("0",)}
    plain = matching.read("ship=1,cat=bird")
    assert matching.of_judge(plain, four, [four, same]) == plain
    for panel, counts in (([four, two], "four has 4 and two has 2"), ([four, turned], "four has")):
        with pytest.raises(UsageError, match=rf"expected --map=ship=1@JUDGE, .*\({counts}"):
            matching.of_judge(plain, four, panel)
    with pytest.raises(UsageError, match="a judge of four, two after @ in --map, got 'too'"):
        matching.of_judge(matching.read("ship=1@too"), four, [four, two])
    odd = judges.Judge("odd", net, ("a@b", *NAMES[1:]))
    assert matching.of_judge(matching.read("ship=a@b"), odd, [odd, two]) == {"ship": ("a@b",)}


def test_a_map_that_cannot_be_read_or_names_no_class_is_refused():
    judge = judges.load(worlds.tiny_networks().classifier, labels=NAMES)
    with pytest.raises(UsageError, match="expected --map=OURS=THEIRS"):
        matching.read("ship")
    target = {"layer": "fc3", "unit": 2, "label": "ship"}
    with pytest.raises(UsageError, match="expected --map of fc3:2, ship, got 'shop'"):
        matching.expect_known(matching.read("fc3:2=1,shop=1"), [target])
    with pytest.raises(UsageError, match="a class of tiny in --map, got 'dig'; did you mean dog"):
        matching.classes(target, judge, matching.read("ship=dig"))
    with pytest.raises(UsageError, match="got '4'; numbers go from 0 to 3"):
        matching.classes(target, judge, matching.read("ship=4"))
    for digits in ("\u00b2", "1" * 5000):  # what int() does not read
        with pytest.raises(UsageError, match="a class of tiny in --map, got"):
            matching.classes(target, judge, matching.read(f"ship={digits}"))
        with pytest.raises(UsageError, match="expected --size=ROWS,COLUMNS,CHANNELS, got"):
            grammar.shape("size", f"8,{digits},3")
        assert keras2.is_older(f"{digits}.1")


def test_what_samples_are_compared_with_is_what_it_is_called(drawn, tiny_folder):
    networks = storage.load(tiny_folder)
    opened = archive.open(drawn)
    bands = verify.bands(opened, networks)
    (band,) = bands
    nature = worlds.images(networks, np.random.default_rng(5).standard_normal((250, 6), np.float32))
    found = {one.name: one.images for one in agreement.others(networks, bands, nature)}
    z = worlds.activation(networks, nature, band.neuron, 250)
    inside = (z >= band.z1) & (z <= band.z2)
    np.testing.assert_array_equal(found["natural images in range"], nature[inside])
    random = worlds.images(networks, codes.draw(networks, 200, codes.generator(0, 8)))
    z = worlds.activation(networks, random, band.neuron, 200)
    outside = (z < band.z1) | (z > band.z2)
    np.testing.assert_array_equal(found["random codes out of it"], random[outside])
    assert "... as G draws them" not in found  # its codes are not encodings


def test_judges_of_names_that_a_section_cannot_have_stay_apart(drawn):
    opened = archive.open(drawn)
    names = ("a net", "a_net", "a+net", "x" * 60, "x" * 61)
    said = [
        judged.Said(name, np.full(12, i), None, {i: "cat"}, (), {"samples": (0.5, 12)})
        for i, name in enumerate(names)
    ]
    for one in said:
        judged.store(opened, one)
    found = {one.judge: one.classes[0] for one in judged.read(opened)}
    assert found == {name: i for i, name in enumerate(names)}
    side_file.beside(drawn).unlink()


def test_judge_tells_a_table_and_leaves_the_archive_alone(drawn, tmp_path, capsys):
    before = drawn.read_bytes()
    panel = []
    for seed in (3, 4):
        panel.append(tmp_path / f"s{seed}.keras")
        stranger(seed=seed).save(panel[-1])
    x = keras.Input((8, 8, 3))
    five = keras.Model(x, layers.Dense(5)(layers.Flatten()(x)))
    five.save(tmp_path / "five.keras")
    words = ("judge", str(drawn), f"--by={panel[0]}, {panel[1]}, {tmp_path / 'five.keras'}")
    assert run(*words) == 0
    out = capsys.readouterr().out
    images = archive.open(drawn).images[:]
    shares = [np.mean(own_classes(images, seed) == 1) for seed in (3, 4)]
    shares.append(np.bincount(np.asarray(five(images.astype("f4"))).argmax(axis=1)).max() / 12)
    row = next(line for line in out.splitlines() if line.startswith("samples"))
    assert row.split()[1:] == ["12", *(part for s in shares for part in (f"{100 * s:.1f}", "%"))]
    assert "counted" in out and "no fault of the sample" in out
    assert "s3 and s4 came without labels" in out
    assert "five has no class that stands for the neuron" in out and "--map=fc3:1=CLASS@five" in out
    found = side_file.sections(drawn)
    assert sorted(found) == ["judge.five", "judge.s3", "judge.s4"] and drawn.read_bytes() == before
    for seed in (3, 4):
        arrays = found[f"judge.s{seed}"].arrays
        np.testing.assert_array_equal(arrays["classes"][:], own_classes(images, seed))
        np.testing.assert_array_equal(arrays["agrees"][:], own_classes(images, seed) == 1)
    assert found["judge.s3"].facts["expected"] == ["dog"]
    assert run(*words, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["s3"]["shares"]["samples"] == shares[0]


def test_of_a_neuron_without_a_class_the_most_named_one_is_told(drawn, tmp_path, capsys):
    path = tmp_path / "s.keras"
    stranger().save(path)
    (tmp_path / "names.txt").write_text("a\nb\nc\nd\n")
    assert run("judge", str(drawn), f"--by={path}", f"--labels={tmp_path / 'names.txt'}") == 0
    out = capsys.readouterr().out
    counts = np.bincount(own_classes(archive.open(drawn).images[:]), minlength=4)
    row = next(line for line in out.splitlines() if line.startswith("samples"))
    assert row.split()[2] == f"{100 * counts.max() / 12:.1f}" and "--map=fc3:1=CLASS" in out
    assert "agrees" not in side_file.sections(drawn)["judge.s"].arrays


def test_pixels_of_three_colours_are_those_of_one_judge():
    three, other = ((0.0, 1.0), (-1.0, 1.0), (-2.0, 2.0)), ((0.0, 2.0),) * 3
    for text, count, expected in (
        ("0:1", 2, [(0.0, 1.0)]),
        ("torch, 0:1", 2, ["torch", (0.0, 1.0)]),
        ("0:1, -1:1, -2:2", 1, [three]),
        ("0:1,-1:1,-2:2", 2, [three]),
        ("0:1,-1:1,-2:2", 3, list(three)),
        ("0:1,-1:1,-2:2,0:2,0:2,0:2", 2, [three, other]),
    ):
        assert command._spans(text, count) == expected
    for text in ("", "0:1,0:1,0:1,0:1"):
        with pytest.raises(UsageError, match="expected --pixels=LOW:HIGH for all judges or for"):
            command._spans(text, 2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--by=none.keras",), "for the classifier, got 'none.keras'"),
        (("--by=S,S",), "judges of different names, got s, s"),
        (("--by=S", "--pixels=0:1,0:255"), "for each of 1, got 2"),
        (("--by=S", "--map=bird=1"), "expected --map of dog, fc3:1, got 'bird'"),
        (("--by=",), "at least one judge"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_line(drawn, tmp_path, capsys, words, said):
    path = tmp_path / "s.keras"
    stranger().save(path)
    assert run("judge", str(drawn), *(word.replace("S", str(path)) for word in words)) == 2
    assert said in capsys.readouterr().err


def test_the_shares_of_real_strangers(shared_data):
    import strangers

    source = pathlib.Path(shared_data) / "judges_cifar10"
    if not source.is_dir():
        pytest.skip("needs ../shared/data/judges_cifar10: two public classifiers")
    from tf_inverse.networks import image_files

    x, y = image_files.load(shared_data / "cifar10.h5", (32, 32), "test")
    judge = judges.load(strangers.resnet(source / "resnet44.npz"))
    # 82.7 % of all 10,000, as its authors' PyTorch gives them: within three standard errors here.
    assert np.mean(judge.classes(x[:500]) == y[:500]) == pytest.approx(0.827, abs=0.051)


def test_a_judge_of_keras_applications_has_imagenets_labels_with_its_weights_alone(monkeypatch):
    def small(weights="imagenet", **_):
        x = keras.Input((8, 8, 3))
        outputs = keras.layers.Dense(1000, "softmax", name="predictions")(keras.layers.Flatten()(x))
        return keras.Model(x, outputs)

    monkeypatch.setattr(keras.applications, "MobileNetV2", small)
    assert judges.load("keras:MobileNetV2").labels[628] == "liner, ocean liner"
    assert judges.load("keras:MobileNetV2", weights=None).labels is None
