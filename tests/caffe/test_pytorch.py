"""Files of torch.save read without PyTorch: what is read, and everything that is refused."""

import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from oracles import torch_files
from oracles.torch_files import group, named, number, old_text, tensor, text

from tf_inverse.caffe import weight_file
from tf_inverse.caffe.pytorch import checkpoint, zip_entries
from tf_inverse.errors import RefusedInput, UsageError

RNG = np.random.default_rng(0)
ARRAYS = {
    "conv1.weight": RNG.standard_normal((4, 3, 2, 2), np.float32),
    "conv1.bias": RNG.standard_normal(4, np.float32),
    "fc6.1.weight": RNG.standard_normal((5, 16)),
    "fc6.1.bias": RNG.standard_normal(5).astype("f2"),
}
WRITERS = {"zip": torch_files.write, "legacy": torch_files.write_legacy}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "weights.pt"


@pytest.mark.parametrize("form", WRITERS)
def test_both_forms_give_the_arrays_that_were_written(file, form):
    WRITERS[form](file, ARRAYS)
    tensors = checkpoint.read(file).tensors
    assert list(tensors) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert tensors[name].dtype == array.dtype and not tensors[name].flags.writeable
        np.testing.assert_array_equal(tensors[name], array)


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}])
def test_what_pytorch_writes_is_read_as_pytorch_reads_it(file, options):
    torch = pytest.importorskip("torch")
    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    saved = layers.state_dict()
    saved |= {"half": torch.randn(3, 4).half(), "brain": torch.randn(3, 4).bfloat16()}
    saved |= {"turned": torch.randn(3, 4).t(), "part": torch.arange(10.0)[3:7]}
    saved |= {
        "none": torch.zeros(0, 3),
        "one": torch.tensor(3.0),
        "double": torch.randn(2).double(),
    }
    torch.save(saved, file, **options)
    tensors = checkpoint.read(file).tensors
    assert list(tensors) == list(saved)
    for name, value in saved.items():
        np.testing.assert_array_equal(tensors[name].astype("f4"), value.float().numpy())


@pytest.mark.parametrize("form", WRITERS)
def test_pytorch_reads_what_the_tests_write(file, form):
    torch = pytest.importorskip("torch")
    WRITERS[form](file, ARRAYS)
    for name, value in torch.load(file, weights_only=True).items():
        np.testing.assert_array_equal(value.numpy(), ARRAYS[name])


def test_a_tensor_may_be_a_view_of_its_storage(file):
    whole = np.arange(12, dtype=np.float32)
    turned = tensor("0", whole, offset=2, shape=(2, 3), strides=(1, 3))
    torch_files.write(file, {"0": whole}, b"\x80\x02}(" + text("a") + turned + b"u.")
    np.testing.assert_array_equal(checkpoint.read(file).tensors["a"], [[2, 5, 8], [3, 6, 9]])


ORDERED = named("collections", "OrderedDict")


def parameter(key, array):
    """A tensor that is trained, as `dict(module.named_parameters())` holds it."""
    whole = group(tensor(key, array, True), b"\x88", ORDERED + b")R")
    return named("torch._utils", "_rebuild_parameter") + whole + b"R"


def pair(name, value):
    return b"](" + old_text(name) + value + b"e"


