"""A long process does not grow: the tool's verdict on the tiny pair, and on one that leaks."""

import json
import pathlib
import subprocess
import sys

import pytest

TOOL = pathlib.Path(__file__).parents[2] / "tools" / "dev" / "growth.py"
LEAK = """
import runpy, sys
from tf_inverse.method import loops
kept, real = [], loops.index
loops.index = lambda neurons: kept.append(bytearray(b"x" * 3_000_000)) or real(neurons)
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def grown(*command):
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_200_neurons_take_no_more_memory_than_20(tiny_folder):
    flags = ("--layers=fc3,conv1", "--neurons=200", "--json", f"--network={tiny_folder}")
    code, figures = grown(TOOL, *flags)
    assert code == 0 and figures["neurons"] == 200 and figures["samples"] > 200
    assert figures["ratio"] == pytest.approx(1.0, abs=0.05)


def test_a_leak_of_a_few_megabytes_a_neuron_is_found(tiny_folder):
    flags = ("--layers=conv1", "--neurons=40", "--json", f"--network={tiny_folder}", "--n=1")
    code, figures = grown("-c", LEAK, str(TOOL), *flags)
    assert code == 1 and figures["ratio"] > 1.05
