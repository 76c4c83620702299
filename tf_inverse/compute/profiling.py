"""What a run costs: peak memory, what comes before the first step, a step; and a trace of some."""

from __future__ import annotations

import pathlib
import resource
import statistics
import sys
import time
from collections.abc import Iterable, Iterator

from tf_inverse.compute import device
from tf_inverse.tensors import StrPath

# Each compiled loop is traced and compiled at its first call: the paper's method has two of them.
FIRST = 2
TRACED = 2


class Profile:
    """Times batches as they come and traces a few; a context manager.

    Args:
        folder: Where the trace goes, for TensorBoard's --logdir; made where there is none.

    Raises:
        FileExistsError: The folder's name is that of a file.
    """

    def __init__(self, folder: StrPath) -> None:
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.chunks: list[tuple[float, int]] = []
        self.tracing = False

    def __enter__(self) -> Profile:
        return self

    def __exit__(self, *exception: object) -> None:
        self._trace(False)

    def timed(self, batches: Iterable, steps: int = 0) -> Iterator:
        """The same batches; between one and the next nothing counts.

        Args:
            batches: `sampler.Batch` each.
            steps: Gradient steps that were taken before.
        """
        batches = iter(batches)
        while True:
            self._trace(FIRST <= len(self.chunks) < FIRST + TRACED)
            began = time.perf_counter()
            try:
                batch = next(batches)
            except StopIteration:
                return
            self.chunks.append((time.perf_counter() - began, batch.info.steps - steps))
            steps = batch.info.steps
            yield batch

    def _trace(self, on: bool) -> None:
        if on == self.tracing:
            return
        import tensorflow as tf

        if on:
            # The Python side of a run is a few calls a second: no need to record each of them.
            how = tf.profiler.experimental.ProfilerOptions(python_tracer_level=0)
            tf.profiler.experimental.start(str(self.folder), how)
        else:
            tf.profiler.experimental.stop()
        self.tracing = on

    def figures(self) -> dict:
        """What was measured; None for what a run was too short to tell.

        Returns:
            memory: Most bytes of the process in use at a time.
            gpu_memory: Likewise on the GPU, or None.
            first: Seconds of tracing and compiling: what the first chunks took over others.
            step: Seconds of a gradient step, median over chunks that were not traced.
            trace: Folder of the trace.
        """
        rates = [seconds / steps for seconds, steps in self.chunks if steps]
        step = statistics.median(rates[FIRST + TRACED :] or rates[FIRST:] or [0.0]) or None
        first = sum(max(0.0, s - steps * (step or 0)) for s, steps in self.chunks[:FIRST])
        return {
            "memory": peak_memory(),
            "gpu_memory": device.peak_memory(),
            "first": first if self.chunks else None,
            "step": step,
            "trace": str(self.folder) if len(self.chunks) > FIRST else None,
        }

    def told(self) -> str:
        """The figures as lines for people."""
        f = self.figures()
        gpu = f"{f['gpu_memory'] / 1e6:.0f} MB on the GPU, " if f["gpu_memory"] else ""
        step = f"{1000 * f['step']:.1f} ms a step" if f["step"] else "too short to time a step"
        lines = [
            f"peak memory {f['memory'] / 1e6:.0f} MB, {gpu}"
            f"tracing and compiling {f['first'] or 0:.1f} s, {step}",
            f"trace: tensorboard --logdir={f['trace']}"
            if f["trace"]
            else f"no trace: the run ended within its first {FIRST} chunks of steps",
        ]
        return "\n".join(lines)


def peak_memory() -> int:
    """Most bytes of memory that this process had in use at a time."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most
