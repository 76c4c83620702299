"""Archives that survive anything: samples of an inverse set in HDF5, without TensorFlow.

with archive.Writer("out.h5", header) as writer:
    writer.append(samples, state)  # safe on return
    writer.finish(summary)

a = archive.open("out.h5")
a.images[0], a.activations[:], a.targets
"""

from __future__ import annotations

from tf_inverse.archive.lock import LockedError
from tf_inverse.archive.reader import Archive, Natural, open_archive
from tf_inverse.archive.sandbox import open_untrusted
from tf_inverse.archive.schema import Samples
from tf_inverse.archive.writer import Complete, StorageError, Writer
from tf_inverse.tensors import StrPath

__all__ = ["Archive", "Complete", "LockedError", "Natural", "Samples", "StorageError", "Writer"]
__all__ += ["open"]


def open(path: StrPath, untrusted: bool = False) -> Archive:
    """Opens an archive; its structure is checked before any data is read.

    Args:
        path: A finished file, OUT.h5, or a run's folder, OUT.h5.run. OUT.h5 opens its run as long
            as it does not exist itself.
        untrusted: Read it in a process of its own with bounded memory, time and files.

    Raises:
        FileNotFoundError: neither is there.
        RefusedInput: damaged, hostile, or of another version; names what and where.
    """
    return open_untrusted(path) if untrusted else open_archive(path)