FIRST, MOMENTUM, LAST = ARRAYS["conv1.weight"], np.arange(6.0), ARRAYS["conv1.bias"]
SAVED = {
    "with its optimizer": b"}("
    + (text("epoch") + number(7) + text("optimizer"))
    + (b"}(" + text("momentum") + tensor("1", MOMENTUM, True) + b"u")
    + (text("state_dict") + b"}(" + text("a.weight") + tensor("0", FIRST, True))
    + (text("a.bias") + tensor("2", LAST, True) + b"uu."),
    "parameters": b"}("
    + (text("a.weight") + parameter("0", FIRST) + text("b.weight") + tensor("1", MOMENTUM, True))
    + (text("a.bias") + parameter("2", LAST) + b"u."),
    "by Python 2": ORDERED
    + group(
        b"]("
        + pair("a.weight", tensor("0", FIRST, True).replace(b"tensor_v2", b"tensor"))
        + pair("b.weight", tensor("1", MOMENTUM, True))
        + pair("a.bias", tensor("2", LAST, True))
        + b"e"
    )
    + b"R.",
}


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("saved", SAVED)
def test_what_else_pytorch_and_its_users_save(file, form, saved):
    arrays = {"0": FIRST, "1": MOMENTUM, "2": LAST}
    WRITERS[form](file, arrays, b"\x80\x02" + SAVED[saved])
    tensors = checkpoint.read(file).tensors
    np.testing.assert_array_equal(tensors["a.weight"], FIRST)
    np.testing.assert_array_equal(tensors["a.bias"], LAST)


def pickled(*items):
    return b"\x80\x02}(" + b"".join(items) + b"u."


