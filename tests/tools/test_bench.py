"""The bench: what it counts, how its processes talk, and what it refuses."""

import json
import pathlib
import subprocess
import sys

import bench
import bench_worker
import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_inverse.zoo.caffenet import caffenet
from tf_inverse.zoo.generator import generator

BENCH = pathlib.Path(bench.__file__)


def _multiply_adds(make, upwards):
    """One for each entry of a kernel and each place where it is put, over the layers.

    Args:
        make: Makes the model, here in a graph that is never run: 117 million weights are not drawn.
        upwards: Whether its convolutions are transposed: a place for each pixel that comes in.
    """
    with tf.Graph().as_default():
        model = make()
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense):
            total += layer.kernel.shape[0] * layer.kernel.shape[1]
        elif hasattr(layer, "kernel"):
            larger = upwards and layer.output.shape[1] >= layer.input.shape[1]
            places = (layer.input if larger else layer.output).shape[1:3]
            total += np.prod(layer.kernel.shape) * np.prod(places)
    return total


def test_work_of_a_step():
    """Two operations a multiply-add, forward and back, of both networks."""
    counted = _multiply_adds(caffenet, False)
    counted += _multiply_adds(lambda: generator("fc6"), True)
    assert bench.work(10) == pytest.approx(2 * 2 * 10 * counted, rel=0.01)


def test_a_worker_that_fails_says_why():
    with pytest.raises(bench.InverseSetError, match="a process of the bench ended: .*leap"):
        bench.Worker("leap")


def test_a_worker_does_its_work_when_told_and_tells_a_run_in_full(tiny_folder):
    options = {"network": str(tiny_folder), "n": 3, "K": 4, "precision": "float32"}
    with bench.Worker("run", **options) as worker:
        told = worker.told
        assert told["first"] > 0 and worker.seconds == []
        worker.once()
        worker.once()
    assert len(worker.seconds) == 2 and worker.process.returncode == 0
    assert min(worker.seconds) <= worker.median <= max(worker.seconds)
    assert told["found"] == 3 and told["steps"] > 0 and told["precision"] == "float32"
    assert 0 < told["first_chunk"] <= told["first"] and told["peak_mb"] > 100


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_the_machine_can_do_is_a_product_of_two_matrices(precision, monkeypatch):
    """In that precision; the graph of the first go serves the second."""
    seen, real = [], tf.matmul
    monkeypatch.setattr(tf, "matmul", lambda a, b: seen.append((a, b)) or real(a, b))
    go = bench_worker.KINDS["product"](precision, side=64)
    assert go() is None and go() is None
    ((a, b),) = seen
    assert a.dtype == b.dtype == precision and a.shape == b.shape == (64, 64)


def test_figures_as_a_table_and_as_json(capsys):
    figures = bench.machine() | {"step_float32_ratio": 0.75, "K": 10}
    bench.tell(figures, True)
    assert json.loads(capsys.readouterr().out) == figures
    bench.tell(figures, False)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(figures)
    assert lines[-2].split()[1] == "0.75"


@pytest.mark.parametrize(
    "arguments, said", [(["step", "--rounds=3"], "no flag --rounds"), (["leap"], "bench.py step")]
)
def test_what_it_does_not_know(arguments, said):
    done = subprocess.run([sys.executable, BENCH, *arguments], capture_output=True, text=True)
    assert done.returncode == 2 and said in done.stdout + done.stderr


def test_layers_are_timed_in_both_forms():
    import bench_layers

    figures = bench_layers.measure(1, 1)
    assert len(figures) == 9 * 2 * 3 and min(figures.values()) > 0
    for name, (plain, fast, x) in bench_layers.pairs(2).items():
        plainly, quickly = (
            bench_layers.compiled(layer, 100 * x, form)[0](100 * x)
            for layer, form in ((plain, False), (fast, True))
        )
        if name == "pixels":
            # Its mean is zero until loaded.
            quickly = quickly - np.array([104.0, 117.0, 123.0])
        np.testing.assert_allclose(quickly, plainly, rtol=1e-4, atol=1e-2)
