"""The image as it is stored: one function, and a verifier with an opinion of its own."""

import ast
import pathlib

import numpy as np
import tensorflow as tf

from tf_inverse.networks.stored_image import eight_bits, stored

PACKAGE = pathlib.Path(__file__).resolve().parents[2] / "tf_inverse"
# Also the verifier, noise that is encoded as it is drawn, without rounding, and the sheet of a
# training, which may run where there is no TensorFlow.
PLACES = {f"networks/{name}.py" for name in ("stored_image", "codes", "code_law")} | {
    "run/verify.py",
    "training/generator.py",
}


def test_values_against_a_naive_loop():
    x = np.array([-300.0, -0.5, -0.49, 0.5, 1.5, 2.5, 3.49, 254.5, 255.5, 1e9, 17.0], np.float32)
    expected = [round(min(max(float(v), 0.0), 255.0)) for v in x]  # Python rounds half to even too
    assert eight_bits(tf.constant(x)).numpy().tolist() == expected
    found = stored(x.reshape(1, 1, 11, 1))
    assert found.dtype == np.uint8 and found.ravel().tolist() == expected


def test_gradients_pass_where_values_are_cut_off():
    x = tf.constant([-10.0, 3.3, 400.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(eight_bits(x) * [1.0, 2.0, 3.0])
    assert tape.gradient(y, x).numpy().tolist() == [1.0, 2.0, 3.0]


def test_no_other_place_spells_it():
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in (
                "clip",
                "clip_by_value",
                "minimum",
            ):
                numbers = [one.value for one in node.args if isinstance(one, ast.Constant)]
                if 255 in numbers:
                    found.add(path.relative_to(PACKAGE).as_posix())
    assert found == PLACES
