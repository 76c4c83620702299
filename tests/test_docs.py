"""What docs/*.md tell a reader to type, typed on networks so small that it takes no time.

A page's blocks run in order in one folder, in which networks stand that bear the names of the real
ones: `cifar10` is found there before the one that comes with the package. Commands that README
shows as well are left to its own test.
"""

import ast
import configparser
import dataclasses
import functools
import importlib.util
import json
import pathlib
import re
import shutil
import tomllib

import book
import h5py
import hubserver
import keras
import numpy as np
import pytest
from commands import Child
from PIL import Image
from tensorflow.python.tools import saved_model_cli
from tf_inverse.tools import cli

import tf_inverse
from tf_inverse import archive, domains
from tf_inverse.adopt import nature
from tf_inverse.method.settings import Settings
from tf_inverse.networks import codes, storage
from tf_inverse.networks.networks import Networks
from tf_inverse.training import evaluation

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# The last of two flags counts.
FEWER = {
    "sample": ["--n=3"],
    "ladder": ["--n=2"],
    "experiment": ["--n=2", "--K=2", "--neurons=1", "--patience=5", "--precision=float32"],
    "adopt": ["--weights=none"],
    "resume": ["--n=4"],
    "atlas": ["--n=2", "--patience=4"],
}
# A range of the real network -> one that random weights reach.
NATURAL = re.compile(r"@p9\d[\d.]*:p99[\d.]*")


