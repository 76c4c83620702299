"""MatConvNet files of each form give what the Caffe network they were made from gives."""

import struct
import zlib

import h5py
import numpy as np
import pytest
from oracles import caffe_files

from tf_inverse.caffe import (
    caffemodel,
    keras_model,
    mat,
    mat_levels,
    matconvnet,
    net_parameter,
    shape_inference,
    weights,
)
from tf_inverse.caffe.prototxt import parse
from tf_inverse.errors import ConversionError, RefusedInput

scipy_io = pytest.importorskip("scipy.io", reason="SciPy, an extra, is not installed")

TABLE = [
    (
        "conv1",
        "Convolution",
        "data",
        "conv1",
        {"num_output": 8, "kernel_size": 3},
        [(8, 3, 3, 3), (8,)],
    ),
    ("relu1", "ReLU", "conv1", "relu1", {}, []),
    ("pool1", "Pooling", "relu1", "pool1", {"pool": "MAX", "kernel_size": 3, "stride": 2}, []),
    ("norm1", "LRN", "pool1", "norm1", {"local_size": 5, "alpha": 0.1, "beta": 0.75}, []),
    (
        "conv2",
        "Convolution",
        "norm1",
        "conv2",
        {"num_output": 6, "kernel_size": 3, "pad": 1, "group": 2},
        [(6, 4, 3, 3), (6,)],
    ),
    ("fc6", "InnerProduct", "conv2", "fc6", {"num_output": 7}, [(7, 6 * 5 * 6), (7,)]),
    ("relu6", "ReLU", "fc6", "relu6", {}, []),
    ("fc8", "InnerProduct", "relu6", "fc8", {"num_output": 4}, [(4, 7), (4,)]),
    ("prob", "Softmax", "fc8", "prob", {}, []),
]
# 12 x 14 pixels: conv1 gives 10 x 12, whose pooling hangs over by one on both sides.
INPUT = {"data": (1, 3, 12, 14)}
MEAN = np.random.default_rng(3).uniform(90, 130, (12, 14, 3)).astype("f4")


@pytest.fixture(scope="module")
def caffe(tmp_path_factory):
    """The network as our Caffe port builds it, blue first."""
    file = tmp_path_factory.mktemp("caffe") / "m"
    caffe_files.write(file, TABLE, caffe_files.weights(TABLE))
    planned = shape_inference.make(
        net_parameter.understand(parse(caffe_files.prototxt(TABLE, INPUT)))
    )
    model = keras_model.classifier(planned, MEAN)
    weights.load(model, caffemodel.read(file))
    return model


def layers():
    """What MatConvNet's importer makes of the table: (type, settings, arrays) by name."""
    blobs = dict(caffe_files.weights(TABLE))
    conv1, b1 = blobs["conv1"]
    conv2, b2 = blobs["conv2"]
    fc6, b6 = blobs["fc6"]
    fc8, b8 = blobs["fc8"]
    hwio = (2, 3, 1, 0)
    return {
        # RGB: the input channels of the first filters are reversed.
        "conv1": (
            "conv",
            {"stride": [1.0, 1.0], "pad": [0.0] * 4},
            [conv1[:, ::-1].transpose(hwio), b1],
        ),
        "relu1": ("relu", {"leak": 0.0}, []),
        "pool1": (
            "pool",
            {
                "method": "max",
                "pool": [3.0, 3.0],
                "stride": [2.0, 2.0],
                "pad": [0.0, 1.0, 0.0, 1.0],
            },
            [],
        ),
        "norm1": ("lrn", {"param": [5.0, 1.0, 0.1 / 5, 0.75]}, []),
        "conv2": ("conv", {"stride": [1.0, 1.0], "pad": [1.0] * 4}, [conv2.transpose(hwio), b2]),
        "fc6": ("conv", {}, [fc6.reshape(7, 6, 5, 6).transpose(hwio), b6]),
        "relu6": ("relu", {}, []),
        "fc8": ("conv", {"pad": 0.0}, [fc8.reshape(4, 7, 1, 1).transpose(hwio), b8]),
        "prob": ("softmax", {}, []),
    }


