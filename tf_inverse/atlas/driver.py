"""All groups of an atlas, one after another in this process, or many at a time on Ray's workers."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Callable, Iterable
from concurrent import futures
from typing import TYPE_CHECKING

from tf_inverse.archive import LockedError
from tf_inverse.atlas import index, work
from tf_inverse.atlas.index import Records
from tf_inverse.compute import device as devices
from tf_inverse.errors import InverseSetError, reason

if TYPE_CHECKING:
    from tf_inverse.atlas.plan import Plan
    from tf_inverse.networks.networks import Networks

SHARE = 20
"""The index of a large atlas is made again after so many times as long as it took to make."""

LANES = 2
"""Groups that this process samples at a time on a CPU; more of them would take memory alone."""

STOPPED = "stopped before all groups were done"


class Progress:
    """How the groups are going, for whoever shows it, and what was set aside.

    Args:
        folder: Of the atlas.
        records: What became of its groups.
        groups: Numbers of the groups that are this process's.
        show: Called with the targets that are done and with all of them.

    Attributes:
        failed: Groups that were set aside, and why.
        elsewhere: Groups that other processes were sampling.
        done: Groups that are done.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        records: Records,
        groups: Iterable[int],
        show: Callable[[float, int], object] = lambda done, total: None,
    ) -> None:
        self.folder, self.records, self.groups, self.show = folder, records, list(groups), show
        self.done = {group for group in self.groups if records.of(group) is not None}
        self.failed: dict[int, str] = {}
        self.elsewhere: list[int] = []
        self._written, self._cost = time.monotonic(), 0.0

    @property
    def waiting(self) -> list[int]:
        """Groups that are neither done nor set aside nor somebody else's."""
        left = self.done | set(self.failed) | set(self.elsewhere)
        return [group for group in self.groups if group not in left]

    def ended(self, group: int, error: BaseException | None = None) -> None:
        """Notes how a group ended, and makes the index anew.

        Args:
            group: Its number.
            error: Why it is not done, or None.

        Raises:
            Exception: The error, where it would end every other group as well.
        """
        if isinstance(error, LockedError):
            self.elsewhere.append(group)
            return
        if isinstance(error, InverseSetError | OSError):
            raise error
        if error is None:
            self.done.add(group)
        else:
            self.failed[group] = reason(error)
        self._write_index()
        self.tell()

    def _write_index(self) -> None:
        """Makes the index anew, unless that would take more than a small share of the time."""
        began = time.monotonic()
        if began - self._written >= SHARE * self._cost:
            index.write(self.folder, self.records, self.failed)
            self._written = time.monotonic()
            self._cost = self._written - began

    @property
    def count(self) -> int:
        """Targets of the groups that are done."""
        return sum(len(self.records.groups[group]) for group in self.done)

    def tell(self, more: float = 0) -> None:
        """Shows how many targets are done.

        Args:
            more: Those of groups that are not done as a whole.
        """
        total = sum(len(self.records.groups[group]) for group in self.groups)
        self.show(self.count + more, total)


def alone(networks: Networks, progress: Progress, stop: Callable[[], bool] = lambda: False) -> None:
    """Samples every group that is waiting, `lanes` of them at a time.

    Graphs run in threads of their own. All else is done here, one group after another: what is
    found is scored and stored while the other groups compute, and a model is in no two hands.

    Args:
        networks: The pair that the plan is of.
        progress: It is told how each group ended.
        stop: Asked after some steps whether to end early.

    Raises:
        KeyboardInterrupt: It was asked to stop; groups that were begun will be begun again.
        StorageError: The disk is full or read-only.
    """
    many = lanes(progress.records.plan)
    with futures.ThreadPoolExecutor(many) as threads:
        running = _Running(networks, progress, stop, threads)
        try:
            for group in progress.waiting:
                running.begin(group)
                while len(running.computing) == many:
                    running.settle()
            while running.computing:
                running.settle()
        finally:
            running.close()
    index.write(progress.folder, progress.records, progress.failed)


def lanes(plan: Plan) -> int:
    """Groups that this process samples at a time.

    While one of two is scored and stored, the other keeps the processor's cores busy. A GPU is
    kept busy by the many rows of one, and the variables of an optimizer can serve one at a time.
    """
    return 1 if devices.on_gpu() or plan.settings.optimizer else LANES


class _Running:
    """Groups that are being sampled, each by the steps that a thread computes for it."""

    def __init__(
        self,
        networks: Networks,
        progress: Progress,
        stop: Callable[[], bool],
        threads: futures.ThreadPoolExecutor,
    ) -> None:
        self.networks, self.progress, self.stop, self.threads = networks, progress, stop, threads
        self.computing: dict[futures.Future[None], tuple[int, work.Steps]] = {}
        self.ended: dict[int, float] = {}
        self.layers: set[str] = set()

    def begin(self, group: int) -> None:
        """Begins a group, as far as its first steps."""

        def watch(ended: float) -> None:
            self.ended[group] = ended
            self._watch()

        self._watch()
        folder, plan = self.progress.folder, self.progress.records.plan
        groups = [group, *(one for one, _ in self.computing.values())]
        held = {plan.layer(one) for one in groups}
        for layer in self.layers - held:
            self.networks.forget(layer)
        self.layers = held
        self._go_on(group, work.steps(folder, plan, self.networks, group, watch))

    def settle(self) -> None:
        """Waits for the steps of a group, and goes on with those that have them."""
        done, _ = futures.wait(self.computing, return_when=futures.FIRST_COMPLETED)
        for future in done:
            group, steps = self.computing.pop(future)
            self._go_on(group, steps, future)

    def close(self) -> None:
        """Lets go of groups that are not done."""
        for _, steps in self.computing.values():
            steps.close()

    def _go_on(
        self,
        group: int,
        steps: work.Steps,
        computed: futures.Future[None] | None = None,
    ) -> None:
        """Has the next steps of a group computed, or notes how it ended."""
        error: Exception | None = None
        try:
            if computed is not None:
                computed.result()
            compute = next(steps, None)
            if compute is not None:
                self.computing[self.threads.submit(compute)] = group, steps
                return
        except Exception as raised:  # a layer of the user's own may raise anything
            error = raised
            steps.close()
        self.ended.pop(group, None)
        self.progress.ended(group, error)

    def _watch(self) -> None:
        if self.stop():
            raise KeyboardInterrupt(STOPPED)
        self.progress.tell(sum(self.ended.values()))