def pair(name, side=16):
    """A pair whose layers are called as those of cifar10 and of the faces, with statistics."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = keras.Input((side, side, 3))
    x = layers.Rescaling(1 / 128, offset=-1.0)(inputs)
    x = layers.Conv2D(4, 3, padding="same", name="conv3_2")(x)
    x = layers.ReLU(name="relu3_2")(x)
    x = layers.Flatten()(layers.AveragePooling2D(4)(x))
    x = layers.ReLU(name="relu6")(layers.Dense(12, name="fc6")(x))
    outputs = layers.Dense(len(CLASSES), name="fc8")(x)
    code = keras.Input((12,))
    y = layers.Dense(side * side * 3, activation="tanh")(code)
    y = layers.Rescaling(127.5, offset=127.5)(layers.Reshape((side, side, 3))(y))
    made = Networks(
        name=name,
        classifier=keras.Model(inputs, outputs, name="f"),
        generator=keras.Model(code, y, name="G"),
        encoder="relu6",
        codes=codes.Codes("normal", 12),
        labels=("fc8", CLASSES),
        default="fc8:ship@p60:p95",
    )
    drawn = made.images(codes.draw(made, 400, codes.generator(0, 0))).numpy().astype(np.uint8)
    return dataclasses.replace(made, natural=nature.statistics(made, nature.Images(drawn)))


def write(made, folder):
    fields = ("name", "classifier", "generator", "encoder", "codes", "labels", "natural", "default")
    return storage.save(folder, **{name: getattr(made, name) for name in fields})


@pytest.fixture(scope="module")
def cifar10():
    return pair("cifar10")


@pytest.fixture(scope="module")
def furnished(cifar10, tmp_path_factory):
    """A folder with the small cifar10 in it, under both names, and a place for copies of it."""
    where = tmp_path_factory.mktemp("docs")
    write(cifar10, where / "furnished" / "cifar10")
    layer = dataclasses.replace(cifar10, name="cifar10_layer")
    write(layer, where / "furnished" / "cifar10_layer")
    return where / "furnished", where / "desk"


@pytest.fixture
def desk(furnished, monkeypatch, loaded_once):
    """A folder to work in, with the small cifar10 in it.

    Every page has a new one in the same place, so that all share the network and its graphs.
    """
    original, place = furnished
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(original, place)
    monkeypatch.chdir(place)
    return place


def run(words, allowed=(0,)):
    with pytest.raises(SystemExit) as stopped:
        cli.main([*words, *FEWER.get(words[0], ())])
    assert stopped.value.code in allowed, words


def execute(block, page, **given):
    names = dict(given)
    exec(compile(block, page, "exec"), names)
    return names


def test_every_block_is_run_by_a_test():
    """A page with commands that no test here runs, or a block of another language, is found."""
    tests = {name.removeprefix("test_").removesuffix("_page") for name in globals()}
    for page in book.PAGES[1:]:
        known = "(?:sh|python|ini)"
        assert set(book.blocks(page, r"\w+")) == set(book.blocks(page, known)), page.name
        code = [*book.commands(page), *book.blocks(page, "(?:python|ini)")]
        assert page.stem in tests or not code, page
    # What is typed besides: installation, a server in a container, and scripts of developers.
    known = {
        "tf-inverse",
        "python",
        "python3",
        "pip",
        "pytest",
        "saved_model_cli",
        "docker",
        "curl",
    }
    for page in book.PAGES:
        assert {words[0].rpartition("/")[2] for words in book.lines(page)} <= known, page


def test_lines_of_developers_name_scripts_and_words_that_there_are():
    """`python tools/dev/bench.py step`: the script is there, and reads that word."""
    found = [words for page in book.PAGES for words in book.lines(page) if words[0] == "python"]
    assert len(found) >= 8
    for _, script, *words in (words for words in found if words[1] != "-c"):
        text = (book.ROOT / script).read_text(encoding="utf-8")
        for word in words:
            assert word.lstrip("-").partition("=")[0].replace("-", "_") in text, (script, word)


def test_programs_on_a_line_of_the_shell_run(capsys):
    """What follows `python -c` prints seconds, on whatever page it stands."""
    shown = [words for page in book.PAGES for words in book.lines(page)]
    programs = [words[2] for words in shown if words[:2] == ["python", "-c"]]
    for program in programs:
        execute(program, "python -c")
        assert float(capsys.readouterr().out) > 0
    assert programs


def test_api_page():
    """What it tells a program to set for mypy is what this project sets for itself."""
    (block,) = book.blocks(book.ROOT / "docs/api.md", "ini")
    told = configparser.ConfigParser()
    told.read_string(block)
    own = tomllib.loads((book.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]
    assert told.getboolean("mypy", "ignore_missing_imports") == own["ignore_missing_imports"]
    (section,) = (name for name in told.sections() if name != "mypy")
    libraries = section.removeprefix("mypy-").split(",")
    (override,) = (one for one in own["overrides"] if one["module"] == libraries)
    assert told[section]["follow_imports"] == override["follow_imports"]


def test_archives_page(desk):
    run(["sample", "samples.h5"])
    (block,) = book.blocks(book.ROOT / "docs/archives.md", "python")
    names = execute(block, "archives.md")
    assert names["images"].shape == (3, 16, 16, 3) and names["targets"][0]["label"] == "ship"
    assert names["activations"].shape == (3, 1)


def test_experiments_page(desk, cifar10):
    pathlib.Path("J").mkdir()
    cifar10.classifier.save("J/judge.keras")
    write(dataclasses.replace(cifar10, name="faces"), desk / "faces")
    for words in book.commands(book.ROOT / "docs/experiments.md"):
        # Neither the unit of another network's layer nor a band of its activations is here.
        words = [w.replace("pool_final:836@20:25", "fc8:ship@p60:p95") for w in words]
        name = next(w for w in words[1:] if not w.startswith("-"))
        run([*words, f"--out=out/{name}", "--overwrite"], allowed=(0, 3))
        assert json.loads(pathlib.Path(f"out/{name}/{name}.json").read_text())["rows"], words


def mobile(weights=None, **_):
    """What stands for MobileNetV2: its name, layers of two of its names, and as many classes."""
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu", name="Conv1")(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="global_average_pooling2d")(x)
    outputs = keras.layers.Dense(1000, "softmax", name="predictions")(x)
    return keras.Model(inputs, outputs, name="mobilenetv2_1.00_224")


def gan():
    """A reader's own generator: five numbers in, 8 x 8 pixels in [-1, 1] out."""
    code = keras.Input((5,))
    y = keras.layers.Reshape((8, 8, 3))(keras.layers.Dense(192, activation="tanh")(code))
    return keras.Model(code, y, name="gan")