META = {"normalization": {"imageSize": [12.0, 14.0, 3.0], "averageImage": MEAN[..., ::-1]}}


def cell(items):
    array = np.empty((1, len(items)), object)
    array[0, :] = items
    return array


def simple(path, old=False):
    """SimpleNN in MAT v5, as it was in 2015 (weights) or before (filters and biases)."""
    structs = []
    for name, (kind, settings, arrays) in layers().items():
        struct = {"name": name, "type": "normalize" if old and kind == "lrn" else kind} | settings
        if old:
            struct |= dict(zip(("filters", "biases"), arrays, strict=False))
        elif arrays:
            struct["weights"] = cell(arrays)
        structs.append(struct)
    content = {"layers": cell(structs)}
    scipy_io.savemat(path, content | (META if old else {"meta": META}))


def dag(path):
    """DagNN in MAT v5: struct arrays of layers and params."""
    kinds = {"conv": "Conv", "relu": "ReLU", "pool": "Pooling", "lrn": "LRN", "softmax": "SoftMax"}
    fields = [(n, object) for n in ("name", "type", "inputs", "outputs", "params", "block")]
    rows, params, last = [], [], "input"
    for name, (kind, settings, arrays) in layers().items():
        settings = {"poolSize" if k == "pool" else k: v for k, v in settings.items()}
        names = [f"{name}_{part}" for part in ("filter", "bias")][: len(arrays)]
        params += zip(names, arrays, strict=True)
        block = settings or {"none": 0.0}
        rows.append((name, f"dagnn.{kinds[kind]}", cell([last]), cell([name]), cell(names), block))
        last = name
    content = {"layers": np.array(rows, dtype=fields)[None], "meta": META}
    content["params"] = np.array(params, dtype=[("name", object), ("value", object)])[None]
    scipy_io.savemat(path, content)


def hdf5(path):
    """SimpleNN in v7.3: references to items of a hidden group, arrays with axes reversed."""
    with h5py.File(path, "w", userblock_size=512) as file:
        hidden = file.create_group("#refs#")

        def put(where, name, value):
            if isinstance(value, dict):
                group = where.create_group(name)
                group.attrs["MATLAB_class"] = np.bytes_("struct")
                for key, item in value.items():
                    put(group, key, item)
            elif isinstance(value, list) and (not value or not isinstance(value[0], float)):
                references = np.empty((len(value), 1), h5py.ref_dtype)
                for i, item in enumerate(value):
                    references[i, 0] = put(hidden, f"{len(hidden)}", item).ref
                where.create_dataset(name, data=references, dtype=h5py.ref_dtype)
                where[name].attrs["MATLAB_class"] = np.bytes_("cell")
            elif isinstance(value, str):
                codes = np.array([[ord(c)] for c in value], np.uint16)
                where.create_dataset(name, data=codes).attrs["MATLAB_class"] = np.bytes_("char")
            else:
                data = np.atleast_2d(np.asarray(value)).T
                where.create_dataset(name, data=data).attrs["MATLAB_class"] = np.bytes_("single")
            return where[name]

        structs = [
            {"name": name, "type": kind} | settings | ({"weights": arrays} if arrays else {})
            for name, (kind, settings, arrays) in layers().items()
        ]
        put(file, "layers", structs)
        put(file, "meta", META)


@pytest.mark.parametrize("write", [simple, lambda p: simple(p, old=True), dag, hdf5])
def test_every_form_equals_the_caffe_network(tmp_path, caffe, write):
    write(tmp_path / "net.mat")
    made = matconvnet.to_keras(tmp_path / "net.mat")
    x = np.random.default_rng(4).uniform(0, 255, (2, 12, 14, 3)).astype("f4")
    np.testing.assert_allclose(np.reshape(made.model(x), (2, 4)), caffe(x), rtol=1e-4, atol=1e-6)
    names = [layer.name for layer in made.model.layers]
    assert [name for name in names if name in layers()] == list(layers())
    assert made.encoder == "relu6" and made.source["files"].keys() == {"net.mat"}


