"""Which device a process computes on, and whether XLA compiles the loops there.

Neither is a setting of a run, though both change its last bits: nor is the processor, which does so
too. A run is the same bit for bit on the same machine; an archive may be carried on on another, and
what it holds has been decided in float32 wherever it was found.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
from collections.abc import Callable
from typing import Any

from tf_inverse import private
from tf_inverse.errors import UsageError

FORM = "auto, cpu, gpu or a number of one, as gpu:1"
# Ours, and TensorFlow's: gpu:1, GPU:1, /GPU:1, /device:GPU:1, /job:localhost/.../device:GPU:1.
NAME = re.compile(r"(?:/.*)?(?:\b|:|/)(?P<kind>cpu|gpu)(?::(?P<number>\d{1,4}))?", re.IGNORECASE)

_xla: bool | None = None


def choose(name: str = "auto", xla: bool | None = None) -> str:
    """Leave TensorFlow one device to see, before it starts: a GPU with memory that grows.

    Args:
        name: "auto" for the first GPU, or the CPU where there is none; "cpu", "gpu", "gpu:1", or
            a name as TensorFlow writes it.
        xla: Compile loops with XLA; None for GPUs only.

    Returns:
        What was chosen: "cpu", or "gpu:0, " and its model.

    Raises:
        UsageError: There is no such device, or TensorFlow has begun to compute.
    """
    global _xla
    kind, number = _read(name)
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    there = ["cpu", *(f"gpu:{i}" for i in range(len(gpus)))]
    chosen = kind if kind == "cpu" else f"gpu:{number}"
    if name == "auto":
        chosen = there[min(1, len(gpus))]
    if chosen not in there:
        finds = "no GPU" if not gpus else "1 GPU" if len(gpus) == 1 else f"{len(gpus)} GPUs"
        raise UsageError(
            f"expected device {' or '.join(there)}, got {name!r}: TensorFlow finds {finds} here"
        )
    used = [gpu for i, gpu in enumerate(gpus) if chosen == f"gpu:{i}"]
    try:
        tf.config.set_visible_devices(used, "GPU")
        for gpu in used:
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:
        raise UsageError(
            f"expected device {name!r} to be chosen before TensorFlow computes anything here"
        ) from None
    _xla = xla
    return ", ".join([chosen, *map(_model, used)])


def _read(name: str) -> tuple[str, int]:
    """Kind, cpu or gpu, and number."""
    match = NAME.fullmatch("gpu" if name == "auto" else name)
    if match is None or (match["kind"].lower() == "cpu" and int(match["number"] or 0)):
        raise UsageError(f"expected device {FORM}, got {name!r}")
    return match["kind"].lower(), int(match["number"] or 0)


def _model(gpu: Any) -> str:
    import tensorflow as tf

    return tf.config.experimental.get_device_details(gpu).get("device_name", "unknown")


def on_gpu() -> bool:
    """Whether TensorFlow places what it computes on a GPU, here and now: `tf.device` counts."""
    import tensorflow as tf

    # Without the first question, a process that only asks would start TensorFlow's devices.
    return bool(tf.config.get_visible_devices("GPU")) and "GPU" in tf.constant(0.0).device


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as a graph: `tf.function`, with XLA where it wins.

    XLA makes one program of a loop, which spares a GPU the thousand small operations of a step and
    the whole numbers that TensorFlow keeps in the host's memory; on CPUs its convolutions are
    slower than oneDNN's. The one place where this is decided.

    Args:
        function: Its own loops and conditions may depend on tensors, but not those of the functions
            that it calls.
    """
    xla = on_gpu() if _xla is None else _xla
    return traced(looping(function), jit_compile=True if xla else None)


def looping(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose own loops and conditions of tensors are operations of a graph.

    AutoGraph reads the source of every function that it meets, which takes longer than the
    tracing: here it reads this one alone, and leaves those that the function calls as they are.
    """
    import tensorflow as tf

    return tf.autograph.to_graph(function, recursive=False)


def traced(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """The function as a graph, whose code AutoGraph leaves as it is.

    Args:
        function: Without loops and conditions that depend on tensors.
        **options: Of `tf.function`.
    """
    import tensorflow as tf

    return private.untold(tf.function(function, autograph=False, **options))


def memory() -> int:
    """Bytes of memory of the device that was chosen; of a CPU's, what this process may have."""
    return private.gpu_memory() if on_gpu() else main_memory()


def main_memory() -> int:
    """Bytes of the machine's memory, or of what this process may have of it."""
    return min([os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), *allowed()])


def allowed(
    groups: pathlib.Path = pathlib.Path("/proc/self/cgroup"),
    root: pathlib.Path = pathlib.Path("/sys/fs/cgroup"),
) -> list[int]:
    """Bytes that control groups of Linux let this process have, as in containers and clusters.

    A process that takes more is killed, however much memory the machine has.

    Args:
        groups: File that names the process's groups.
        root: Folder where they are mounted, of version 1 or 2.

    Returns:
        A limit for each group that sets one, with those that the process's own groups are in.
    """
    found = []
    with contextlib.suppress(OSError):
        for line in groups.read_text(encoding="utf-8").splitlines():
            _, kinds, path = line.split(":", 2)
            if kinds and "memory" not in kinds.split(","):
                continue
            place = root / "memory/memory.limit_in_bytes" if kinds else root / "memory.max"
            # Within a container its own group is mounted as the root, whatever the path says.
            parts = [part for part in path.split("/") if part not in ("", "..")]
            for depth in range(len(parts) + 1):
                file = place.parent.joinpath(*parts[:depth], place.name)
                with contextlib.suppress(OSError, ValueError):  # ValueError: "max", for no limit
                    found.append(int(file.read_text(encoding="utf-8")))
    return found


def peak_memory() -> int | None:
    """Most bytes of the GPU in use at a time so far; None where there is no GPU."""
    import tensorflow as tf

    if not on_gpu():
        return None
    return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])
