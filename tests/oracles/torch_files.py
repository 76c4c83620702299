"""Writes files of `torch.save` byte by byte, of both forms; shares no code with the reader.

`test_pytorch.py` has PyTorch itself read them, where it is installed.
"""

import io
import struct
import zipfile

import numpy as np

STORAGE = {"float32": "FloatStorage", "float64": "DoubleStorage", "float16": "HalfStorage"}
MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def text(value):
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def old_text(value):
    """A text of Python 2."""
    return b"U" + bytes([len(value)]) + value.encode()


def number(value):
    return b"J" + struct.pack("<i", value)


def group(*parts):
    return b"(" + b"".join(parts) + b"t"


def named(module, name):
    return f"c{module}\n{name}\n".encode()


def strides(shape):
    return [int(np.prod(shape[i + 1 :])) for i in range(len(shape))]


def tensor(key, array, legacy=False, **changes):
    """The pickle of a tensor; `changes` are other values of offset, shape, strides or count."""
    shape = changes.get("shape", array.shape)
    storage = group(
        text("storage"),
        named("torch", STORAGE[array.dtype.name]),
        text(key),
        text("cpu"),
        number(changes.get("count", array.size)),
        *([b"N"] if legacy else []),
    )
    arguments = group(
        storage + b"Q",
        number(changes.get("offset", 0)),
        group(*map(number, shape)),
        group(*map(number, changes.get("strides", strides(array.shape)))),
        b"\x89",
        named("collections", "OrderedDict") + b")R",
    )
    return named("torch._utils", "_rebuild_tensor_v2") + arguments + b"R"


def state_dict(arrays, legacy=False):
    """The pickle of a state dict, its storages called 0, 1, 2, ..."""
    items = [text(n) + tensor(str(i), a, legacy) for i, (n, a) in enumerate(arrays.items())]
    return b"\x80\x02" + named("collections", "OrderedDict") + b")R(" + b"".join(items) + b"u."


def write(path, arrays, pickle=None, compress=False, more=(), prefix="archive/"):
    """Write the zip form.

    Args:
        path: Of the file.
        arrays: By name.
        pickle: In place of the state dict's.
        compress: Deflate the entries, which PyTorch never does.
        more: Further entries, (name, bytes).
        prefix: Of the entries.
    """
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.writestr(f"{prefix}data.pkl", pickle or state_dict(arrays))
        archive.writestr(f"{prefix}byteorder", b"little")
        for i, array in enumerate(arrays.values()):
            archive.writestr(f"{prefix}data/{i}", np.ascontiguousarray(array).tobytes())
        archive.writestr(f"{prefix}version", b"3\n")
        for name, data in more:
            archive.writestr(name, data)


def write_legacy(path, arrays, pickle=None):
    """Write the form of before PyTorch 1.6; `pickle` is in place of the state dict's."""
    out = io.BytesIO()
    out.write(MAGIC)
    out.write(b"\x80\x02M\xe9\x03.")
    little = text("protocol_version") + number(1001) + text("little_endian") + b"\x88"
    out.write(b"\x80\x02}(" + little + b"u.")
    out.write(pickle or state_dict(arrays, legacy=True))
    keys = b"".join(text(str(i)) for i in range(len(arrays)))
    out.write(b"\x80\x02](" + keys + b"e.")
    for array in arrays.values():
        out.write(struct.pack("<q", array.size) + np.ascontiguousarray(array).tobytes())
    with open(path, "wb") as file:
        file.write(out.getvalue())