def test_batch_norm_is_folded(tmp_path):
    rng = np.random.default_rng(5)
    factor, shift = rng.normal(size=3).astype("f4"), rng.normal(size=3).astype("f4")
    moments = rng.uniform(1, 2, (3, 2)).astype("f4")
    layer = {"name": "bn", "type": "bnorm", "weights": cell([factor, shift, moments])}
    meta = {"normalization": {"imageSize": [2.0, 2.0, 3.0], "averageImage": [0.0, 0.0, 0.0]}}
    scipy_io.savemat(tmp_path / "m.mat", {"layers": cell([layer]), "meta": meta})
    model = matconvnet.to_keras(tmp_path / "m.mat").model
    x = rng.uniform(0, 5, (1, 2, 2, 3)).astype("f4")
    expected = factor * (x - moments[:, 0]) / moments[:, 1] + shift
    np.testing.assert_allclose(model(x), expected, rtol=1e-5, atol=1e-5)


def test_dag_layers_join_along_the_axis_that_they_say(tmp_path):
    """The file's own names of classes are labels, of whatever number they are."""
    fields = [(n, object) for n in ("name", "type", "inputs", "outputs", "params", "block")]
    rows = [
        (f"by{dim}", "dagnn.Concat", cell(["data", "data"]), cell([f"x{dim}"]), cell([]), block)
        for dim, block in ((1, {"dim": 1.0}), (2, {"dim": 2.0}), (3, {"numInputs": 2.0}))
    ]
    classes = {"name": cell(["a b", "c, d", "e", "f", "g", "h"])}
    content = {"params": cell([]), "meta": META | {"classes": classes}}
    for i, row in enumerate(rows):
        content["layers"] = np.array([row], fields)[None]
        scipy_io.savemat(tmp_path / "m.mat", content)
        made = matconvnet.to_keras(tmp_path / "m.mat")
        x = np.random.default_rng(i).uniform(0, 255, (1, 12, 14, 3)).astype("f4")
        pixels = x - META["normalization"]["averageImage"]
        np.testing.assert_array_equal(made.model(x), np.concatenate([pixels, pixels], i + 1))
    assert made.labels.names == ("a b", "c, d", "e", "f", "g", "h")


def test_average_image_is_resized_corner_to_corner():
    ramp = np.linspace(0, 10, 11, dtype="f4")[:, None, None] * np.ones((1, 11, 3), "f4")
    mean = matconvnet._mean({"averageImage": ramp}, (3, 6, 11))
    np.testing.assert_allclose(mean[:, 0, 0], [0, 2, 4, 6, 8, 10], atol=1e-6)


FILTERS = np.zeros((3, 3, 3, 4), "f4")
LAYER = {"name": "l", "type": "conv", "weights": cell([FILTERS, np.zeros(4, "f4")])}
LARGE = LAYER | {"type": "convt", "upsample": 4096.0, "weights": cell([np.zeros((9, 9, 3, 3))])}


@pytest.mark.parametrize(
    ("structs", "words"),
    [
        ([LARGE], "layer 'l': expected dimensions from 1 and at most 268435456 numbers"),
        ([LAYER | {"pad": 5000.0}], "layer 'l': expected 4 values from 0 to 4096 for pad"),
        ([LAYER | {"stride": 0.0}], "layer 'l': expected 2 values from 1 to 4096 for stride"),
        ([LAYER | {"stride": "two"}], r"'l' \(Convolution\): expected settings as MatConvNet"),
        ([LAYER | {"weights": cell([FILTERS[:, :, :2]])}], "expected blobs .*, found .*4, 2, 3, 3"),
        ([LAYER, LAYER], r"expected layers with names of their own, got twice: \['l'\]"),
        ([{"type": "relu", "name": f"{i}"} for i in range(5001)], "expected at most 5000 layers"),
        ([{"type": "pool", "pool": 2.0, "pad": 2.0}], "a pad smaller than the kernel"),
        ([{"type": "lrn", "param": [4.0, 1.0, 1.0, 1.0]}], "an odd local_size from 1, got 4"),
        ([{"type": "lrn", "param": [5.0]}], "expected settings as MatConvNet writes them: not eno"),
        ([{"type": "loss"}], "expected layers .* found none"),
    ],
)
def test_what_caffes_planner_refuses_is_refused_here(tmp_path, structs, words):
    """Before anything of a size that a file declares is allocated."""
    scipy_io.savemat(tmp_path / "m.mat", {"layers": cell(structs), "meta": META})
    with pytest.raises(ConversionError, match=words):
        matconvnet.to_keras(tmp_path / "m.mat")


