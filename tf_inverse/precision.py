"""Which arithmetic the search uses. What decides and what is stored is always float32."""

from __future__ import annotations

import contextlib
import pathlib

from tf_inverse.errors import UsageError

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
# Processors that multiply bfloat16 matrices in hardware; others only emulate it, four times slower.
BFLOAT16_FLAGS = ("amx_bf16", "avx512_bf16")
AMPERE = (8, 0)


def resolve(precision: str) -> str:
    """The precision that `auto` stands for on this machine; any other as it is.

    Raises:
        UsageError: Unknown.
    """
    if precision not in PRECISIONS:
        raise UsageError(f"expected precision {', '.join(PRECISIONS)}, got {precision!r}")
    if precision != "auto":
        return precision
    import tensorflow as tf

    gpus = tf.config.get_visible_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return "bfloat16" if details.get("compute_capability", (0, 0)) >= AMPERE else "float16"
    return "bfloat16" if _flags() & set(BFLOAT16_FLAGS) else "float32"


def _flags():
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return set()
    lines = [line.partition(":")[2] for line in text.splitlines() if line.startswith("flags")]
    return set(lines[0].split()) if lines else set()


def cast(model, precision: str):
    """A copy of a Keras model that computes in a precision.

    Kernels are stored in it too: to cast those of a large network again in every step would take as
    long as to multiply by them. What a layer keeps beside them (statistics of a normalisation, the
    mean of pixels) stays float32, as do all weights of a model of the user's own class.

    Args:
        model: In float32.
        precision: "bfloat16" or "float16".
    """
    import keras
    from keras.src.models import Functional

    def cloned(layer):
        stored = precision if _has_kernels(layer) else f"mixed_{precision}"
        return layer.from_config(layer.get_config() | {"dtype": stored})

    known = isinstance(model, Functional | keras.Sequential)
    how = {"clone_function": cloned, "recursive": True} if known else {}
    copy = keras.models.clone_model(model, **how)
    copy.set_weights(model.get_weights())
    for layer in copy._flatten_layers(include_self=False):
        if layer.compute_dtype != precision:
            layer.dtype_policy = keras.DTypePolicy(f"mixed_{precision}")
    return copy


def _has_kernels(layer):
    return layer.autocast and any(len(weight.shape) > 1 for weight in layer.weights)


@contextlib.contextmanager
def exact():
    """While open, float32 means float32.

    On a GPU TensorFlow multiplies float32 matrices as TF32 unless it is told not to, with 10 bits
    of mantissa, which would move activations by a thousandth: enough for the search, but not for
    what is stored.
    """
    import tensorflow as tf

    config = tf.config.experimental
    allowed = config.tensor_float_32_execution_enabled()
    config.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        config.enable_tensor_float_32_execution(allowed)