def test_training_page(desk, cifar10, monkeypatch, capsys):
    """A judge knows the classes by name; `crane` alone is not among its names."""
    names, rng = ("crane", "school bus", "truck"), np.random.default_rng(0)
    classes = rng.integers(0, 3, 80)
    x = rng.integers(0, 90, (80, 8, 8, 3)) + 80 * np.eye(3)[classes][:, None, None]
    for part, rows in {"train": slice(60), "test": slice(60, 80)}.items():
        with h5py.File("photos.h5", "a") as file:
            file.attrs["classes"] = names
            file.create_group(part)["images"] = x[rows].astype(np.uint8)
            file[part]["labels"] = classes[rows]
    inputs = keras.Input((16, 16, 3))
    h = keras.layers.Dense(12, name="e")(keras.layers.Flatten()(inputs))
    h = keras.layers.Dense(600, name="out")(h)
    labels = [f"thing {i}" for i in range(600)]
    labels[7:9] = "school bus", "truck"
    model = keras.Model(inputs, h)
    other = {"classifier": model, "encoder": "e", "labels": ("out", labels), "default": None}
    write(dataclasses.replace(cifar10, natural=None, **other), desk / "squeezenet")
    # So little training reaches few ranges: the others are soon given up.
    monkeypatch.setattr(evaluation, "Settings", functools.partial(Settings, patience=5))
    commands = book.commands(book.ROOT / "docs/training.md")
    small = ["--size=8", "--width=0.125", "--epochs=2", "--batch=10", "--code=6"]
    for words in commands:
        words = [NATURAL.sub("@p20:p80", word) for word in words]
        words = [word.replace("relu1_2,relu2_2,relu3_2", "relu1_2") for word in words]
        fewer = {"classifier": small, "generator": small[1:4], "check": ["--n=2"]}
        run([*words, *fewer.get(words[1], [])])
    assert len(archive.open("buses.h5")) == 3


def test_own_network_page(desk, monkeypatch):
    gan().save("my_gan.keras")
    monkeypatch.setattr(keras.applications, "MobileNetV2", mobile)
    pathlib.Path("labels.txt").write_text("\n".join(f"class {i}" for i in range(1000)))
    commands = book.commands(book.ROOT / "docs/own_network.md")
    own = [words for words in commands if words not in book.commands(book.PAGES[0])]
    assert len(commands) - len(own) == 2  # a generator is trained by README's test
    for words in own:
        run(words)
    assert len(archive.open("mine.h5")) == 3


def test_first_steps_page(desk):
    page, elsewhere = book.ROOT / "docs/first_steps.md", book.commands(book.PAGES[0])
    for words in book.commands(page):
        if words[0] == "sample" or words not in elsewhere:
            run([NATURAL.sub("@p40:p98", word) for word in words])
    assert len(archive.open("truck.h5")) == 4 and len(archive.open("both.h5").targets) == 2
    assert pathlib.Path("few.png").is_file() and len(list(pathlib.Path("pictures").iterdir())) == 3
    short, batches = (NATURAL.sub("@p40:p98", one) for one in book.blocks(page, "python"))
    names = execute(short.replace("n=20", "n=4"), "first_steps.md")
    assert names["images"].shape == (4, 16, 16, 3) and names["activations"].shape == (4, 1)
    execute(batches.replace("n=20", "n=4"), "first_steps.md", tf_inverse=tf_inverse)


def test_reading_page(desk, monkeypatch, capsys):
    """Samples beside photographs, their maps, and a judge whose labels are ImageNet's."""
    monkeypatch.setattr(keras.applications, "MobileNetV2", mobile)
    rng = np.random.default_rng(0)
    pathlib.Path("photos").mkdir()
    for i, x in enumerate(rng.integers(0, 256, (20, 16, 16, 3), np.uint8)):
        Image.fromarray(x).save(f"photos/{i}.png")
    for words in book.commands(book.ROOT / "docs/reading.md"):
        run([NATURAL.sub("@p40:p98", word) for word in words])
    assert pathlib.Path("maps.png").is_file()
    assert "judges agree" in capsys.readouterr().out


