"""Workers of an atlas: Ray's own, one of them killed; and by whom groups are set aside."""

import importlib.util
import os
import signal
import socket
import types

import pytest

from tf_inverse.archive import atlas_index
from tf_inverse.atlas import driver, index, plan, targets, workers
from tf_inverse.errors import UsageError
from tf_inverse.method.settings import Settings
from tf_inverse.networks import storage


@pytest.fixture(scope="module")
def network(tiny_folder):
    return tiny_folder


def made(folder, network, n=3):
    """An atlas of two layers, of which nothing is sampled yet: its progress."""
    pair = storage.load(network)
    found, of = targets.of_layers(pair, ["fc3", "conv1"], "centre", False)
    there = plan.make(pair, {}, Settings(n=n, K=6, patience=20), "images", found, of)
    plan.write(folder, there)
    return driver.Progress(folder, index.Records(folder, there), range(len(there.groups)))


@pytest.fixture(scope="module")
def alone(network, tmp_path_factory):
    """The same atlas, sampled by one process: its progress, and what that was shown as it went."""
    progress, shown = made(tmp_path_factory.mktemp("alone") / "atlas", network), []
    progress.show = lambda done, total: shown.append((done, total))
    driver.alone(storage.load(network), progress)
    return progress, shown


def test_progress_counts_what_is_found_of_targets_that_are_not_done(alone):
    progress, shown = alone
    done, totals = zip(*shown, strict=True)
    assert set(totals) == {sum(map(len, progress.records.groups))}
    assert done[0] == 0 and done[-1] == totals[0] and list(done) == sorted(done)
    assert any(part % 1 for part in done)


def sums(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.glob("*/*.h5"))}


def test_two_workers_one_killed_sample_what_one_process_does(network, alone, tmp_path):
    if importlib.util.find_spec("ray") is None:  # which is imported later, once its ports are told
        pytest.skip("needs the extra [atlas]")
    progress, killed, said = made(tmp_path / "many", network), [], []

    def stop():
        """No; but the first worker that holds a group is killed."""
        for lock in (tmp_path / "many" / plan.GROUPS).glob("*.lock"):
            holder = lock.read_text().strip() if lock.name != plan.LOCK else ""
            if holder and not killed and int(holder) != os.getpid():
                killed.append(int(holder))
                os.kill(int(holder), signal.SIGKILL)
        return False

    how = {"network": str(network), "device": "cpu", "trust": False}
    workers.together(how, progress, 2, stop=stop, say=said.append)
    assert killed and len(said) == 1 and "died" in said[0] and not progress.failed
    assert sums(tmp_path / "many") == sums(alone[0].folder)
    assert {u["state"] for u in atlas_index.read(tmp_path / "many")["units"]} == {"done"}


class Dead(Exception):
    """A worker's process is gone."""


class Raised(Exception):
    """A worker's function raised an error: its cause."""


class FakeRay:
    """What `workers` asks of Ray, in this process; a group of `fates` raises what stands there."""

    exceptions = types.SimpleNamespace(RayError=Dead, RayTaskError=Raised)

    def __init__(self, fates):
        self.fates, self.asked = fates, []

    def cluster_resources(self):
        return {"CPU": 2.0}

    def remote(self, cls):
        return self

    def options(self, **given):
        actor = types.SimpleNamespace(run=types.SimpleNamespace(remote=self._asked))
        return types.SimpleNamespace(remote=lambda *_, **__: actor)

    def _asked(self, group):
        self.asked.append(group)
        return len(self.asked) - 1, group

    def wait(self, references, timeout):
        return references[:1], references[1:]

    def get(self, reference):
        if fate := self.fates.get(reference[1]):
            raise fate


def test_a_group_that_kills_its_workers_is_set_aside_and_holds_nobody_up(network, tmp_path):
    progress = made(tmp_path / "atlas", network)
    error = Raised()
    error.cause = RuntimeError("out of memory")
    ray = FakeRay({0: Dead(), 1: error})
    how = {"network": str(network), "device": "cpu", "trust": False}
    pool = workers._Pool(ray, how, progress, 2, lambda text: None)
    while pool.step():
        pass
    assert sorted(ray.asked) == [0, 0, 0, 1]
    assert "killed its worker 3 times" in progress.failed[0]
    assert "out of memory" in progress.failed[1]
    found = index.build(progress.folder, progress.records, progress.failed)
    states = [unit["state"] for unit in found["units"]]
    assert states == ["failed"] * 9


def test_an_error_of_the_users_ends_all(network, tmp_path):
    error = Raised()
    error.cause = UsageError("expected a layer")
    progress = made(tmp_path / "atlas", network)
    how = {"network": str(network), "device": "cpu", "trust": False}
    pool = workers._Pool(FakeRay({0: error}), how, progress, 1, lambda text: None)
    with pytest.raises(UsageError, match="expected a layer"):
        while pool.step():
            pass


def test_an_address_where_nobody_answers_is_told_at_once():
    """Of a port that was free a moment ago; Ray alone would try for minutes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(UsageError, match=f"expected a Ray cluster at {address}: .*refused"):
        workers._started(None, address)
