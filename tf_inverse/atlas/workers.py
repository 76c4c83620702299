"""Groups of an atlas on Ray's workers: processes of this machine, or of a cluster.

Ray starts the processes, tells where one died, and carries messages. What a worker
does is what this process would do: groups are sampled into the same folder, which every machine of
a cluster has to see.
"""

from __future__ import annotations

import importlib
import os
import pathlib
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tf_inverse.atlas import driver, index, plan, work
from tf_inverse.atlas.driver import Progress
from tf_inverse.errors import UsageError, reason

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks

DEATHS = 3
"""Times that a group may kill its worker before it is set aside."""

PATIENCE = 1.0
"""Seconds between two questions whether to stop."""

LOOPBACK = "127.0.0.1"
_LOCAL = {
    # Ray binds its ports to all addresses, unless it believes that no other machine is to come.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # Its first process has half a minute to start, which a busy machine does not always keep to.
    "RAY_gcs_server_port_wait_time_s": "120",
}


class Worker:
    """A process that samples one group after another; Ray makes an actor of it.

    Args:
        folder: Of the atlas.
        network: A name or a folder.
        device: As of `device.choose`.
        trust: As of `storage.load`.
    """

    def __init__(self, folder: str, network: str, device: str, trust: bool) -> None:
        self.folder, self.how = pathlib.Path(folder), (network, device, trust)
        self.networks: Networks | None = None
        self.layer: str | None = None

    def run(self, group: int) -> None:
        """Samples a group; arguments and errors as of `work.run`, and of `published.load`."""
        if self.networks is None:
            from tf_inverse.caffe import published
            from tf_inverse.compute import device as devices

            network, device, trust = self.how
            # Ray shows a worker with a GPU that one alone.
            devices.choose(device)
            self.networks = published.load(network, trust)
        there = plan.read(self.folder)
        if there is None:
            raise UsageError(f"expected an atlas in {self.folder}, as every worker has to see it")
        if self.layer not in (None, there.layer(group)):
            self.networks.forget(self.layer)
        self.layer = there.layer(group)
        work.run(self.folder, there, self.networks, group)


def together(
    how: dict[str, Any],
    progress: Progress,
    workers: int | None = None,
    address: str | None = None,
    stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], object] = lambda text: None,
) -> None:
    """Samples every group that is waiting, on several workers.

    Args:
        how: network, device and trust of `Worker`.
        progress: It is told how each group ended.
        workers: How many; on a cluster by default one a GPU, or one a machine where there is none.
        address: Of a cluster, or None for this machine alone.
        stop: Asked now and then whether to end early.
        say: Called with a line for each worker that died.

    Raises:
        UsageError: Ray is not installed, or no cluster answers.
        KeyboardInterrupt: It was asked to stop; groups that were begun will be begun again.
        StorageError: The disk is full or read-only.
    """
    ray = _started(workers, address)
    try:
        pool = _Pool(ray, how, progress, _count(ray, workers), say)
        while pool.step():
            if stop():
                raise KeyboardInterrupt(driver.STOPPED)
        index.write(progress.folder, progress.records, progress.failed)
    finally:
        ray.shutdown()


def _started(workers: int | None, address: str | None) -> Any:
    """Ray, connected: to a cluster, or to a new one on this machine."""
    # Before it is imported: Ray reads them then.
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    if address is None:
        os.environ.update(_LOCAL)
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError:
        raise UsageError(
            "expected Ray for --workers and --address: pip install 'tf_inverse[atlas]'"
        ) from None
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    local = {"num_cpus": workers, "include_dashboard": False, "_node_ip_address": LOOPBACK}
    try:
        ray.init(address=address or "local", **quiet, **({} if address else local))
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        where = f"a Ray cluster at {address}" if address else "Ray to start"
        raise UsageError(f"expected {where}: {reason(error)}") from error
    return ray


def _count(ray: Any, workers: int | None) -> int:
    gpus = int(ray.cluster_resources().get("GPU", 0))
    alive = sum(1 for node in ray.nodes() if node["Alive"])
    return workers or gpus or alive


class _Pool:
    """Workers, the groups that they sample, and how often each group has killed its worker."""

    def __init__(
        self,
        ray: Any,
        how: dict[str, Any],
        progress: Progress,
        count: int,
        say: Callable[[str], object],
    ) -> None:
        self.ray, self.progress, self.say = ray, progress, say
        gpus = 1 if ray.cluster_resources().get("GPU", 0) >= count and how["device"] != "cpu" else 0
        threads = str(max(1, (os.cpu_count() or 1) // count))
        environment = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "TF_CPP_MIN_LOG_LEVEL": "3"}
        if not gpus:
            environment |= {"TF_NUM_INTRAOP_THREADS": threads, "OMP_NUM_THREADS": threads}
        options = {"num_cpus": 1, "num_gpus": gpus, "runtime_env": {"env_vars": environment}}
        self.actor = ray.remote(Worker).options(**options)
        self.how = {"folder": str(progress.folder.resolve())} | how
        self.idle = [self._new() for _ in range(count)]
        self.left = progress.waiting
        self.deaths = dict.fromkeys(self.left, 0)
        self.running: dict[Any, tuple[Any, int]] = {}

    def step(self) -> bool:
        """Hands out groups, waits a while, and notes those that ended; False once all have."""
        while self.idle and self.left:
            worker, group = self.idle.pop(0), self.left.pop(0)
            self.running[worker.run.remote(group)] = (worker, group)
        if not self.running:
            return False
        ended, _ = self.ray.wait(list(self.running), timeout=PATIENCE)
        for reference in ended:
            worker, group = self.running.pop(reference)
            # In the place of one that died comes a new one, wherever there is room.
            self.idle.append(worker if self._lived(reference, group) else self._new())
        return True

    def _new(self) -> Any:
        return self.actor.remote(**self.how)

    def _lived(self, reference: Any, group: int) -> bool:
        """Notes how a group ended; whether its worker still lives."""
        errors = self.ray.exceptions
        try:
            self.ray.get(reference)
        except errors.RayTaskError as error:
            self.progress.ended(group, error.cause)
        except errors.RayError:
            self._died(group)
            return False
        else:
            self.progress.ended(group)
        return True

    def _died(self, group: int) -> None:
        self.deaths[group] += 1
        if self.deaths[group] < DEATHS:
            self.say(f"the worker of group {group} died; the group is begun again")
            self.left.append(group)
            return
        text = f"its group killed its worker {DEATHS} times; the same command tries it again"
        self.progress.ended(group, _Killed(text))


class _Killed(Exception):
    """A group that kills its workers."""
