"""The state of a training: what a file declares is compared before it is read or assigned."""

import io
import tracemalloc
import zipfile

import keras
import numpy as np
import pytest

from tf_inverse.errors import RefusedInput
from tf_inverse.training import checkpoint

SHAPES = ((3, 2), (), (4,))
KINDS = ("float32", "int64", "uint32")


def variables(shapes=SHAPES, kinds=KINDS):
    """Variables that are all zero."""
    return [
        keras.Variable(np.zeros(shape, kind), dtype=kind, trainable=False)
        for shape, kind in zip(shapes, kinds, strict=True)
    ]


def written(folder, shapes=SHAPES, kinds=KINDS):
    """What is in the state that is in the folder, by the names in its file."""
    rng = np.random.default_rng(0)
    made = variables(shapes, kinds)
    values = [
        rng.integers(1, 9, shape).astype(kind) for shape, kind in zip(shapes, kinds, strict=True)
    ]
    for variable, value in zip(made, values, strict=True):
        variable.assign(value)
    checkpoint.save(folder, made, 7)
    return {str(i): value for i, value in enumerate(values)} | {"steps": np.int64(7)}


def test_what_was_kept_comes_back(tmp_path):
    found = variables()
    assert checkpoint.restore(tmp_path, found) == 0
    values = written(tmp_path)
    assert checkpoint.restore(tmp_path, found) == 7
    for i, variable in enumerate(found):
        np.testing.assert_array_equal(variable, values[str(i)])


def test_a_state_of_other_variables_changes_none(tmp_path):
    values, path = written(tmp_path), tmp_path / checkpoint.NAME
    without = {name: value for name, value in values.items() if name != "steps"}
    for changes, said in (
        ({"2": np.zeros(5, np.uint32)}, "has another shape"),
        ({"2": np.zeros(4, np.float64)}, "has another type"),
        ({"2": np.array([{}] * 4, object)}, "holds Python objects"),
        ({"3": np.zeros(1)}, "expected 3 arrays, got 4"),
        ({"steps": np.zeros(2, np.int64)}, "number of steps"),
        ({"steps": 7.0}, "number of steps"),
    ):
        np.savez(path, **values | changes)
        refused(tmp_path, said)
    np.savez(path, other=3, **without)
    refused(tmp_path, "steps")
    path.write_bytes(b"no archive")
    refused(tmp_path, "zip")


def test_a_header_that_declares_what_no_memory_holds_is_refused(tmp_path):
    values, path = written(tmp_path), tmp_path / checkpoint.NAME
    del values["0"]
    np.savez(path, **values)
    head = io.BytesIO()
    declared = {"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 2)}
    np.lib.format.write_array_header_1_0(head, declared)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("0.npy", head.getvalue())
    refused(tmp_path, "declares float32")


def test_a_flipped_bit_is_refused(tmp_path):
    """The zip archive's checksum is of the whole array."""
    values, path = written(tmp_path), tmp_path / checkpoint.NAME
    whole = bytearray(path.read_bytes())
    whole[whole.index(values["0"].tobytes()) + 2] ^= 1
    path.write_bytes(whole)
    refused(tmp_path, "CRC")


def refused(folder, said):
    found = variables()
    with pytest.raises(RefusedInput, match=f"cannot go on from .*{said}.*to begin anew"):
        checkpoint.restore(folder, found)
    for variable in found:
        assert not np.any(variable)


def test_a_state_is_not_in_memory_as_a_whole(tmp_path):
    """TensorFlow lets go of an array that is assigned a little later: the limit leaves room."""
    size, count = 1 << 16, 64
    shapes, kinds = [(size,)] * count, ["float32"] * count
    written(tmp_path, shapes, kinds)
    found = variables(shapes, kinds)
    tracemalloc.start()
    try:
        checkpoint.restore(tmp_path, found)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * size * count // 2, f"{peak / 4 / size} arrays of {count}"