def test_directions_page(desk):
    """A probe of the network's own encodings, sums of units, and features of an autoencoder."""
    page = book.ROOT / "docs/directions.md"
    execute(book.blocks(page, "python")[0], "directions.md")
    assert np.load("probe.npy").shape == (12,)
    inputs = keras.Input((8, 8, 3))
    h = keras.layers.Dense(6, "relu", name="fc6")(keras.layers.Flatten()(inputs))
    keras.Model(inputs, keras.layers.Dense(3, name="fc8")(h)).save("my.keras")
    gan().save("gan.keras")
    h = keras.Input((6,))
    keras.Model(h, keras.layers.Dense(9, "relu")(h)).save("sae.keras")
    for words in book.commands(page):
        run([NATURAL.sub("@p40:p98", word) for word in words])
    (one,) = archive.open("probe.h5").targets
    assert one["direction"]["name"] == "@probe.npy" and len(archive.open("mixed.h5").targets) == 2
    card = pathlib.Path("directed/README.md").read_text()
    assert "- Unit 10 of `fc8` is its direction `ship-airplane`." in card


def test_site_page(desk, capsys):
    """Two ranges of one neuron and one of another are two units."""
    for words in book.commands(book.ROOT / "docs/site.md"):
        run([NATURAL.sub("@p40:p98", word) for word in words])
    assert "site/index.html: 2 of 2 units with samples" in capsys.readouterr().out


def test_gallery_page():
    """Its commands are those of other pages, whose tests run them; no picture is without one."""
    page = book.ROOT / "docs/gallery.md"
    others = [words for other in book.PAGES if other != page for words in book.commands(other)]
    assert all(words in others for words in book.commands(page))
    text = page.read_text(encoding="utf-8")
    shown = re.findall(r"^```\n+!\[.+?\]\((\w+\.jpg)\)$", text, re.MULTILINE)
    assert sorted(shown) == sorted(path.name for path in (book.ROOT / "docs").glob("*.jpg"))


def messages():
    """Every text of the program, `...` for what is filled in."""
    for folder in ("tf_inverse", "tools"):
        for path in (book.ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = (getattr(part, "value", None) for part in node.values)
                    yield "".join(part if isinstance(part, str) else "..." for part in parts)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


def test_troubleshooting_page():
    """Each message that it explains is one that the program says, word for word."""
    text = (book.ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^> (.+)$", text, re.MULTILINE)
    assert len(quoted) > 30
    said = list(messages())
    assert [one for one in quoted if not any(one.strip() in text for text in said)] == []


def test_functions_that_pages_name_are_there():
    """`method/lagrangian.py::penalty`: the file, and the name in it."""
    for page in [*book.PAGES, book.ROOT / "CONTRIBUTING.md"]:
        text = page.read_text(encoding="utf-8")
        for file, name in re.findall(r"`((?:\w+/)+\w+\.py)(?:::(\w+))?`", text):
            path = next(
                p for p in (book.ROOT / "tf_inverse" / file, book.ROOT / file) if p.exists()
            )
            source = path.read_text(encoding="utf-8")
            assert not name or re.search(rf"^\s*(def {name}\b|{name} = )", source, re.MULTILINE), (
                name
            )


def test_readme_leads_to_every_page():
    text = book.PAGES[0].read_text(encoding="utf-8")
    pages = {page.name for page in book.PAGES[1:]} - {"index.md", "contributing.md", "changelog.md"}
    assert pages <= set(re.findall(r"\(docs/(\w+\.md)\)", text))
    assert len(text.splitlines()) < 110


def test_export_page(desk, cifar10):
    page = book.ROOT / "docs/export.md"
    natural = cifar10.natural
    bank = natural.encodings[: natural.typical]
    changes = {"codes": codes.Codes("bank", 12), "natural": dataclasses.replace(natural, bank=bank)}
    shutil.rmtree("cifar10")
    write(dataclasses.replace(cifar10, **changes), "cifar10")
    for words in book.commands(page):
        run(words)
    python = book.blocks(page, "python")
    # The activations of this pair lie elsewhere.
    names = execute(python[0].replace("[9.0, 11.0]", "[-1e9, 1e9]"), "export.md")
    assert names["images"].shape == (20, 16, 16, 3)
    assert execute(python[1], "export.md", **names)["found"]["found"] == 20
    rng = np.random.default_rng(0)
    np.save("codes.npy", rng.standard_normal((2, 12), np.float32))
    (tool,) = [words for words in book.lines(page) if words[0] == "saved_model_cli"]
    code, _, said = Child(*tool[1:], cwd=desk, main=saved_model_cli.main).ended()
    assert code == 0, said
    assert np.load("images.npy").shape == (2, 16, 16, 3)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Flatten(),
            keras.layers.Dense(4, activation="tanh", name="fc2"),
            keras.layers.Dense(3, name="fc3"),
        ]
    )
    model.compile("sgd", "mse")
    x, y = rng.uniform(0, 255, (8, 8, 8, 3)), rng.uniform(size=(8, 3))
    block = python[2].replace("fc3:2@1:2", "fc3:2@-9:9").replace("epochs=50", "epochs=5")
    given = {"generator": gan(), "model": model, "x": x, "y": y}
    names = execute(block, "export.md", **given)
    assert len(names["watcher"].samples[4].images)


