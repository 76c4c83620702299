"""Writes Caffe files of each version, from tables of layers; shares no code with the readers.

A table row is (name, V2 type, bottom, top, settings, blob shapes). The encoder is a dozen lines
of the protocol buffer wire format; `test_caffe_reader.py` compares it with the protobuf package.
"""

import numpy as np

V1_NUMBER = {
    "Convolution": 4,
    "Dropout": 6,
    "Flatten": 8,
    "InnerProduct": 14,
    "LRN": 15,
    "Pooling": 17,
    "ReLU": 18,
    "Softmax": 20,
    "Deconvolution": 39,
}
V1_WORD = {
    "Convolution": "CONVOLUTION",
    "Dropout": "DROPOUT",
    "InnerProduct": "INNER_PRODUCT",
    "LRN": "LRN",
    "Pooling": "POOLING",
    "ReLU": "RELU",
    "Softmax": "SOFTMAX",
    "Deconvolution": "DECONVOLUTION",
}
V0_WORD = {
    "Convolution": "conv",
    "Dropout": "dropout",
    "InnerProduct": "innerproduct",
    "LRN": "lrn",
    "Pooling": "pool",
    "ReLU": "relu",
    "Softmax": "softmax",
}
PARAM = {
    "Convolution": "convolution_param",
    "Deconvolution": "convolution_param",
    "Dropout": "dropout_param",
    "InnerProduct": "inner_product_param",
    "LRN": "lrn_param",
    "Pooling": "pooling_param",
    "ReLU": "relu_param",
    "Reshape": "reshape_param",
}


def alexnet_table(classes=1000, norm_first=False):
    """Layers of CaffeNet, or of BVLC AlexNet; from the published tables of the networks."""
    rows, last = [], "data"

    def add(name, kind, settings=None, blobs=(), in_place=False):
        nonlocal last
        top = last if in_place else name
        rows.append((name, kind, last, top, settings or {}, list(blobs)))
        last = top

    def conv(i, filters, inputs, kernel, **settings):
        settings = {"num_output": filters, "kernel_size": kernel} | settings
        blobs = [(filters, inputs, kernel, kernel), (filters,)]
        add(f"conv{i}", "Convolution", settings, blobs)
        add(f"relu{i}", "ReLU", in_place=True)

    def between(i):
        pool = (f"pool{i}", "Pooling", {"pool": "MAX", "kernel_size": 3, "stride": 2})
        norm = (f"norm{i}", "LRN", {"local_size": 5, "alpha": 0.0001, "beta": 0.75})
        for row in (norm, pool) if norm_first else (pool, norm):
            add(*row)

    conv(1, 96, 3, 11, stride=4)
    between(1)
    conv(2, 256, 48, 5, pad=2, group=2)
    between(2)
    conv(3, 384, 256, 3, pad=1)
    conv(4, 384, 192, 3, pad=1, group=2)
    conv(5, 256, 192, 3, pad=1, group=2)
    add("pool5", "Pooling", {"pool": "MAX", "kernel_size": 3, "stride": 2})
    for i, inputs in ((6, 9216), (7, 4096)):
        add(f"fc{i}", "InnerProduct", {"num_output": 4096}, [(4096, inputs), (4096,)])
        add(f"relu{i}", "ReLU", in_place=True)
        add(f"drop{i}", "Dropout", {"dropout_ratio": 0.5}, in_place=True)
    add("fc8", "InnerProduct", {"num_output": classes}, [(classes, 4096), (classes,)])
    add("prob", "Softmax")
    return rows


def generator_table():
    """Layers of the fc6 generator."""
    rows, last = [], "feat"
    for name in ("defc7", "defc6", "defc5"):
        settings, blobs = {"num_output": 4096}, [(4096, 4096), (4096,)]
        rows.append((name, "InnerProduct", last, name, settings, blobs))
        rows.append((f"relu_{name}", "ReLU", name, name, {"negative_slope": 0.3}, []))
        last = name
    shape = {"shape": "{ dim: 1 dim: 256 dim: 4 dim: 4 }"}
    rows.append(("reshape", "Reshape", last, "reshape_defc5", shape, []))
    last, inputs = "reshape_defc5", 256
    for name, filters, kernel, stride in (
        ("deconv5", 256, 4, 2),
        ("conv5_1", 512, 3, 1),
        ("deconv4", 256, 4, 2),
        ("conv4_1", 256, 3, 1),
        ("deconv3", 128, 4, 2),
        ("conv3_1", 128, 3, 1),
        ("deconv2", 64, 4, 2),
        ("deconv1", 32, 4, 2),
        ("deconv0", 3, 4, 2),
    ):
        settings = {"num_output": filters, "pad": 1, "kernel_size": kernel, "stride": stride}
        blobs = [(inputs, filters, kernel, kernel), (filters,)]
        rows.append((name, "Deconvolution", last, name, settings, blobs))
        if name != "deconv0":
            rows.append((f"relu_{name}", "ReLU", name, name, {"negative_slope": 0.3}, []))
        last, inputs = name, filters
    return rows


