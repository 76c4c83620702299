"""The one yardstick of a network: the width of the Vendi score's kernel, whatever is scored.

A score is a number of images that differ, and what differs is decided by the width of the kernel.
So the width belongs to the network and not to a run: half the mean distance of two natural images'
encodings. Encodings of random codes stand in where a network knows no natural images; those of
noise hardly differ, and scores by them are higher.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tf_inverse import diversity
from tf_inverse.networks import codes, half
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.networks.natural import Natural
    from tf_inverse.networks.networks import Networks

NATURE, RANDOM, NOTHING = "natural images", "random codes", "encodings that are all the same"
COUNT, BATCH, SEED = 60, 10, 0
"""Random codes that are encoded, how many at a time, and their seed."""


class Yardstick(NamedTuple):
    """A bandwidth, and what it was measured on.

    Attributes:
        bandwidth: h, in units of the encoding.
        source: `NATURE`, `RANDOM` or `NOTHING`.
        count: How many of them.
    """

    bandwidth: float
    source: str
    count: int  # type: ignore[assignment]  # a tuple's method of the name is not needed

    def __str__(self) -> str:
        return f"{self.bandwidth:g}, half the mean distance of {self.count} {self.source}"


def of(networks: Networks) -> Yardstick:
    """The yardstick of a network: that of its folder, else measured, the same at every call."""
    if networks.yardstick is not None:
        return networks.yardstick
    found = of_nature(networks.natural)
    return found or networks.compiled(("yardstick",), lambda: of_random_codes(networks))


def of_nature(natural: Natural | None) -> Yardstick | None:
    """From the natural images that were chosen at random; None where there are not two that differ.

    Those that were chosen for their activations are left out: they are no fair sample. So are all
    whose activations nobody knows: their encodings are codes of a generator that came from another
    network, and may be encodings of that.
    """
    if natural is None or natural.encodings is None or not natural.activations:
        return None
    return of_encodings(natural.encodings[: natural.typical])


def of_encodings(encodings: Array) -> Yardstick | None:
    """From a network's encodings of natural images [n, d_E]; None where no two differ."""
    # In half precision, as a folder keeps them: the same before they are written and after.
    e = half.fitting(encodings)
    width = diversity.bandwidth(e)
    return Yardstick(width, NATURE, len(e)) if width > 0 else None


def of_random_codes(networks: Networks) -> Yardstick:
    """From what the generator makes of random codes, always the same ones."""
    c = codes.draw(networks, COUNT, codes.generator(SEED, 0))
    # In a graph, which lets go of each layer's output when the next has it.
    look, nothing = networks.looking(()), np.zeros((0, 3), np.int32)
    parts = [look(c[i : i + BATCH], nothing).e.numpy() for i in range(0, COUNT, BATCH)]
    e = np.concatenate(parts)
    e = e[diversity.finite(e)]
    width = diversity.bandwidth(e)
    return Yardstick(width, RANDOM, len(e)) if width > 0 else Yardstick(1.0, NOTHING, COUNT)


def read(entry: dict | None) -> Yardstick | None:
    """From the entry of a network's folder or an archive, which was checked; None where none is."""
    if not entry:
        return None
    return Yardstick(float(entry["bandwidth"]), entry["source"], entry["count"])