ONE = np.zeros(4, np.float32)
HOSTILE = {
    "code": (
        pickled(text("a"), named("os", "system") + group(text("true")) + b"R"),
        "'os.system', which is not allowed",
    ),
    "eval": (pickled(text("a"), named("builtins", "eval")), "which is not allowed"),
    "torch code": (pickled(text("a"), named("torch.hub", "load")), "which is not allowed"),
    "other opcode": (b"\x80\x02)\x81.", "uses NEWOBJ"),
    "negative": (pickled(text("a"), tensor("0", ONE, shape=(-1,))), "no storage, shape or strides"),
    "outside": (pickled(text("a"), tensor("0", ONE, offset=1)), "does not lie within its storage"),
    "expanded": (
        pickled(text("a"), tensor("0", ONE, shape=(2**30,), strides=(0,))),
        "does not lie within its storage of 4",
    ),
    "empty and endless": (
        pickled(text("a"), tensor("0", ONE, shape=(0,) + (2**31 - 1,) * 7, strides=(1,) * 8)),
        "does not lie within its storage",
    ),
    "huge count": (
        pickled(text("a"), tensor("0", ONE, count=2**31 - 1)),
        "expected 8589934588 bytes in storage '0', found 16",
    ),
    "missing": (pickled(text("a"), tensor("7", ONE)), "storage '7' are missing"),
    "no tensors": (pickled(text("a"), number(1)), "expected tensors by name"),
    "key": (b"\x80\x02}()" + number(1) + b"u.", "keys are not texts"),
    "list for a dictionary": (
        b"\x80\x02" + ORDERED + group(b"](" + number(1) + b"e") + b"R.",
        "an item of a dictionary is no pair",
    ),
    "no parameter": (
        pickled(text("a"), named("torch._utils", "_rebuild_parameter") + group(text("b")) + b"R"),
        "calls something that is no tensor",
    ),
    "no mark": (b"\x80\x02}u.", "damaged"),
    "cut": (b"\x80\x02}(", "damaged"),
    "empty": (b".", "nothing on its stack"),
    "memory": (b"\x80\x02h\x05.", "damaged"),
    "long text": (b"\x80\x02X\xff\xff\xff\x7fab.", "damaged"),
    "persistent": (pickled(text("a"), text("b") + b"Q"), "no storage"),
    "attributes": (b"\x80\x02](" + b"}b.", "damaged|attributes"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused(file, name):
    data, message = HOSTILE[name]
    torch_files.write(file, {"0": ONE}, data)
    with pytest.raises(RefusedInput, match=message) as caught:
        checkpoint.read(file)
    assert str(file) in str(caught.value) and "\n" not in str(caught.value)


def test_hostile_archives_are_refused(file):
    for options, message in (
        ({"compress": True}, "never compresses"),
        ({"more": [("archive/constants.pkl", b"")]}, "a TorchScript program"),
        ({"more": [("other/data.pkl", b"")]}, "not a file of torch.save"),
        ({"prefix": "x", "more": [("y", b"")]}, "not a file of torch.save"),
    ):
        torch_files.write(file, ARRAYS, **options)
        with pytest.raises(RefusedInput, match=message):
            checkpoint.read(file)
    torch_files.write(file, ARRAYS)
    whole = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        at = archive.getinfo("archive/data/0").header_offset
    for damaged, message in (
        (whole[: len(whole) // 2], "damaged or truncated"),
        (whole[:at] + b"XXXX" + whole[at + 4 :], "is not where its zip archive says"),
        (whole[: at + 60] + b"!" + whole[at + 61 :], "its checksum is another"),
        (b"<html>", "no file of torch.save"),
        (b"", "no file of torch.save"),
    ):
        file.write_bytes(damaged)
        with pytest.raises(RefusedInput, match=message):
            checkpoint.read(file)


def test_no_list_is_read_that_is_larger_than_any_network_needs(file, monkeypatch):
    torch_files.write(file, ARRAYS)
    for module, limit, message in (
        (zip_entries, "MOST_LIST", "in the list of its entries"),
        (checkpoint, "MOST_BYTES", "of 'archive/data.pkl'"),
    ):
        with monkeypatch.context() as patched, pytest.raises(RefusedInput, match=message):
            patched.setattr(module, limit, 100)
            checkpoint.read(file)


def test_damaged_files_of_the_older_form_are_refused(file):
    torch_files.write_legacy(file, ARRAYS)
    whole = file.read_bytes()
    at = whole.rindex((48).to_bytes(8, "little"))
    for damaged, message in (
        (whole[:-1], "truncated"),
        (whole[:40], "damaged"),
        (whole[:at] + b"\x07" + whole[at + 1 :], "has 7 numbers, not 48"),
    ):
        file.write_bytes(damaged)
        with pytest.raises(RefusedInput, match=message):
            checkpoint.read(file)


def test_weights_become_layers_of_blobs(file):
    torch_files.write(file, {f"net.{name}": array for name, array in ARRAYS.items()})
    layers = weight_file.read(file).weights()
    assert {name: [b.shape for b in layer.blobs] for name, layer in layers.items()} == {
        "conv1": [(4, 3, 2, 2), (4,)],
        "fc6": [(5, 16), (5,)],
    }
    np.testing.assert_array_equal(
        layers["fc6"].blobs[0].array(), ARRAYS["fc6.1.weight"].astype("f4")
    )
    for wrong, message in (
        ({"bn.running_mean": ONE}, "expected LAYER.weight and LAYER.bias, found 'bn.running_mean'"),
        ({"a.weight": ONE, "a.1.weight": ONE}, "holds weights twice for 'a'"),
    ):
        torch_files.write(file, wrong)
        with pytest.raises(RefusedInput, match=message):
            weight_file.read(file)


def test_safetensors_are_read_by_their_package(tmp_path, monkeypatch):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"\xff" * 40)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(UsageError, match=r"pip install 'tf_inverse\[safetensors\]'"):
        weight_file.read(path)
    monkeypatch.undo()
    numpy = pytest.importorskip("safetensors.numpy")
    with pytest.raises(RefusedInput, match="cannot read .* as safetensors"):
        weight_file.read(path)
    numpy.save_file({name.replace(".1.", "."): array for name, array in ARRAYS.items()}, path)
    layers = weight_file.read(path).weights()
    for name, array in ARRAYS.items():
        layer, kind = name.replace(".1.", ".").split(".")
        blob = layers[layer].blobs[("weight", "bias").index(kind)]
        np.testing.assert_array_equal(blob.array(), array.astype("f4"))


def test_mutants_are_read_or_refused(tmp_path):
    for form, write in WRITERS.items():
        write(tmp_path / f"{form}.pt", ARRAYS)
    command = [sys.executable, "tools/dev/fuzz_pytorch.py", f"--folder={tmp_path}", "--mutants=400"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    result = json.loads(done.stdout)
    assert done.returncode == 0 and result["faults"] == [], result
    assert result["read"] + result["refused"] == 400 and result["refused"] > 100
