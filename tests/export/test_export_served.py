"""An export as a server of TensorFlow's runs it: a session, tensors by name, JSON requests."""

import dataclasses
import functools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import worlds
from tensorflow.core.protobuf import config_pb2

from tf_inverse import export
from tf_inverse.band import parse
from tf_inverse.export.inputs import question
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings
from tf_inverse.networks.codes import Codes

LAYERS = ("fc3", "conv1")
rng = np.random.default_rng(0)


@pytest.fixture(scope="module")
def networks():
    return worlds.tiny_networks()


@pytest.fixture(scope="module")
def server(networks, tmp_path_factory):
    """(signature, JSON request in columns) -> outputs, without any help of Python's session."""
    out = tmp_path_factory.mktemp("export") / "tiny"
    export.write(networks, out, LAYERS)
    graph = tf.Graph()
    with graph.as_default():
        session = tf.compat.v1.Session()
        model = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(out / "1"))

    @functools.cache
    def entry(signature):
        """The runtime's own entry: it converts and checks nothing before the graph does."""
        served, options = model.signature_def[signature], config_pb2.CallableOptions()
        options.feed.extend(one.name for one in served.inputs.values())
        options.fetch.extend(served.outputs[name].name for name in sorted(served.outputs))
        return session._make_callable_from_options(options)

    def predict(signature, request, kinds=None):
        served = model.signature_def[signature]
        values = {}
        for name, tensor in served.inputs.items():
            kind = (kinds or {}).get(name) or tf.as_dtype(tensor.dtype).as_numpy_dtype
            values[name] = np.array(json.loads(request)["inputs"][name], kind)
        return dict(zip(sorted(served.outputs), entry(signature)(*values.values()), strict=True))

    yield predict
    session.close()


def asked(**changes):
    """A request for unit 2 of fc3, and changes to it."""
    request = {
        "neurons": [[0, 2, 0, 0]],
        "ranges": [[-0.5, 0.5]],
        "sd": [0],
        "codes": rng.standard_normal((60, 6)).tolist(),
        "aims": rng.random((60, 1)).tolist(),
        "rows": 4,
        "count": 5,
        "limit": 300,
    }
    return json.dumps({"inputs": request | changes})


def test_requests_in_json(networks, server):
    x = rng.integers(0, 256, (2, 8, 8, 3))
    request = {"images": x.tolist(), "neurons": [[0, 3, 0, 0], [1, 4, 2, 5]]}
    z = server("activations", json.dumps({"inputs": request}))["activations"]
    outputs = [networks.classifier.get_layer(name).output for name in ("fc3", "conv1")]
    model = keras.Model(networks.classifier.input, outputs)
    fc3, conv1 = (np.asarray(h) for h in model(x.astype("f4")))
    np.testing.assert_allclose(z, np.stack([fc3[:, 3], conv1[:, 2, 5, 4]], 1), rtol=1e-4, atol=1e-5)
    for signature in ("sample", "serving_default"):
        found = server(signature, asked())
        assert found["found"] == 5 == len(found["images"]) and found["images"].dtype == np.uint8
        z = networks.classifier(found["images"].astype("f4")).numpy()[:, 2]
        assert (abs(z) <= 0.5).all()
        np.testing.assert_array_equal(found["images"], worlds.images(networks, found["codes"]))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ranges": [[0, 1, 2]]}, r"sample_ranges.* \[1,3\] is not compatible .* \[\?,2\]"),
        ({"codes": [[0.0] * 5] * 60}, r"sample_codes.* \[60,5\] is not compatible .* \[\?,6\]"),
        ({"neurons": [[0, 2]]}, "sample_neurons.* is not compatible"),
        (
            {"neurons": [[0, 4, 0, 0]]},
            r"expected neurons \[layer, unit, row, column\] of fc3, conv",
        ),
        ({"ranges": [[1, -1]]}, "expected finite ranges with z1 < z2"),
        ({"ranges": [[float("nan"), 1]]}, "expected finite ranges with z1 < z2"),
        ({"sd": [0, 0]}, "an sd and a column of aims for each neuron"),
        ({"aims": [[0, 0]] * 60}, "an sd and a column of aims for each neuron"),
        ({"aims": [[0]] * 3}, "expected a row of aims for each row of codes"),
        ({"aims": [[float("nan")]] * 60}, "expected aims from 0 to 1, got"),
        ({"aims": [[1.5]] * 60}, "expected aims from 0 to 1, got"),
        ({"count": -1}, "expected count >= 0, got"),
        ({"rows": 0}, "expected neurons, rows, and at least as many codes"),
        ({"rows": 61}, "expected neurons, rows, and at least as many codes"),
    ],
)
def test_what_does_not_belong_together_is_refused(server, changes, words):
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        server("sample", asked(**changes))