def test_law_page(desk, capsys):
    for words in book.commands(book.ROOT / "docs/law.md"):
        run(words)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    opened = archive.open("rows.h5")
    assert opened.settings["method"] == "langevin"
    # The run and the command split the same codes.
    assert opened.summary["probability"] == told["probability"]


def test_plane_page(desk, capsys):
    for words in book.commands(book.ROOT / "docs/plane.md"):
        run([*words, "--rows=2", "--columns=2", "--n=1", "--patience=100"])
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["cells"] == 4 and {"count", "tried"} == set(told["plane"])
    for name in ("plane", "wide"):
        assert all((desk / f"{name}.{kind}").exists() for kind in ("h5", "png", "html"))


def test_atlas_page(desk, capsys):
    """Random weights reach few of the ranges; the share of a shard may have all of its own."""
    for words in book.commands(book.ROOT / "docs/atlas.md"):
        run(words, (0, 3))
    index = json.loads((desk / "atlas" / "atlas.json").read_text())
    assert [layer["name"] for layer in index["layers"]] == ["fc8", "conv3_2"]
    assert len(index["units"]) == 14 and "waiting" not in capsys.readouterr().out


def test_publishing_page(desk, monkeypatch):
    """Without the hub's library, the line that fetches is left to who has the extra [hub]."""
    run(["sample", "truck.h5", "--targets=fc8:truck@p60:p95"])
    fetches = importlib.util.find_spec("huggingface_hub") is not None
    with hubserver.serving("cifar10", desk, monkeypatch):
        for words in book.commands(book.ROOT / "docs/publishing.md"):
            if fetches or "--network=hf://you/net" not in words:
                run(words)
    assert pathlib.Path("trucks/README.md").is_file()
    assert pathlib.Path("neuron.h5").is_file() == fetches


def test_vectors_page(desk):
    """Its three blocks: pixels of a classifier, a logistic neuron, and a table of birds."""
    pixels, logistic, table = book.blocks(book.ROOT / "docs/vectors.md", "python")
    classifier = storage.load("cifar10").classifier
    given = {"tf_inverse": tf_inverse, "domains": domains, "classifier": classifier}
    execute(pixels, "vectors.md", **given)
    run(["sample", "p.h5", "--network=pixels", "--distance=images", "--targets=fc8:8@-1e3:1e3"])
    names = execute(logistic.replace("n=120", "n=20"), "vectors.md")
    z = 1 / (1 + np.exp(-(names["points"].astype(np.float64) @ [4.0, -3.0] + 0.5)))
    assert len(z) == 20 and (z >= 0.4 - 1e-6).all() and (z <= 0.6 + 1e-6).all()
    species = ("Adelie", "Chinstrap", "Gentoo")
    x = np.random.default_rng(0).uniform(0, 1, (20, 4))
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax", name="species")(inputs))
    given |= {"model": model, "x": x, "SPECIES": species, "draw": tf_inverse.draw}
    # This model knows no birds: any range of its first output does.
    table = re.sub(r"^boundary = .*$", 'boundary = "species:Adelie@0:1"', table, flags=re.MULTILINE)
    names = execute(table.replace("n=50", "n=3"), "vectors.md", **given)
    assert len(names["result"].samples.images) == 3