def prototxt(table, inputs, version=2, name="net"):
    """The table as text; `inputs` maps a name to a shape with its batch."""
    lines = [f'name: "{name}"']
    for blob, shape in inputs.items():
        lines.append(f'input: "{blob}"')
        if len(shape) == 4:
            lines += [f"input_dim: {n}" for n in shape]
        else:
            lines.append("input_shape { " + " ".join(f"dim: {n}" for n in shape) + " }")
    for row in table:
        lines.append(_layer_text(version, *row[:5]))
    return "\n".join(lines) + "\n"


def _layer_text(version, name, kind, bottom, top, settings):
    ends = "".join(f' bottom: "{b}"' for b in bottom.split()) + f' top: "{top}"'
    if version == 0:
        names = {"kernel_size": "kernelsize"}
        inner = " ".join(f"{names.get(k, k)}: {v}" for k, v in settings.items())
        return f'layers {{ layer {{ name: "{name}" type: "{V0_WORD[kind]}" {inner} }}{ends} }}'
    values = " ".join(f"{k}: {v}" if v != "" else k for k, v in settings.items())
    values = values.replace(": {", " {")
    param = f" {PARAM[kind]} {{ {values} }}" if settings else ""
    if version == 1:
        return f'layers {{ name: "{name}" type: {V1_WORD[kind]}{ends}{param} }}'
    return f'layer {{ name: "{name}" type: "{kind}"{ends}{param} }}'


def weights(table, seed=0):
    """Random blobs for a table, one layer after the other: (name, [float32 arrays]).

    Scaled so that activations neither vanish nor grow from layer to layer.
    """
    rng = np.random.default_rng(seed)
    for name, kind, _, _, _, shapes in table:
        blobs = []
        for shape in shapes:
            fan = np.prod(shape[1:])
            if kind == "Deconvolution" and len(shape) == 4:
                fan = shape[0] * shape[2] * shape[3] / 4
            scale = np.sqrt(2 / fan) if len(shape) > 1 else 0.1
            blobs.append(rng.standard_normal(shape, np.float32))
            blobs[-1] *= np.float32(scale)
        yield name, blobs


def write(path, table, blobs, version=2, name="net", doubles=False):
    """Write a caffemodel of a version: V0 and V1 shapes are four numbers, V2's are a list.

    Args:
        path: To write.
        table: Rows of layers.
        blobs: Pairs (name, arrays), in the order of the table.
        version: 0, 1 or 2.
        name: Of the net.
        doubles: Store double_data.
    """
    blobs = iter(blobs)
    with open(path, "wb") as file:
        file.write(field(1, name.encode()))
        for row in table:
            layer_name, arrays = next(blobs)
            assert layer_name == row[0]
            head, number, tail = _layer_head(version, row)
            layer = [head]
            for array in arrays:
                layer += _pieces(number, _blob(array, version < 2, doubles))
            inner = [*(_pieces(1, layer) if version == 0 else layer), tail]
            file.writelines(_pieces(100 if version == 2 else 2, inner))


def _layer_head(version, row):
    name, kind, bottom, top = row[:4]
    bottoms = bottom.split()
    if version == 0:
        head = field(1, name.encode()) + field(2, V0_WORD[kind].encode())
        tail = b"".join(field(2, b.encode()) for b in bottoms) + field(3, top.encode())
        return head, 50, tail
    if version == 1:
        head = b"".join(field(2, b.encode()) for b in bottoms) + field(3, top.encode())
        head += field(4, name.encode()) + varint(5 << 3) + varint(V1_NUMBER[kind])
        return head, 6, b""
    head = field(1, name.encode()) + field(2, kind.encode())
    head += b"".join(field(3, b.encode()) for b in bottoms) + field(4, top.encode())
    return head, 7, b""


def _blob(array, legacy, doubles):
    """An array as Caffe's BlobProto, in pieces."""
    if legacy:
        shape = (1,) * (4 - array.ndim) + array.shape
        dims = b"".join(varint(i << 3) + varint(n) for i, n in enumerate(shape, 1))
    else:
        dims = field(7, field(1, b"".join(varint(n) for n in array.shape)))
    data = np.ascontiguousarray(array, "<f8" if doubles else "<f4").reshape(-1).view("u1").data
    return [*_pieces(8 if doubles else 5, [data]), dims]


def _pieces(number, parts):
    """A length-delimited field in pieces, so that an array of 150 MB is never copied."""
    return [varint(number << 3 | 2) + varint(sum(map(len, parts))), *parts]


def field(number, data):
    """A length-delimited field."""
    return b"".join(_pieces(number, [data]))


def varint(value):
    """An unsigned integer."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))
