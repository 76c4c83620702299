"""convert and pair, from the command line to folders that load; and every refusal."""

import json

import numpy as np
import pytest
from oracles import caffe_cv2, caffe_files
from tf_inverse.tools import cli

from tf_inverse.archive import atomic
from tf_inverse.caffe import sources
from tf_inverse.networks import storage

CLASSIFIER = [
    (
        "conv1",
        "Convolution",
        "data",
        "conv1",
        {"num_output": 4, "kernel_size": 3},
        [(4, 3, 3, 3), (4,)],
    ),
    ("relu1", "ReLU", "conv1", "conv1", {}, []),
    ("a/fc6", "InnerProduct", "conv1", "fc6", {"num_output": 5}, [(5, 4 * 6 * 6), (5,)]),
    ("relu6", "ReLU", "fc6", "fc6", {}, []),
    ("fc8", "InnerProduct", "fc6", "fc8", {"num_output": 205}, [(205, 5), (205,)]),
    ("prob", "Softmax", "fc8", "prob", {}, []),
]
GENERATOR = [
    ("defc5", "InnerProduct", "feat", "defc5", {"num_output": 48}, [(48, 5), (48,)]),
    ("relu", "ReLU", "defc5", "defc5", {"negative_slope": 0.3}, []),
    ("reshape", "Reshape", "defc5", "r", {"shape": "{ dim: 1 dim: 3 dim: 4 dim: 4 }"}, []),
    (
        "deconv0",
        "Deconvolution",
        "r",
        "deconv0",
        {"num_output": 3, "kernel_size": 4, "stride": 2, "pad": 1},
        [(3, 3, 4, 4), (3,)],
    ),
]
INPUTS = {"data": (1, 3, 8, 8)}, {"feat": (1, 5)}


def write(where, table, inputs, name, version=2):
    prototxt, file = where / f"{name}.prototxt", where / f"{name}.caffemodel"
    prototxt.write_text(caffe_files.prototxt(table, inputs, version, name))
    caffe_files.write(file, table, caffe_files.weights(table), version, name)
    return f"--prototxt={prototxt}", f"--caffemodel={file}"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    where = tmp_path_factory.mktemp("caffe")
    write(where, CLASSIFIER, INPUTS[0], "small", version=1)
    write(where, GENERATOR, INPUTS[1], "painter")
    return where


def flags(files, name):
    return f"--prototxt={files / name}.prototxt", f"--caffemodel={files / name}.caffemodel"


def run(capsys, *args):
    """(exit code, stdout, stderr) of a command."""
    with pytest.raises(SystemExit) as caught:
        cli.main(list(map(str, args)))
    captured = capsys.readouterr()
    return caught.value.code or 0, captured.out, captured.err


@pytest.fixture
def converted(files, tmp_path, capsys):
    """Folders of the converted classifier and generator."""
    for name in ("small", "painter"):
        out = tmp_path / name
        code, text, error = run(
            capsys, "convert", "caffe", *flags(files, name), "--mean=104,117,123", f"--out={out}"
        )
        assert code == 0, error
        assert text.split()[-1] == str(out) and "self-check: forward pass finite" in text
    return tmp_path


def test_convert_writes_a_folder_that_tells_its_story(files, converted):
    entries = json.loads((converted / "small" / "network.json").read_text())
    digest = atomic.checksum(files / "small.caffemodel")
    assert entries["source"]["files"]["small.caffemodel"] == digest
    assert entries["classifier"]["sha256"] == atomic.checksum(converted / "small/classifier.keras")
    assert entries["labels"]["layer"] == "fc8" and entries["labels"]["names"][87] == "gas station"
    assert str(files) not in json.dumps(entries)
    model = storage.model(converted / "small" / "classifier.keras")
    assert [layer.name for layer in model.layers if "chw" not in layer.name] == [
        "data",
        "pixels",
        "conv1",
        "relu1",
        "a_fc6_flatten",
        "a_fc6",
        "relu6",
        "fc8",
        "prob",
    ]


