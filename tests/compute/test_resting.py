"""Weights at rest are what they were for every reader, and take no memory in between."""

import errno
import os

import keras
import numpy as np
import pytest
import worlds

from tf_inverse.compute import arithmetic, resting

smaps = pytest.mark.skipif(
    not os.path.exists("/proc/self/smaps"), reason="the system does not tell what is in memory"
)


@pytest.fixture
def networks(monkeypatch):
    """A pair whose generator is thought large, before it is searched in half precision."""
    monkeypatch.setattr(resting, "LEAST", 1)
    return worlds.tiny_networks()


def test_a_generator_rests_and_is_what_it_was(networks):
    before, codes = networks.generator.get_weights(), np.ones((2, networks.codes.size), "f4")
    images = networks.decode(codes).numpy()
    digest = arithmetic.digest(networks.generator)
    networks.at("bfloat16")
    resting_ones = [hasattr(one, resting.PLACE) for one in networks.generator.weights]
    assert resting_ones == [len(one.shape) > 1 for one in networks.generator.weights]
    assert not any(hasattr(one, resting.PLACE) for one in networks.classifier.weights)
    for found, expected in zip(networks.generator.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(networks.decode(codes), images)
    assert arithmetic.digest(networks.generator) == digest


def test_a_generator_at_rest_can_be_trained(networks):
    lower, codes = networks.at("bfloat16"), np.ones((1, networks.codes.size), "f4")
    kernel = next(one for one in networks.generator.weights if hasattr(one, resting.PLACE))
    before, dark = kernel.numpy(), lower.decode(codes).numpy() - 128
    kernel.assign(before * 4)
    assert networks.at("bfloat16") is lower
    np.testing.assert_allclose(lower.decode(codes).numpy() - 128, 4 * dark, rtol=1e-3, atol=1e-3)
    keras.optimizers.SGD(0.5).apply([np.full(kernel.shape, 2.0, "f4")], [kernel])
    np.testing.assert_array_equal(kernel.numpy(), before * 4 - np.float32(1))


def in_memory(variable):
    """Kilobytes of a variable's file that are in memory, as the system counts them."""
    start = np.frombuffer(getattr(variable, resting.PLACE), np.uint8).ctypes.data
    with open("/proc/self/smaps") as lines:
        for line in lines:
            if line.startswith(f"{start:x}-"):
                break
        return int(next(line for line in lines if line.startswith("Rss:")).split()[1])


@smaps
def test_what_rests_takes_memory_only_while_it_is_read(monkeypatch):
    monkeypatch.setattr(resting, "LEAST", 1)
    variable = keras.Variable(np.ones((256, 1024), "f4"))
    resting.lay([variable])
    assert in_memory(variable) == 0
    assert float(keras.ops.sum(variable)) == 256 * 1024 and in_memory(variable) == 1024
    resting.drop(variable)
    assert in_memory(variable) == 0


def test_without_room_for_a_file_weights_stay_where_they_are(networks, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    before = networks.generator.get_weights()
    networks.at("bfloat16")
    assert not any(hasattr(one, resting.PLACE) for one in networks.generator.weights)
    for found, expected in zip(networks.generator.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_small_weights_are_left_alone():
    variable = keras.Variable(np.ones((4, 4), "f4"))
    resting.lay([variable])
    resting.drop(variable)
    assert not hasattr(variable, resting.PLACE)