def test_damaged_lists_of_layers_are_refused(tmp_path):
    path = tmp_path / "m.mat"
    for layers_, more in (
        (cell([1.0, "conv"]), {}),
        (np.array([("a",)], dtype=[("name", object)]), {"params": cell([])}),
    ):
        scipy_io.savemat(path, {"layers": layers_, "meta": META} | more)
        with pytest.raises(RefusedInput, match="expected layers as MatConvNet writes them in"):
            matconvnet.to_keras(path)


def test_refusals(tmp_path):
    path = tmp_path / "m.mat"
    scipy_io.savemat(path, {"x": 1.0})
    with pytest.raises(RefusedInput, match="found no layers"):
        matconvnet.to_keras(path)
    odd = cell([{"name": "a", "type": "custom"}, {"name": "b", "type": "spnorm"}])
    scipy_io.savemat(path, {"layers": odd, "meta": META})
    with pytest.raises(ConversionError, match=r"no port for 2 layers: 'a' \(custom\), 'b'"):
        matconvnet.to_keras(path)
    scipy_io.savemat(path, {"layers": odd})
    with pytest.raises(ConversionError, match="imageSize"):
        matconvnet.to_keras(path)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"<html>", b"\x89HDF\r\n\x1a\n123"):
        path.write_bytes(damaged)
        with pytest.raises(RefusedInput):
            matconvnet.to_keras(path)
    with pytest.raises(FileNotFoundError):
        mat.read(tmp_path / "none.mat")


def repeated(file, item, count):
    """A cell of references, all to the same item."""
    cells = file.create_dataset("again", (count, 1), h5py.ref_dtype)
    cells.attrs["MATLAB_class"] = np.bytes_("cell")
    cells[...] = item.ref


def empty(file):
    """MATLAB's empty array, to which any number of items may refer."""
    item = file.create_dataset("#refs#/none", data=np.zeros(2, "u8"))
    item.attrs["MATLAB_empty"] = np.uint8(1)
    return item


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.__setitem__("l", h5py.ExternalLink("x.h5", "/")), "/l is an external link"),
        (lambda f: f.__setitem__("l", h5py.SoftLink("/meta")), "/l is a soft link"),
        (lambda f: f["meta"].__setitem__("round", f["meta"]), "is there under two names"),
        (lambda f: f.create_dataset("a", (9,), "f4", external=[("x", 0, 36)]), "in other files"),
        (lambda f: f.create_dataset("#refs#/z", (1 << 40,), "f4", chunks=(9,)), "at most 429496"),
        (lambda f: repeated(f, f["meta/normalization/averageImage"], 9), "again and again"),
        (lambda f: repeated(f, empty(f), 300), "at most 300 items"),
    ],
)
def test_files_that_stand_for_more_than_they_hold_are_refused(tmp_path, monkeypatch, change, words):
    # As many as are allowed otherwise take ten seconds to write and read.
    monkeypatch.setattr(mat_levels, "MOST_ITEMS", 300)
    hdf5(tmp_path / "m.mat")
    with h5py.File(tmp_path / "m.mat", "a") as file:
        change(file)
    with pytest.raises(RefusedInput, match=words):
        mat.read(tmp_path / "m.mat")


