"""The choice of a device; loops under XLA; and no operation in them that only CPUs have.

There is no GPU here. What stands in its place: TensorFlow's register of kernels, which lists those
for GPUs on any machine; XLA, which compiles the same loops for the CPU; and a `tf.config` that
claims to have GPUs.
"""

import collections
import functools
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
import worlds
from tensorflow.python.framework import kernels

from tf_inverse.band import Band, Bands, Neuron
from tf_inverse.compute import device, precision
from tf_inverse.errors import UsageError
from tf_inverse.method import loops, renewal, seeds, walk
from tf_inverse.method import pool as pool_module
from tf_inverse.method.normalization import Scale
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings
from tf_inverse.networks import codes, storage
from tf_inverse.networks.networks import Networks
from tf_inverse.zoo import caffenet, generator

K = 4


@pytest.fixture
def xla():
    """Loops are compiled by XLA while a test runs, as they are on a GPU."""
    device.choose("cpu", xla=True)
    yield
    device.choose("cpu")


@pytest.fixture(scope="module")
def networks():
    """A tiny pair for what XLA compiles: each graph is compiled once."""
    return worlds.tiny_networks()


@pytest.fixture
def gpus(monkeypatch):
    """A TensorFlow that finds two GPUs, and notes what it is told."""
    told = types.SimpleNamespace(visible=None, growing=[], started=False)
    two = [types.SimpleNamespace(name=f"/physical_device:GPU:{i}") for i in (0, 1)]

    def show(devices, kind):
        if told.started:
            raise RuntimeError("Visible devices cannot be modified after being initialized")
        told.visible = [d.name for d in devices]

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: two)
    monkeypatch.setattr(tf.config, "set_visible_devices", show)
    config = tf.config.experimental
    grow = lambda gpu, on: told.growing.append((gpu.name, on))  # noqa: E731
    monkeypatch.setattr(config, "set_memory_growth", grow)
    monkeypatch.setattr(config, "get_device_details", lambda gpu: {"device_name": "H100"})
    return told


@pytest.mark.parametrize(
    ("name", "chosen", "number"),
    [
        ("auto", "gpu:0, H100", 0),
        ("gpu", "gpu:0, H100", 0),
        ("gpu:1", "gpu:1, H100", 1),
        ("/GPU:1", "gpu:1, H100", 1),
        ("/job:localhost/replica:0/task:0/device:GPU:1", "gpu:1, H100", 1),
        ("/physical_device:GPU:0", "gpu:0, H100", 0),
        ("cpu", "cpu", None),
        ("CPU:0", "cpu", None),
    ],
)
def test_one_device_is_left_to_see_and_its_memory_grows(gpus, name, chosen, number):
    assert device.choose(name) == chosen
    shown = [] if number is None else [f"/physical_device:GPU:{number}"]
    assert gpus.visible == shown
    assert gpus.growing == [(name, True) for name in shown]


def test_devices_that_are_not_there_are_refused(gpus):
    with pytest.raises(UsageError, match="expected device cpu or gpu:0 or gpu:1, got 'gpu:2': "):
        device.choose("gpu:2")
    for name in ("tpu", "cpu:1", "gpu:", "gpu:-1", "", "gpu:1x"):
        with pytest.raises(UsageError, match=f"expected device auto, cpu, .*, got {name!r}"):
            device.choose(name)
    gpus.started = True
    with pytest.raises(UsageError, match="before TensorFlow computes"):
        device.choose("cpu")


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="has a GPU")
def test_without_a_gpu():
    assert device.choose() == device.choose("cpu") == "cpu"
    with pytest.raises(UsageError, match="expected device cpu, got 'gpu': TensorFlow finds no GPU"):
        device.choose("gpu")
    assert not device.on_gpu() and device.peak_memory() is None
    assert not device.compiled(lambda x: x)._jit_compile