@pytest.mark.parametrize("signature", ["generate", "look"])
def test_codes_that_are_no_numbers_give_no_image(server, signature):
    codes = [[0.0] * 6, [0.0] * 5 + [float("nan")]]
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected finite codes, got"):
        server(signature, asked(codes=codes))


@pytest.mark.parametrize(("name", "kind"), [("neurons", np.int64), ("codes", np.float64)])
def test_wrong_type_is_refused(server, name, kind):
    with pytest.raises(tf.errors.InvalidArgumentError, match="Type mismatch"):
        server("sample", asked(), {name: kind})


def test_state_that_does_not_belong_together_is_refused(server):
    state = {"c": np.zeros((3, 6)), "lam": np.zeros((3, 2)), "mu": np.ones((3, 1))}
    state |= {"t": np.zeros((3, 1)), "age": np.zeros(3), "given": np.zeros(3)}
    state |= {"short": np.zeros((3, 1)), "stride": np.zeros(3), "nearest": np.zeros(3)}
    state |= {"since": np.zeros(3)}
    state |= {"total": np.zeros(7), "found": np.zeros(()), "step": np.zeros(())}
    inputs = json.loads(asked())["inputs"] | {k: v.tolist() for k, v in state.items()}
    assert server("step", json.dumps({"inputs": inputs}))["step"] == 1
    for changes, words in (
        ({"mu": [[1]] * 2}, "as many rows in lam, mu, t, age, given, short, .* as in c"),
        ({"since": [0] * 2}, "as many rows in lam, mu, .* nearest, since as in c"),
        ({"t": [[0, 0]] * 3}, "a column of t and short for each neuron"),
        ({"short": [[0, 0]] * 3}, "a column of t and short for each neuron"),
        ({"lam": [[0]] * 3}, "a column of lam for each neuron and side"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=words):
            server("step", json.dumps({"inputs": inputs | changes}))


def test_the_librarys_question_gets_the_librarys_answer(networks, server):
    bands, settings = parse("fc3:ship@-0.4:0.6", networks), Settings(n=6, K=4, seed=3)
    given = question(networks, LAYERS, bands, settings)
    request = json.dumps({"inputs": {name: value.tolist() for name, value in given.items()}})
    found = server("sample", request)
    batches = [b.samples for b in sample(networks, bands, settings)]
    for name in ("images", "codes", "activations"):
        expected = np.concatenate([getattr(b, name) for b in batches])
        np.testing.assert_array_equal(found[name], expected, name)


def test_codes_of_a_bank_lie_beside_the_model(tmp_path, networks):
    bank = rng.standard_normal((9, 6)).astype("f4")
    natural = worlds.natural(networks, 40).of_other_images(bank, bank)
    changes = {"codes": Codes("bank", 6), "natural": natural}
    export.write(dataclasses.replace(networks, **changes), tmp_path / "out")
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "starts.npy"), bank)
    assert "any rows of starts.npy" in (tmp_path / "out" / "README.md").read_text()