def test_converted_models_compute_what_opencv_does(files, converted):
    if not caffe_cv2.available():
        pytest.skip("OpenCV with readNetFromCaffe is not installed")
    rgb = np.random.default_rng(0).uniform(0, 255, (1, 8, 8, 3)).astype("f4")
    bgr = (rgb[..., ::-1] - caffe_cv2.MEAN).transpose(0, 3, 1, 2)
    small = caffe_cv2.forward(files / "small.prototxt", files / "small.caffemodel", bgr)
    model = storage.model(converted / "small" / "classifier.keras")
    np.testing.assert_allclose(model(rgb), small["prob"], rtol=1e-4, atol=1e-6)
    code = np.random.default_rng(1).standard_normal((1, 5), np.float32)
    painter = caffe_cv2.forward(files / "painter.prototxt", files / "painter.caffemodel", code)
    image = painter["deconv0"].transpose(0, 2, 3, 1) + caffe_cv2.MEAN
    model = storage.model(converted / "painter" / "generator.keras")
    np.testing.assert_allclose(model(code), image[..., ::-1], rtol=1e-4, atol=1e-3)


def test_pair_joins_what_fits(converted, capsys):
    small, painter, out = (converted / name for name in ("small", "painter", "pair"))
    code, text, error = run(
        capsys, "pair", small, painter, "--encoder=relu6", f"--out={out}", "--name=both"
    )
    assert code == 0, error
    assert "self-check: E(G(c)) finite, relu6 [5]" in text and text.split()[-1] == str(out)
    networks = storage.load(out)
    assert networks.name == "both" and networks.crop is None and networks.encoder == "relu6"
    assert networks.codes.kind == "noise" and networks.codes.bounds == [0.0, 30.0]
    assert networks.labels[1][140] == "phone booth"


def test_pair_refuses_what_does_not_fit(converted, capsys):
    small, painter, out = (converted / name for name in ("small", "painter", "pair"))
    pair = ("pair", small, painter, f"--out={out}")
    for arguments, message in (
        ((*pair, "--encoder=fc9"), "expected a layer of small, got 'fc9'; did you mean fc8"),
        ((*pair, "--encoder=conv1", "--codes=noise"), "--codes=noise; painter takes 5"),
        ((*pair, "--bounds=1"), "expected --bounds=LOW:HIGH, as -1:1, got '1'"),
        (("pair", painter, small, f"--out={out}"), "expected a classifier in"),
        (("pair", small, converted / "none", f"--out={out}"), "or a network's folder for the gen"),
        (("pair", small, painter), "expected --out=FOLDER"),
        (("pair", small, painter, f"--out={small}"), "exists; give --overwrite"),
    ):
        code, _, error = run(capsys, *arguments)
        assert code == 2 and message in error and error.count("\n") == 1
    assert not out.exists()


def test_weights_of_another_network_are_refused_layer_by_layer(files, tmp_path, capsys):
    out = f"--out={tmp_path / 'out'}"
    mixed = flags(files, "small")[0], flags(files, "painter")[1]
    code, _, error = run(capsys, "convert", "caffe", *mixed, out)
    assert code == 4
    for word in (
        "'conv1' (Convolution): expected blobs [(4, 3, 3, 3), (4,)], found none",
        "'a/fc6'",
    ):
        assert word in error
    assert "holds weights for deconv0, defc5" in error and "--ignore=deconv0,defc5" in error

    larger = [list(row) for row in CLASSIFIER]
    larger[0][5] = [(4, 3, 5, 5), (4,)]
    larger[4][1] = "Deconvolution"
    wrong = tmp_path / "wrong.caffemodel"
    caffe_files.write(wrong, larger, caffe_files.weights(larger))
    arguments = flags(files, "small")[0], f"--caffemodel={wrong}", out
    code, _, error = run(capsys, "convert", "caffe", *arguments)
    assert code == 4 and "expected blobs [(4, 3, 3, 3), (4,)], found [(4, 3, 5, 5), (4,)]" in error
    assert "'fc8': expected InnerProduct, the file says Deconvolution" in error
    assert list(tmp_path.iterdir()) == [wrong]


def test_surplus_layers_may_be_ignored_by_name(files, tmp_path, capsys):
    more = [*CLASSIFIER, ("aux", "InnerProduct", "fc6", "aux", {"num_output": 2}, [(2, 5), (2,)])]
    file = tmp_path / "more.caffemodel"
    caffe_files.write(file, more, caffe_files.weights(more))
    arguments = ["convert", "caffe", file, flags(files, "small")[0], f"--out={tmp_path / 'out'}"]
    assert run(capsys, *arguments)[0] == 4
    assert run(capsys, *arguments, "--ignore=aux")[0] == 0


