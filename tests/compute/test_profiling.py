"""--profile: what is told, against a clock that is set by hand, and a trace that can be read."""

import json
import types

import pytest
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2
from tf_inverse.tools import cli

from tf_inverse.compute import device, precision, profiling
from tf_inverse.compute.profiling import Profile

FIGURES = {"memory", "gpu_memory", "first", "step", "trace"}


def operations(folder):
    """Names of all events of the one trace in a folder, as TensorBoard finds and reads it."""
    (file,) = folder.glob("plugins/profile/*/*.xplane.pb")
    space = xplane_pb2.XSpace.FromString(file.read_bytes())
    return {event.name for plane in space.planes for event in plane.event_metadata.values()}


def sample(network, *flags):
    with pytest.raises(SystemExit) as end:
        cli.main(["sample", f"--network={network}", "--K=4", "--precision=float32", *flags])
    return end.value.code


def test_a_run_tells_its_cost_and_leaves_a_trace(tiny_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert sample(tiny_folder, "--n=30", "--profile=cost", "--precision=auto") == 0
    told = capsys.readouterr()
    *_, figures, trace = told.out.splitlines()
    assert figures.startswith("peak memory ") and " MB, tracing and compiling " in figures
    assert figures.endswith(" ms a step") and trace == "trace: tensorboard --logdir=cost"
    assert f"searching in {precision.resolve('auto')} on {device.choose()}\n" in told.err
    # The step is in it, forwards and backwards.
    names = operations(tmp_path / "cost")
    for operation in ("MatMul", "Conv2D", "Conv2DBackpropInput"):
        assert any(operation in name for name in names), operation


def test_figures_are_in_the_json_and_not_in_the_archive(
    tiny_folder, tmp_path, monkeypatch, capsys, loaded_once
):
    monkeypatch.chdir(tmp_path)
    assert sample(tiny_folder, "--n=30", "--profile=cost", "--json", "--out=a.h5") == 0
    figures = json.loads(capsys.readouterr().out)
    assert set(figures["profile"]) == FIGURES
    assert figures["profile"]["gpu_memory"] is None and figures["profile"]["step"] > 0
    assert 50e6 < figures["profile"]["memory"] < 50e9
    assert sample(tiny_folder, "--n=30", "--out=b.h5", "--json") == 0
    assert "profile" not in json.loads(capsys.readouterr().out)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_refusals_before_anything_runs(tiny_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert sample(tiny_folder, "--device=tpu") == 2
    assert "expected device auto, cpu, gpu" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "cost").write_text("a file")
    assert sample(tiny_folder, "--profile=cost") == 2
    assert "cost" in capsys.readouterr().err


class Clock:
    """Chunks of steps that take as long as they say."""

    def __init__(self, monkeypatch, chunks):
        self.now, self.chunks, self.calls = 0.0, chunks, []
        monkeypatch.setattr(profiling.time, "perf_counter", lambda: self.now)
        profiler = tf.profiler.experimental
        monkeypatch.setattr(profiler, "start", lambda *_: self.calls.append(("on", self.now)))
        monkeypatch.setattr(profiler, "stop", lambda: self.calls.append(("off", self.now)))

    def batches(self):
        step = 0
        for seconds, steps in self.chunks:
            step, self.now = step + steps, self.now + seconds
            yield types.SimpleNamespace(info=types.SimpleNamespace(steps=step))

    def profile(self, folder):
        with Profile(folder) as cost:
            for _ in cost.timed(self.batches()):
                self.now += 100.0  # keeping a batch is no part of a step
        return cost.figures()


def test_figures_by_a_clock(tmp_path, monkeypatch):
    """Two chunks with 3 s and 1 s over 10 steps' 2 s, two traced, then one slow among three."""
    chunks = [(5.0, 10), (3.0, 10), (9.0, 10), (9.0, 10), (2.0, 10), (8.0, 10), (1.0, 5)]
    clock = Clock(monkeypatch, chunks)
    figures = clock.profile(tmp_path / "cost")
    assert figures["first"] == pytest.approx(4.0) and figures["step"] == pytest.approx(0.2)
    assert figures["trace"] == str(tmp_path / "cost")
    # The trace is on for the third and the fourth chunk alone.
    assert clock.calls == [("on", 208.0), ("off", 426.0)]


@pytest.mark.parametrize(
    ("chunks", "first", "step"),
    [([], None, None), ([(5.0, 10)], 5.0, None), ([(5.0, 10), (2.0, 10)], 7.0, None)],
)
def test_runs_too_short_to_tell(tmp_path, monkeypatch, chunks, first, step):
    clock = Clock(monkeypatch, chunks)
    figures = clock.profile(tmp_path / "cost")
    assert (figures["first"], figures["step"], figures["trace"]) == (first, step, None)


def test_a_trace_ends_with_the_run(tmp_path, monkeypatch):
    """However it ends: one that hangs on would forbid the next."""
    clock = Clock(monkeypatch, [(1.0, 10)] * 9)
    with pytest.raises(KeyboardInterrupt), Profile(tmp_path / "cost") as cost:
        for i, _ in enumerate(cost.timed(clock.batches())):
            if i == 2:
                raise KeyboardInterrupt
    assert [call for call, _ in clock.calls] == ["on", "off"]


def test_memory_on_a_gpu_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(device, "peak_memory", lambda: 123_000_000)
    assert ", 123 MB on the GPU, tracing" in Profile(tmp_path / "cost").told()
