"""SavedModels of TensorFlow 1 that hold several graphs."""

import numpy as np
import pytest
import tensorflow as tf

from tf_inverse.adopt import loading
from tf_inverse.layers import saved_tags

v1 = tf.compat.v1


def write(folder, tags):
    """A SavedModel with a graph for each list of tags, which gives its number times the image."""
    builder = v1.saved_model.Builder(str(folder))
    for number, own in enumerate(tags):
        with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
            x = v1.placeholder(tf.float32, (None, 2, 2, 3), "x")
            factor = v1.get_variable("factor", initializer=1.0)
            y = tf.reshape(x, (-1, 12)) * factor * float(number)
            session.run(v1.global_variables_initializer())
            signature = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
            named = {"signature_def_map": {"serving_default": signature}}
            if number:
                builder.add_meta_graph(own, **named)
            else:
                builder.add_meta_graph_and_variables(session, own, **named)
    builder.save()
    return folder


@pytest.mark.parametrize(
    ("tags", "number"),
    [
        ([["train"], ["serve"]], 1),
        ([["train"], []], 1),
        ([["train"], ["serve", "tpu"], ["serve"]], 2),
        ([["serve"], ["train"]], 0),
    ],
)
def test_the_graph_that_serves_is_taken(tags, number, tmp_path):
    folder = write(tmp_path / "model", tags)
    f = loading.open(folder, "classifier", trust=True).model
    x = np.random.default_rng(0).uniform(0, 255, (3, 2, 2, 3)).astype("f4")
    np.testing.assert_allclose(f(x), number * x.reshape(3, 12), rtol=1e-6)


def test_one_graph_is_taken_whatever_its_tags(tmp_path):
    assert saved_tags.chosen(write(tmp_path / "one", [["train"]])) is None
    (tmp_path / "bad").mkdir()
    assert saved_tags.chosen(tmp_path / "bad") is None
    (tmp_path / "bad" / "saved_model.pb").write_bytes(b"\xff" * 9)
    assert saved_tags.chosen(tmp_path / "bad") is None
