"""One Keras layer, or a few, for each step of a plan; the last one carries the step's name."""

import keras

from tf_inverse.models import convolution, layers

# Where Caffe's axes of (B, C, H, W) lie in [B, H, W, C].
_AXES = {1: 3, 2: 1, 3: 2}


def keras_shape(shape):
    """(C, H, W) -> (H, W, C); other shapes stay."""
    return (*shape[1:], shape[0]) if len(shape) == 3 else tuple(shape)


def apply(step, tensors: list, name: str) -> list:
    """Apply a step to the tensors of its bottoms.

    Returns:
        The tensors of its tops.
    """
    result = BUILDERS[step.layer.type](step, tensors, name)
    return result if isinstance(result, list) else [result]


def _simple(make):
    """A builder from make(options, name), a layer of one tensor."""

    def build(step, tensors, name):
        return make(step.options, name)(tensors[0])

    return build


def _convolution(step, tensors, name):
    o = step.options
    layer = convolution.convolution(
        o["filters"],
        o["kernel"],
        o["strides"],
        o["pads"],
        o["dilation"],
        o["groups"],
        use_bias=o["bias"],
        kernel_initializer="zeros",
        name=name,
    )
    return layer(tensors[0])


def _deconvolution(step, tensors, name):
    o = step.options
    layer = convolution.deconvolution(
        o["filters"],
        o["kernel"],
        o["strides"],
        o["pads"],
        o["groups"],
        use_bias=o["bias"],
        kernel_initializer="zeros",
        name=name,
    )
    return layer(tensors[0])


def _product(step, tensors, name):
    o = step.options
    x = caffe_order(step.shapes[0], tensors[0], name)
    x = keras.layers.Flatten(name=f"{name}_flatten")(x) if len(step.shapes[0]) > 1 else x
    dense = keras.layers.Dense(
        o["filters"], use_bias=o["bias"], kernel_initializer="zeros", name=name
    )
    return dense(x)


def caffe_order(shape, tensor, name):
    """[B, H, W, C] -> [B, C, H, W], where the order of the numbers is about to matter."""
    if len(shape) != 3 or shape[1:] == (1, 1):
        return tensor
    return keras.layers.Permute((3, 1, 2), name=f"{name}_chw")(tensor)


def _pooling(step, tensors, name):
    o, size = step.options, step.shapes[0][1:]
    if o["global"]:
        average = o["mode"] == "average"
        kind = keras.layers.GlobalAveragePooling2D if average else keras.layers.GlobalMaxPooling2D
        return kind(keepdims=True, name=name)(tensors[0])
    layer = layers.pooling(
        o["mode"], o["kernel"], o["strides"], o["pads"], size, o["overhang"], name
    )
    return layer(tensors[0])


def _prelu(step, tensors, name):
    axes = [1, 2, 3][: len(step.shapes[0])]
    shared = axes if step.options["channel_shared"] else axes[:-1]
    return keras.layers.PReLU(shared_axes=shared or None, name=name)(tensors[0])


def _relu(o, name):
    if o["negative_slope"]:
        return keras.layers.LeakyReLU(o["negative_slope"], name=name)
    return keras.layers.ReLU(name=name)


def _dropout(o, name):
    if o["scale_train"]:
        return keras.layers.Dropout(min(o["dropout_ratio"], 0.999), name=name)
    return layers.Power(1.0, 1 - o["dropout_ratio"], 0.0, name=name)


def _softmax(step, tensors, name):
    axis = step.options["axis"]
    axis = _AXES[axis] if len(step.shapes[0]) == 3 else axis
    return keras.layers.Softmax(axis=axis, name=name)(tensors[0])


def _concat(step, tensors, name):
    axis = step.options["axis"]
    axis = _AXES[axis] if len(step.shapes[0]) == 3 else axis
    if len(tensors) == 1:
        return keras.layers.Identity(name=name)(tensors[0])
    return keras.layers.Concatenate(axis=axis, name=name)(tensors)


def _eltwise(step, tensors, name):
    o = step.options
    if o["operation"] == "SUM" and set(o["coeff"]) - {1.0}:
        tensors = [
            layers.Power(1.0, c, 0.0, name=f"{name}_{i}")(x)
            for i, (c, x) in enumerate(zip(o["coeff"], tensors, strict=True))
        ]
    kinds = {"SUM": keras.layers.Add, "PROD": keras.layers.Multiply, "MAX": keras.layers.Maximum}
    if len(tensors) == 1:
        return keras.layers.Identity(name=name)(tensors[0])
    return kinds[o["operation"]](name=name)(tensors)


def _slice(step, tensors, name):
    i, bounds = step.options["axis"] - 1, step.options["bounds"]
    parts = []
    for number, (start, shape) in enumerate(zip(bounds, step.outputs, strict=False)):
        starts = [0] * len(shape)
        starts[i] = start
        part = f"{name}_{number}" if number else name
        cut = layers.Slice(keras_shape(tuple(starts)), keras_shape(shape), name=part)
        parts.append(cut(tensors[0]))
    return parts


def _split(step, tensors, name):
    return [keras.layers.Identity(name=name)(tensors[0])] * len(step.layer.tops)


def _flatten(step, tensors, name):
    return keras.layers.Flatten(name=name)(caffe_order(step.shapes[0], tensors[0], name))


def _reshape(step, tensors, name):
    shape = step.options["shape"]
    x = caffe_order(step.shapes[0], tensors[0], name)
    if len(shape) != 3:
        return keras.layers.Reshape(shape, name=name)(x)
    x = keras.layers.Reshape(shape, name=f"{name}_reshape")(x)
    return keras.layers.Permute((2, 3, 1), name=name)(x)


def _crop(step, tensors, name):
    starts, sizes = step.options["starts"], step.options["sizes"]
    return layers.Slice(keras_shape(starts), keras_shape(sizes), name=name)(tensors[0])


BUILDERS = {
    "Convolution": _convolution,
    "Deconvolution": _deconvolution,
    "InnerProduct": _product,
    "Pooling": _pooling,
    "PReLU": _prelu,
    "Softmax": _softmax,
    "Concat": _concat,
    "Eltwise": _eltwise,
    "Slice": _slice,
    "Split": _split,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Crop": _crop,
    "ReLU": _simple(_relu),
    "Dropout": _simple(_dropout),
    "LRN": _simple(
        lambda o, name: layers.LRN(o["size"], o["alpha"], o["beta"], o["k"], o["across"], name=name)
    ),
    "ELU": _simple(lambda o, name: keras.layers.ELU(o["alpha"], name=name)),
    "Sigmoid": _simple(lambda o, name: keras.layers.Activation("sigmoid", name=name)),
    "TanH": _simple(lambda o, name: keras.layers.Activation("tanh", name=name)),
    "Log": _simple(lambda o, name: layers.Log(o["base"], o["scale"], o["shift"], name=name)),
    "Power": _simple(lambda o, name: layers.Power(o["power"], o["scale"], o["shift"], name=name)),
    "BatchNorm": _simple(
        lambda o, name: keras.layers.BatchNormalization(
            epsilon=o["eps"], center=False, scale=False, name=name
        )
    ),
    "Scale": _simple(lambda o, name: layers.Scale(True, o["bias"], name=name)),
    "Bias": _simple(lambda o, name: layers.Scale(False, True, name=name)),
}
