"""All groups of an atlas, one after another in this process, or many at a time on Ray's workers."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from tf_inverse.archive import LockedError
from tf_inverse.atlas import index, work
from tf_inverse.atlas.index import Records
from tf_inverse.errors import InverseSetError, reason

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks

SHARE = 20
"""The index of a large atlas is made again after so many times as long as it took to make."""

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
        show: Callable[[int, int], object] = lambda done, total: None,
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

    def tell(self, more: int = 0) -> None:
        """Shows how many targets are done.

        Args:
            more: Those of a group that is not done as a whole.
        """
        sizes = {group: len(self.records.groups[group]) for group in self.groups}
        done = sum(size for group, size in sizes.items() if group in self.done)
        self.show(done + more, sum(sizes.values()))


def alone(networks: Networks, progress: Progress, stop: Callable[[], bool] = lambda: False) -> None:
    """Samples every group that is waiting, one after another.

    Args:
        networks: The pair that the plan is of.
        progress: It is told how each group ended.
        stop: Asked after some steps whether to end early.

    Raises:
        KeyboardInterrupt: It was asked to stop; the group that was begun will be begun again.
        StorageError: The disk is full or read-only.
    """

    def watch(ended: int = 0) -> None:
        if stop():
            raise KeyboardInterrupt(STOPPED)
        progress.tell(ended)

    for group in progress.waiting:
        watch()
        error: Exception | None = None
        try:
            work.run(progress.folder, progress.records.plan, networks, group, watch)
        except Exception as raised:  # a layer of the user's own may raise anything
            error = raised
        progress.ended(group, error)
    index.write(progress.folder, progress.records, progress.failed)
