"""How many codes at a time: the rule, the bound on memory, and the command."""

import math

import keras
import pytest
import worlds
from commands import Child

from tf_inverse.archive import open as open_archive
from tf_inverse.compute import capacity, device


def test_a_tenth_of_the_samples_in_half_of_the_memory(tiny):
    row = capacity.row_bytes(tiny, (worlds.NEURON.layer,))
    for n, memory, K in (
        (500, 1e12, 50),
        (500, 2 * 30 * row + row, 30),
        (500, row, 10),
        (20, 1e12, 10),
        (5000, 1e12, 500),
    ):
        assert capacity.suggest(tiny, (worlds.NEURON.layer,), n, int(memory)) == K


def outputs(model):
    """Bytes of what the layers of a functional model put out for one image, summed naively."""
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    return 4 * sum(math.prod(layer.output.shape[1:]) for layer in layers)


def test_no_less_than_all_layers_put_out_there_and_back(tiny):
    """Every output and its gradient at least; weights, which K does not multiply, are not in it."""
    least = 2 * (outputs(tiny.generator) + outputs(tiny.classifier))
    assert least <= capacity.row_bytes(tiny, (tiny.classifier.layers[-1].name,)) <= 20 * least


def test_memory_of_this_machine():
    with open("/proc/meminfo") as lines:
        total = int(next(lines).split()[1]) * 1024
    assert device.memory() == pytest.approx(min([total, *device.allowed()]), rel=0.01)


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        ("0::/job/step", {"job/memory.max": "4096", "job/step/memory.max": "max"}, [4096]),
        ("0::/../elsewhere", {"memory.max": "5000"}, [5000]),  # a container's own root
        (
            "9:cpu:/a\n4:cpuacct,memory:/docker/1f\n0::/",
            {"memory/memory.limit_in_bytes": "7000", "cpu/a/memory.limit_in_bytes": "1"},
            [7000],
        ),
        ("0::/", {}, []),
    ],
)
def test_memory_that_a_container_may_have(tmp_path, monkeypatch, groups, limits, expected):
    """Limits as Linux writes them, of version 2 and of version 1 (cgroups(7), memory.rst)."""
    listed = tmp_path / "cgroup"
    listed.write_text(groups)
    for name, text in limits.items():
        file = tmp_path / "fs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    found = device.allowed(listed, tmp_path / "fs")
    assert found == expected and device.allowed(tmp_path / "none") == []
    monkeypatch.setattr(device, "allowed", lambda: found)
    assert device.memory() <= min(found, default=math.inf)


def test_memory_of_a_gpu(monkeypatch):
    from tensorflow.python.client import device_lib

    class One:
        def __init__(self, device_type, memory_limit):
            self.device_type, self.memory_limit = device_type, memory_limit

    both = [One("CPU", 1 << 40), One("GPU", 80 << 30)]
    monkeypatch.setattr(device, "on_gpu", lambda: True)
    monkeypatch.setattr(device_lib, "list_local_devices", lambda: both)
    assert device.memory() == 80 << 30


def test_the_command_says_what_it_chose_and_keeps_it(tmp_path):
    words = ("sample", "a.h5", "--n=120", "--targets=fc8:ship@p50:p90")
    code, _, said = Child(*words, cwd=tmp_path).ended()
    assert code == 0 and "12 codes at a time" in said
    with open_archive(tmp_path / "a.h5") as archive:
        assert archive.settings["K"] == 12 and len(archive) == 120