def test_weights_that_are_not_finite_are_refused(files, tmp_path, capsys):
    blobs = list(caffe_files.weights(CLASSIFIER))
    blobs[2][1][0][3, 7] = np.nan
    file = tmp_path / "nan.caffemodel"
    caffe_files.write(file, CLASSIFIER, blobs)
    code, _, error = run(
        capsys, "convert", "caffe", file, flags(files, "small")[0], f"--out={tmp_path / 'out'}"
    )
    assert code == 4 and "'a/fc6': the weights are not finite" in error


TINY_ALEXNET = [
    (name, kind, "data", name, {}, shapes)
    for name, kind, shapes in (
        ("conv1", "Convolution", [(1, 1, 1, 1)]),
        ("norm1", "LRN", []),
        ("pool1", "Pooling", []),
    )
]


def test_alexnet_and_caffenet_are_not_mistaken_for_each_other(tmp_path, capsys):
    """The order in the file or the prototxt, or else the name, tells; shapes cannot."""
    file = tmp_path / "m.caffemodel"
    out = f"--out={tmp_path / 'out'}"
    norm_first, pool_first = TINY_ALEXNET, [TINY_ALEXNET[i] for i in (0, 2, 1)]
    for kind, table, name, message in (
        ("caffenet", norm_first, "", "has norm1 before pool1: it is BVLC AlexNet, not caffenet"),
        ("places205", norm_first, "", "it is BVLC AlexNet, not places205"),
        ("alexnet", pool_first, "", "it is CaffeNet or Places205, not alexnet"),
        ("caffenet", TINY_ALEXNET[:1], "AlexNet", "calls itself 'AlexNet': convert it as alexnet"),
        ("alexnet", TINY_ALEXNET[:1], "CaffeNet", "convert it as caffenet"),
    ):
        caffe_files.write(file, table, caffe_files.weights(table), 2, name)
        code, _, error = run(capsys, "convert", kind, file, out)
        assert code == 4 and message in error
    prototxt = tmp_path / "p.prototxt"
    prototxt.write_text(
        caffe_files.prototxt(caffe_files.alexnet_table(1000, True), {"data": (1, 3, 227, 227)})
    )
    caffe_files.write(file, TINY_ALEXNET[:1], caffe_files.weights(TINY_ALEXNET[:1]))
    code, _, error = run(capsys, "convert", "caffenet", file, f"--prototxt={prototxt}", out)
    assert code == 4 and "the prototxt has norm1 before pool1" in error


def test_words_that_cannot_be_are_refused_before_anything_runs(
    files, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("TF_INVERSE_CACHE", str(tmp_path / "empty"))
    out, both = f"--out={tmp_path / 'out'}", flags(files, "small")
    for arguments, code, message in (
        (("vgg", *both, out), 2, "expected one of caffenet, places205"),
        (("caffe", *both), 2, "expected --out=FOLDER"),
        (("caffe", both[1], out), 2, "expected --prototxt=FILE"),
        (("caffenet", out), 2, "or first tf-inverse fetch caffenet"),
        (("generator", "--code=fc7", out), 2, "or first tf-inverse fetch deepsim-fc7"),
        (("caffe", *both, "--channels=grb", out), 2, "expected --channels of bgr or rgb"),
        (("caffe", *both, "--role=judge", out), 2, "expected --role of classifier or generator"),
        (("caffe", *both, "--mean=1,2", out), 2, "one or three numbers"),
        (("caffe", *both, "--input=3,8", out), 2, "--input=CHANNELS,HEIGHT,WIDTH"),
        (("caffe", *both, "--size=8,8", out), 2, "--size=ROWS,COLUMNS,CHANNELS"),
        (("caffe", *both, "--input=3,8,8", "--size=8,8,3", out), 2, "or --input, not both"),
        (("caffe", *both, "--size=9,9,3", out), 4, "'a/fc6' (InnerProduct): expected blobs"),
        (("caffe", both[0], f"--caffemodel={files / 'none'}", out), 2, "found none at"),
        (("caffe", both[0], f"--caffemodel={files / 'small.prototxt'}", out), 4, "is text"),
        (("matconvnet", files / "small.caffemodel", out), 4, "cannot read"),
    ):
        got, _, error = run(capsys, "convert", *arguments)
        assert (got, message in error) == (code, True), error
    assert not (tmp_path / "out").exists()


def test_fetched_files_are_found(files, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TF_INVERSE_CACHE", str(tmp_path))
    (tmp_path / sources.SOURCES["caffenet"].forms[0].file).write_bytes(b"<html>")
    code, _, error = run(capsys, "convert", "caffenet", f"--out={tmp_path / 'out'}")
    assert code == 4 and "bvlc_reference_caffenet.caffemodel is a web page" in error
