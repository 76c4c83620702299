"""The state of a training: what a file declares is compared before it is read or assigned."""

import errno
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


def test_a_flipped_bit_anywhere_changes_no_variable(tmp_path):
    """The zip archive's checksum is of a whole array; those before it are sound."""
    values, path = written(tmp_path), tmp_path / checkpoint.NAME
    sound = path.read_bytes()
    for name in values:
        whole = bytearray(sound)
        # An array's numbers end where the next entry, or the list of entries, begins.
        whole[whole.index(values[name].tobytes(), whole.index(f"{name}.npy".encode())) + 2] ^= 1
        path.write_bytes(whole)
        refused(tmp_path, "CRC")
        assert path.read_bytes() == whole


def test_a_state_has_the_bytes_that_numpy_writes(tmp_path):
    values, other = written(tmp_path), io.BytesIO()
    np.savez(other, steps=values.pop("steps"), **values)
    assert (tmp_path / checkpoint.NAME).read_bytes() == other.getvalue()


def test_a_state_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    written(tmp_path)
    path, convert = tmp_path / checkpoint.NAME, keras.ops.convert_to_numpy
    sound = path.read_bytes()

    def fail(value):
        if np.shape(value) == SHAPES[2]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return convert(value)

    monkeypatch.setattr(keras.ops, "convert_to_numpy", fail)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(tmp_path, variables(), 8)
    assert path.read_bytes() == sound and list(tmp_path.iterdir()) == [path]


def refused(folder, said):
    found = variables()
    with pytest.raises(RefusedInput, match=f"cannot go on from .*{said}.*to begin anew"):
        checkpoint.restore(folder, found)
    for variable in found:
        assert not np.any(variable)


def test_a_state_is_not_in_memory_as_a_whole(tmp_path):
    """TensorFlow lets go of an array that is assigned a little later: the limit leaves room."""
    size, count = 1 << 16, 64
    found = variables([(size,)] * count, ["float32"] * count)
    for act in (checkpoint.save, checkpoint.restore):
        arguments = (7,) if act is checkpoint.save else ()
        tracemalloc.start()
        try:
            act(tmp_path, found, *arguments)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 4 * size * count // 2, f"{peak / 4 / size} arrays of {count}"