@pytest.mark.parametrize("packed", [False, True])
def test_what_scipy_writes_is_read_as_it_was(tmp_path, packed):
    grid = np.empty((2, 2), object)
    grid[...] = [["a", np.arange(3.0)], [{"k": np.zeros((0, 3))}, cell([])]]
    content = {
        "numbers": np.arange(6.0).reshape(2, 3),
        "complex": np.array([[1 + 2j]]),
        "text": "of several words",
        "grid": grid,
        "structs": np.array([(1.0, "x"), (2.0, "y")], [("n", object), ("a long name", object)]),
    }
    scipy_io.savemat(tmp_path / "m.mat", content, do_compression=packed)
    found = mat.read(tmp_path / "m.mat")
    for name in ("numbers", "complex"):
        np.testing.assert_array_equal(found[name], content[name])
    assert found["text"] == "of several words" and [s["a long name"] for s in found["structs"]] == [
        "x",
        "y",
    ]
    first, second, third, last = found["grid"]  # in MATLAB's order, columns first
    assert first == "a" and second["k"].shape == (0, 3) and last == []
    np.testing.assert_array_equal(third, [[0, 1, 2]])


def element(kind, data):
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def head(sides):
    """The flags of a cell, its sides and its empty name."""
    flags, name = element(6, struct.pack("<II", 1, 0)), element(1, b"")
    return flags + element(5, struct.pack("<2i", *sides)) + name


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("sides", "words"),
    [((1, 1), "at most 12 levels"), ((1 << 15, 1 << 15), "at most 100000 items")],
)
def test_cells_that_would_end_the_process_are_refused(tmp_path, packed, sides, words):
    """SciPy reads a cell in a cell by a function that calls itself, 50,000 times here."""
    level, deep = head(sides), 50_000
    variable = b"".join(
        struct.pack("<II", 14, len(level) + i * (len(level) + 8)) + level for i in range(deep)[::-1]
    )
    variable = element(15, zlib.compress(variable, 1)) if packed else variable
    path = tmp_path / "m.mat"
    path.write_bytes(b"MATLAB 5.0".ljust(124) + b"\0\1IM" + variable)
    with pytest.raises(RefusedInput, match=words) as caught:
        mat.read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"numbers": 300}, "element of type 300"),
        ({"numbers": 9 | 5 << 16}, "element of type"),
        ({"sides": 300}, "element of type 300"),
        ({"kind": 5}, "array of class 5"),
        ({"kind": 99}, "array of class 99"),
        ({"outer": 13}, "found an element of type 13"),
        ({"size": 1 << 20}, "cut off"),
    ],
)
def test_types_that_scipy_looks_up_beyond_its_list_are_refused(tmp_path, change, words):
    """One array of two numbers, [1, 2]: the first case ends SciPy's process."""
    it = {"numbers": 9, "sides": 5, "kind": 6, "outer": 14, "size": 16} | change
    parts = element(6, struct.pack("<II", it["kind"], 0))
    parts += element(it["sides"], struct.pack("<2i", 1, 2)) + element(1, b"x")
    parts += struct.pack("<II", it["numbers"], it["size"]) + struct.pack("<2d", 1, 2)
    path = tmp_path / "m.mat"
    path.write_bytes(b"MATLAB 5.0".ljust(124) + b"\0\1IM" + element(it["outer"], parts))
    with pytest.raises(RefusedInput, match=words):
        mat.read(path)


@pytest.mark.parametrize("key", ["imageSize", "averageImage"])
def test_texts_in_the_place_of_numbers_are_refused(tmp_path, key):
    normalization = META["normalization"] | {key: "large"}
    odd = cell([{"name": "a", "type": "relu"}])
    scipy_io.savemat(tmp_path / "m.mat", {"layers": odd, "normalization": normalization})
    with pytest.raises(RefusedInput, match="layers as MatConvNet writes them in"):
        matconvnet.to_keras(tmp_path / "m.mat")
