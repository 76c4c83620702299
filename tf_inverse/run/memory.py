"""A run that is kept in memory: the calls of `archive.Writer`, and no file."""

from __future__ import annotations

from tf_inverse.archive import Samples


class Memory:
    """Keeps the batches of a run, as `archive.Writer` keeps them on disk; a context manager.

    Attributes:
        state: What the run could go on from; None before the first batch.
    """

    def __init__(self) -> None:
        self.state: dict | None = None
        self._parts: list[Samples] = []

    def __enter__(self) -> Memory:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    @property
    def found(self) -> int:
        """Samples kept so far."""
        return sum(len(part.images) for part in self._parts)

    def append(self, samples: Samples, state: dict) -> None:
        """Keeps a batch and the state after it."""
        self._parts.append(samples)
        self.state = state

    def samples(self) -> Samples:
        """All that was kept, at least one batch."""
        return Samples.joined(self._parts)
