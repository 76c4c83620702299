"""A long process does not grow: the tool's verdict on the tiny pair, and on one that leaks."""

import json
import sys

import growth
import pytest
from commands import Child

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def leaking():
    """The tool, in a process that keeps 3 MB for every neuron."""
    from tf_inverse.method import loops

    kept, real = [], loops.index
    loops.index = lambda neurons: kept.append(bytearray(b"x" * 3_000_000)) or real(neurons)
    return growth.main()


def grown(main, *flags, cwd):
    code, out, errors = Child(*flags, cwd=cwd, main=main).ended()
    assert out, errors
    return code, json.loads(out)


def test_200_neurons_take_no_more_memory_than_20(tiny_folder, tmp_path):
    flags = ("--layers=fc3,conv1", "--neurons=200", "--json", f"--network={tiny_folder}")
    code, figures = grown(growth.main, *flags, cwd=tmp_path)
    assert code == 0 and figures["neurons"] == 200 and figures["samples"] > 200
    assert figures["ratio"] == pytest.approx(1.0, abs=0.05)


def test_a_leak_of_a_few_megabytes_a_neuron_is_found(tiny_folder, tmp_path):
    flags = ("--layers=conv1", "--neurons=40", "--json", f"--network={tiny_folder}", "--n=1")
    code, figures = grown(leaking, *flags, cwd=tmp_path)
    assert code == 1 and figures["ratio"] > 1.05
