"""What a library says of a fault, as one line that holds its reason."""

import json

import keras
import pytest

from tf_inverse.errors import reason


def refusal(settings):
    """What Keras says of a Sequential model whose Dense layer has these settings."""
    layer = {"module": "keras.layers", "class_name": "Dense", "config": settings}
    config = {"name": "s", "layers": [layer]}
    with pytest.raises(Exception) as raised:
        keras.models.model_from_json(
            json.dumps({"module": "keras", "class_name": "Sequential", "config": config})
        )
    return raised.value


def test_the_cause_at_the_end_of_what_keras_says():
    error = refusal({"units": 2, "wrong": 1})
    assert len(str(error)) > 900
    assert reason(error) == "Unrecognized keyword arguments passed to Dense: {'wrong': 1}"


def test_one_endless_word_leaves_room_for_the_others():
    said = reason(refusal({"units": 2, "wrong": "x" * 2000}))
    assert said.startswith("Unrecognized keyword arguments passed to Dense: {'wrong': 'xxx")
    assert len(said) < 150


def test_what_keras_was_given_is_left_out():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError) as raised:
        model(keras.ops.zeros((1, 5)))
    assert "Arguments received" in str(raised.value) and "\x1b" in str(raised.value)
    said = reason(raised.value)
    assert said.endswith("to have value 3, but received input with shape (1, 5)")
    assert "\x1b" not in said


def test_whole_words_and_never_nothing():
    assert reason(ValueError("one two\n  three four"), most=12) == "... three four"
    assert reason(ValueError("one two\n  three four"), most=9) == "... four"
    assert reason(KeyError()) == "KeyError"
