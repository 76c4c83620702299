"""A run that was interrupted, and carried on, is the same bytes as one that was not."""

import os
import signal
import time

import numpy as np
import pytest
import worlds
from commands import Child

from tf_inverse import archive
from tf_inverse.band import Band, Neuron
from tf_inverse.errors import UsageError
from tf_inverse.method.settings import Settings
from tf_inverse.networks import storage
from tf_inverse.run import command

UNIT = 2
METHODS = {"renewal": {}, "paper": {"method": "paper"}, "choice": {"candidates": 2}}

# A network that is loaded anew has graphs of its own: processes of their own go on below.
pytestmark = pytest.mark.usefixtures("loaded_once")


class Killed(BaseException):
    """In place of a kill: nothing between the append and the end of the process is done."""


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A tiny pair on disk."""
    made = worlds.tiny_networks()
    parts = {name: getattr(made, name) for name in ("classifier", "generator", "encoder", "codes")}
    return storage.save(tmp_path_factory.mktemp("pair") / "tiny", name="tiny", **parts)


@pytest.fixture(scope="module")
def networks(network, remembering):
    return remembering(network)


@pytest.fixture(scope="module")
def bands(networks):
    """The upper third of what random codes give."""
    codes = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
    neuron = Neuron("fc3", UNIT)
    z = networks.look(codes, ("fc3",), np.array([[UNIT, 0, 0]], np.int32)).z.numpy()
    return (Band(neuron, *(float(q) for q in np.quantile(z, (0.6, 0.9)))),)


def run(path, networks, bands, n=24, method="renewal", **options):
    settings = Settings(n=n, K=4, seed=5, **METHODS[method])
    return command.run(path, networks, bands, settings, as_json=True, **options)


@pytest.fixture(scope="module")
def whole(networks, bands, tmp_path_factory):
    """method -> bytes of the uninterrupted run of 24 samples, and its number of batches."""
    return {method: counted(tmp_path_factory, networks, bands, method) for method in METHODS}


def counted(tmp_path_factory, networks, bands, method):
    path = tmp_path_factory.mktemp(method) / "a.h5"
    count, real = [], archive.Writer.append
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive.Writer, "append", lambda *a: (count.append(1), real(*a)))
        run(path, networks, bands, method=method)
    return path.read_bytes(), len(count)


def interrupt(monkeypatch, name, at):
    """The at-th call of a method of Writer ends the process after (append) or before (finish)."""
    real, calls = getattr(archive.Writer, name), []

    def call(*arguments):
        calls.append(1)
        if name == "append":
            real(*arguments)
        if len(calls) == at:
            raise Killed
        return real(*arguments) if name != "append" else None

    monkeypatch.setattr(archive.Writer, name, call)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_resumed_equals_uninterrupted(
    tmp_path, network, networks, bands, whole, method, share, monkeypatch
):
    expected, batches = whole[method]
    at = 1 + round(share * (batches - 1))
    with monkeypatch.context() as patch, pytest.raises(Killed):
        interrupt(patch, "append", at)
        run(tmp_path / "a.h5", networks, bands, method=method)
    assert not (tmp_path / "a.h5").exists()
    assert command.resume(tmp_path / "a.h5", network=network, as_json=True) == 0
    assert (tmp_path / "a.h5").read_bytes() == expected


def test_killed_before_the_end_alone(tmp_path, network, networks, bands, whole, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        interrupt(patch, "finish", 1)
        run(tmp_path / "a.h5", networks, bands)
    assert command.resume(tmp_path / "a.h5.run", network=network, as_json=True) == 0
    assert (tmp_path / "a.h5").read_bytes() == whole["renewal"][0]


@pytest.mark.parametrize("method", METHODS)
def test_n_raised(tmp_path, network, networks, bands, whole, method):
    run(tmp_path / "a.h5", networks, bands, n=10, method=method)
    with pytest.raises(FileExistsError, match="finished with 10 samples; ask for more: --n"):
        command.resume(tmp_path / "a.h5", network=network)
    with pytest.raises(UsageError, match="--n of at least 10, got 5"):
        command.resume(tmp_path / "a.h5", n=5, network=network)
    assert command.resume(tmp_path / "a.h5", n=24, network=network, as_json=True) == 0
    assert (tmp_path / "a.h5").read_bytes() == whole[method][0]


def test_settings_that_came_later_are_told_where_they_were_changed():
    """Archives of a run as it was before them keep their bytes, and are carried on alike."""
    plain = Settings(n=10, K=4, seed=5, starts="random")
    assert not {"candidates", "starts"} & set(plain.asdict())
    changed = Settings(candidates=2, starts="near").asdict()
    assert (changed["candidates"], changed["starts"]) == (2, "near")


def test_other_weights_are_refused(tmp_path, networks, bands, tmp_path_factory):
    run(tmp_path / "a.h5", networks, bands, n=10)
    made = worlds.tiny_networks(seed=1)
    parts = {name: getattr(made, name) for name in ("classifier", "generator", "encoder", "codes")}
    other = storage.save(tmp_path / "other", name="tiny", **parts)
    with pytest.raises(UsageError, match=r"checksums.classifier.keras: .* there, .* now"):
        command.resume(tmp_path / "a.h5", n=24, network=other)
    assert len(archive.open(tmp_path / "a.h5")) == 10


def test_commands_and_sigterm(tmp_path, network, networks, bands):
    """`sample` stopped with SIGTERM and carried on with `resume` equals a run in this process."""
    out, n = tmp_path / "a.h5", 300
    (band,) = bands
    target = f"{band.neuron}@{band.z1!r}:{band.z2!r}"
    options = ["--K=4", "--seed=5", f"--network={network}", f"--targets={target}", f"--n={n}"]
    options.append("--precision=float32")  # as in this process, whatever the machine has
    sampling = Child("sample", out, *options, cwd=tmp_path)
    shard = tmp_path / "a.h5.run" / "shard-00000002.h5"
    while sampling.running() and not shard.exists():
        time.sleep(0.02)
    sampling.signal(signal.SIGTERM)
    code, _, said = sampling.ended()
    assert code == 143, said
    assert f"tf-inverse resume {out} goes on" in said
    assert 0 < len(archive.open(out)) < n
    code, _, said = Child("resume", out, f"--network={network}", cwd=tmp_path).ended()
    assert code == 0, said
    run(tmp_path / "b.h5", networks, bands, n=n)
    assert out.read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["a.h5", "a.png", "b.h5", "b.png"]
