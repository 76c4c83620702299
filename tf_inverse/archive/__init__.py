"""Archives that survive anything: samples of an inverse set in HDF5, without TensorFlow.

with archive.Writer("out.h5", header) as writer:
    writer.append(samples, state)  # safe on return
    writer.finish(summary)

a = archive.open("out.h5")
a.images[0], a.activations[:], a.targets
"""

from tf_inverse.archive.lock import LockedError
from tf_inverse.archive.reader import Archive, Natural
from tf_inverse.archive.reader import open_archive as open
from tf_inverse.archive.schema import Samples
from tf_inverse.archive.writer import Writer

__all__ = ["Archive", "LockedError", "Natural", "Samples", "Writer", "open"]
