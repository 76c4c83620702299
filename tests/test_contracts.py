"""What holds of every part: step(state) -> (state, info), one trace, no TensorFlow in readers."""

import inspect
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import worlds

import tf_inverse
from tf_inverse.band import Neuron
from tf_inverse.method import pool as pool_module
from tf_inverse.method import renewal, seeds, walk
from tf_inverse.method.rule import Rule
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings

TARGET = worlds.target((0.0, 1.0))


def steps():
    """name -> (step, state, further arguments)."""
    problem, c = worlds.linear_problem([1.0, 2.0]), np.ones((3, 2), np.float32)
    rule = Rule(0.2, 0.01, 10.0, 1.05, 0.1, 0.15, 0.15, 300, 20, 1)
    fresh = pool_module.Fresh(tf.zeros((6, 2)), tf.zeros((6, 1)))
    walking = walk.WalkState(
        tf.constant(c),
        tf.zeros((3, 2)),
        tf.constant(1.0),
        tf.constant(0.1),
        tf.constant(0, tf.int64),
    )
    return {
        "seeds": (seeds.make_step(problem, 0.1, 1.0), seeds.init(c, 1, 2, 10.0), ()),
        "walk": (walk.make_step(problem, 1.0), walking, ()),
        "renewal": (
            renewal.make_step(problem, rule),
            pool_module.init(c, np.zeros((3, 1)), 2, 2, 10.0),
            (fresh,),
        ),
    }


@pytest.mark.parametrize("name", ["seeds", "walk", "renewal"])
def test_steps_take_a_state_and_give_its_like(name):
    step, state, more = steps()[name]
    assert list(inspect.signature(step).parameters)[1] == "target"
    after, *info = step(state, TARGET, *more)
    assert type(after) is type(state) and info
    for was, now in zip(state, after, strict=True):
        if not isinstance(was, tuple):
            assert (was.dtype, was.shape) == (now.dtype, now.shape)
    # Pure: the same state gives the same state, and is itself as it was.
    again = step(state, TARGET, *more)[0]
    np.testing.assert_array_equal(after.c, again.c)
    np.testing.assert_array_equal(state.c, np.ones((3, 2)))


GRAPHS = {
    "renewal": {"renewal"},
    "paper": {"seeds", "walk"},
    "langevin": {"splitting", "chains"},
}


@pytest.mark.parametrize("method", GRAPHS)
def test_one_trace_however_many_neurons(band, method):
    networks = worlds.tiny_networks()
    for unit in (0, 2):
        settings = Settings(n=6, K=4, method=method, seed=unit)
        list(sample(networks, (band(Neuron("fc3", unit)),), settings))
    # The yardstick is one for all neurons, and so is what it reads: encodings alone. Whether a
    # layer repeats itself is no graph, but what was found; it was looked at once.
    others = ("probabilities", "yardstick", "repeats")
    kept = {key: one for key, one in networks._compiled.items() if key[0] not in others}
    assert kept.pop(("look", ())).experimental_get_tracing_count() == 1
    kept = {key[0]: one for key, one in kept.items()}
    kinds = {"read", "look"} | GRAPHS[method]
    assert set(kept) == kinds and len(networks._compiled) == len(kinds) + 5
    for kind, one in kept.items():
        function = one[0] if isinstance(one, tuple) else one
        assert function.experimental_get_tracing_count() == 1, kind


def modules(code):
    """Modules loaded in a process of its own after running the code."""
    text = f"{code}\nimport sys; print(*sys.modules, sep='\\n', file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "code",
    [
        "import tf_inverse.archive, tf_inverse.metrics, tf_inverse.networks.natural, "
        "tf_inverse.band, tf_inverse.report.png, tf_inverse.report.html, tf_inverse.tools.cli",
        "import tf_inverse; tf_inverse.Settings(); tf_inverse.Band; dir(tf_inverse)",
        "from tf_inverse.tools import cli\n"
        "for argv in (['--help'], ['sample', '--help'], ['--version']):\n"
        "    try: cli.main(argv)\n"
        "    except SystemExit as end: assert not end.code",
    ],
    ids=["edges", "package", "help"],
)  # fmt: skip
def test_no_tensorflow_where_it_is_not_needed(code):
    loaded = modules(code)
    assert "tf_inverse" in loaded and not {"tensorflow", "keras"} & loaded


def test_public_names_exist_and_are_documented():
    for name in tf_inverse.__all__:
        thing = getattr(tf_inverse, name)
        assert name == "__version__" or inspect.getdoc(thing), name
    with pytest.raises(AttributeError, match="has no attribute 'volcano'"):
        _ = tf_inverse.volcano