def test_xla_is_for_gpus_unless_told(monkeypatch):
    for on_gpu, told, expected in (
        (True, None, True),
        (False, None, None),
        (True, False, None),
        (False, True, True),
    ):
        monkeypatch.setattr(device, "on_gpu", lambda here=on_gpu: here)
        monkeypatch.setattr(device, "_xla", told)
        assert device.compiled(lambda x: x)._jit_compile is expected


@pytest.mark.parametrize(
    "options",
    [{}, {"precision": "bfloat16", "chunk": 2}, {"optimizer": "adam"}, {"method": "paper"}],
    ids=["renewal", "bfloat16", "adam", "paper"],
)
def test_loops_run_under_xla(networks, band, xla, options):
    target = band(worlds.NEURON)
    settings = Settings(n=8, K=K, **options)
    found = [b.samples for b in sample(networks, (target,), settings)]
    images = np.concatenate([samples.images for samples in found])
    z = worlds.activation(networks, images, worlds.NEURON)
    assert len(images) == 8 and ((z >= target.z1) & (z <= target.z2)).all()


def test_xla_takes_the_same_steps(networks, tiny, band, xla):
    """As many, from the same codes; the arithmetic differs in its last bits alone."""
    target = band(worlds.NEURON)
    xla_batch = next(sample(networks, (target,), Settings(n=8, K=K)))
    device.choose("cpu", xla=False)
    batch = next(sample(tiny, (target,), Settings(n=8, K=K)))
    assert xla_batch.state["step"] == batch.state["step"] > 3
    np.testing.assert_allclose(xla_batch.state["c"], batch.state["c"], rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(xla_batch.samples.chain, batch.samples.chain)


def graphs(networks, neurons, options):
    """The compiled loops of a method, traced but not run: name -> concrete function."""
    settings, p = Settings(n=K, K=K, **options).sized(networks.codes.size), len(neurons)
    ones = np.ones(p, np.float32)
    scale = Scale(1.0, 1.0, 1.0, ones, ones, False)
    problem = loops.problem(networks, neurons, settings, scale)
    target = loops.target(Bands(Band(neuron, 0.0, 1.0) for neuron in neurons), scale)
    c, t = np.zeros((K, networks.codes.size), np.float32), np.zeros((K, p), np.float32)
    if settings.method == "renewal":
        size = loops.distance_size(networks, settings)
        pool = pool_module.init(c, t, 2 * p, size, 10.0, problem.slots())
        advance = renewal.make_advance(problem, loops.rule(settings), loops.STEPS)
        fresh = pool_module.Fresh(*(tf.constant(np.repeat(rows, 2, axis=0)) for rows in (c, t)))
        return {"renewal": advance.get_concrete_function(pool, target, fresh)}
    state = seeds.init(c, p, 2 * p, 10.0, problem.slots())
    walking = walk.WalkState(
        state.c, state.lam, state.mu, tf.constant(0.1), state.step, state.slots
    )
    round_ = seeds.make_round(problem, 0.1, 1.0, 10.0, 100)
    advance = walk.make_advance(problem, 1.0, loops.STEPS)
    return {
        "seeds": round_.get_concrete_function(state, target),
        "walk": advance.get_concrete_function(walking, target),
    }


def without_kernel(function, *kinds):
    """Operations of a graph, and of all functions within, that have no kernel on a device.

    Args:
        function: Concrete.
        *kinds: Names under which the device's kernels are registered.

    Returns:
        {(operation, types)}.
    """
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    assert len(nodes) > 100 and not any("CPU" in node.device for node in nodes)
    return {
        (node.op, *sorted({tf.as_dtype(a.type).name for a in node.attr.values() if a.type}))
        for node in nodes
        if not any(_serves(k, node) for k in registered()[node.op] if k.device_type in kinds)
    }


@functools.cache
def registered():
    """Operation -> its kernels on all devices; XLA's are there once it has compiled something."""
    tf.function(lambda x: x + 1, jit_compile=True)(tf.ones(1))
    found = collections.defaultdict(list)
    for kernel in kernels.get_all_registered_kernels().kernel:
        found[kernel.op].append(kernel)
    return found


def _serves(kernel, node):
    given = {c.name: node.attr[c.name].type for c in kernel.constraint if c.name in node.attr}
    return all(
        not given.get(c.name) or given[c.name] in c.allowed_values.list.type
        for c in kernel.constraint
    )


# Outside XLA the images of a step, as 8-bit numbers, are put into the buffer by the host.
ON_THE_HOST = {("TensorScatterUpdate", "int32", "uint8")}

METHODS = ({}, {"method": "paper"}, {"chunk": 2}, {"optimizer": "adam"}, {"distance": "images"})


@pytest.fixture(scope="module")
def resized():
    """A generator of larger images than the classifier's, so that they are resized."""
    tiny, larger = worlds.tiny_networks(), worlds.tiny_networks(size=12)
    return Networks("resized", tiny.classifier, larger.generator, "fc2", tiny.codes)


@pytest.fixture(scope="module")
def shipped():
    return storage.load("cifar10")


@pytest.fixture(scope="module")
def paper():
    """CaffeNet and the fc6 generator: our own layers, at their true size, weights zero."""
    keras.backend.clear_session()
    noise = codes.Codes("noise", 4096, (0.0, 30.0))
    parts = (caffenet.caffenet(), generator.generator())
    return Networks("paper", *parts, "relu6", noise, crop=227)


CASES = [("resized", options, "float32") for options in METHODS]
CASES += [("resized", {}, "float16")]
CASES += [(name, {}, "bfloat16") for name in ("resized", "shipped", "paper")]


@pytest.mark.parametrize(("name", "options", "kind"), CASES)
def test_no_operation_of_the_loop_is_for_cpus_only(request, name, options, kind):
    """Neither one by one nor, which is the default on GPUs, compiled by XLA."""
    networks = request.getfixturevalue(name)
    neurons = {
        "resized": (Neuron("fc3", 1), Neuron("conv1", 2, (3, 7)), Neuron("conv1", 0, "mean")),
        "shipped": (Neuron("fc8", 2),),
        "paper": (Neuron("fc8", 980),),
    }[name]
    for function in graphs(networks, neurons, options | {"precision": kind}).values():
        assert without_kernel(function, "GPU", "DEFAULT") <= ON_THE_HOST
        lacking = without_kernel(function, "XLA_GPU_JIT")
        assert {one for one in lacking if one[0] != "Placeholder"} == set()  # the arguments


def test_the_audit_finds_what_is_for_cpus_only():
    """The resizing that this package does not use; text, too."""

    @tf.function
    def resizes(x):
        for _ in range(100):
            x = x + 1.0
        tf.print(x)
        return tf.image.resize(x, (3, 3), antialias=True)

    found = without_kernel(resizes.get_concrete_function(tf.ones((1, 5, 5, 3))), "GPU", "DEFAULT")
    assert {"ScaleAndTranslate", "StringFormat"} <= {one[0] for one in found}


def test_what_decides_is_never_tf32(monkeypatch):
    """TF32 is off while images are scored, and as it was before and after."""
    networks, config, seen = worlds.tiny_networks(), tf.config.experimental, []
    read = networks.read
    scored = tf.function(read, autograph=False)

    def watched(*arguments):
        seen.append(config.tensor_float_32_execution_enabled())
        return scored(*arguments)

    monkeypatch.setattr(networks, "compiled", lambda key, make: watched)
    assert config.tensor_float_32_execution_enabled()
    networks.score(np.zeros((3, 8, 8, 3), np.uint8), (worlds.NEURON,))
    assert seen == [False] and config.tensor_float_32_execution_enabled()
    with pytest.raises(ZeroDivisionError), precision.exact():
        _ = 1 / 0
    assert config.tensor_float_32_execution_enabled()
