"""Which arithmetic the search uses. What decides and what is stored is always float32."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator

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


def _flags() -> set[str]:
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return set()
    lines = [line.partition(":")[2] for line in text.splitlines() if line.startswith("flags")]
    return set(lines[0].split()) if lines else set()


@contextlib.contextmanager
def exact() -> Iterator[None]:
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
