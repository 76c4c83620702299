"""`import tf_inverse` alone lets Keras load our files, and itself waits for no Keras."""

import functools
import pathlib
import subprocess
import sys

import keras
import pytest
from commands import Child

from tf_inverse.layers import caffe_layers, fork_layers, pixels

ROOT = pathlib.Path(__file__).parents[2]
HEAVY = "assert not {'keras', 'tensorflow'} & set(sys.modules)"
# TensorFlow looks for Keras before it imports it: the hook must outlast that.
BEFORE = f"import sys, tf_inverse; {HEAVY}; import tensorflow as tf; tf.keras"
AFTER = "import sys, tf_inverse"
LOAD = """
import keras, numpy as np
print(keras.saving.load_model(sys.argv[1])(np.float32([[[[-3, 0, 300]]]])))
"""
LOADED = "[[[[-1.  0.  7.]]]]"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    image = keras.Input((1, 1, 3))
    x = pixels.FromPixels("rgb", (3,), name="pixels")(image)
    x = caffe_layers.Power(1.0, 2.0, 0.0, name="twice")(x)
    path = tmp_path_factory.mktemp("model") / "m.keras"
    keras.Model(image, fork_layers.Clip(-1.0, 7.0, name="clip")(x)).save(path)
    return path


def test_keras_loads_our_files_after_import_tf_inverse_alone(file):
    command = [sys.executable, "-c", BEFORE + LOAD, str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert LOADED in done.stdout


def test_keras_that_was_imported_first_loads_our_files(file):
    """In a process that began with Keras, and then imported the command, as it happens."""
    code, out, errors = Child(file, cwd=ROOT, main=functools.partial(exec, AFTER + LOAD)).ended()
    assert code == 0, errors[-2000:]
    assert LOADED in out


def test_a_failed_import_of_keras_may_be_tried_again(tmp_path):
    """The hook neither hides an error of Keras's nor comes in the way afterwards."""
    (tmp_path / "keras.py").write_text("raise OSError('broken')")
    code = (
        "import sys, tf_inverse\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "for _ in range(2):\n"
        "    try:\n"
        "        import keras\n"
        "    except OSError as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "broken\nbroken\n", done.stderr
