"""Reading columns chunk by chunk, with every size known before anything is allocated.

HDF5's own filters unpack as much as the stored stream says, so a file of 100 KB can ask for
gigabytes, and filters may be loaded from other files. Here a chunk's raw bytes are checked
(fletcher32) and unpacked to exactly the size that the column's shape declares, never more.
"""

import zlib

import h5py
import numpy as np

from tf_inverse.archive import schema
from tf_inverse.errors import RefusedInput


def fletcher32(data: bytes) -> int:
    """HDF5's checksum of a chunk: Fletcher's on big-endian 16-bit words, ones' complement sums.

    The sums are taken modulo 65535 at once instead of word by word. A multiple of 65535 is kept as
    65535, as the word-by-word form has it, and only zeros give 0.
    """
    padded = data + b"\0" if len(data) % 2 else data
    words = np.frombuffer(padded, ">u2").astype(np.int64)
    if not words.any():
        return 0
    weights = np.arange(len(words), 0, -1, dtype=np.int64)
    low, high = (int(total) % 65535 or 65535 for total in (words.sum(), words @ weights))
    return high << 16 | low


def inflate(data: bytes, size: int) -> bytes:
    """Unpacks a zlib stream to exactly size bytes.

    Raises:
        ValueError: the stream is damaged, or unpacks to fewer or more bytes.
    """
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(data, size + 1)
    except zlib.error as error:
        raise ValueError(f"damaged ({error})") from error
    if len(plain) != size or not stream.eof or stream.unused_data:
        more = len(plain) > size or not stream.eof
        raise ValueError(f"unpacks to {'more' if more else 'fewer'} than the declared {size} bytes")
    return plain


class Column:
    """A chunked dataset that file_checks.py has passed, read by rows.

    Attributes:
        shape: Shape of the whole, sample first.
        dtype: NumPy type.
    """

    def __init__(self, dataset: h5py.h5d.DatasetID, what: str, finite: bool = True):
        self._dataset, self._what, self._finite = dataset, what, finite
        self.shape, self.dtype = dataset.shape, dataset.dtype
        self._rows = dataset.get_create_plist().get_chunk()[0]

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows start to stop.

        Raises:
            RefusedInput: a chunk is damaged, or a number is not finite.
        """
        rows = self._rows
        result = np.empty((max(stop - start, 0), *self.shape[1:]), self.dtype)
        for chunk in range(start // rows, -(-stop // rows) if stop > start else 0):
            first = chunk * rows
            low, high = max(start, first), min(stop, first + rows)
            result[low - start : high - start] = self._chunk(chunk)[low - first : high - first]
        if self._finite and result.dtype.kind == "f" and not np.isfinite(result).all():
            raise RefusedInput(f"{self._what}: NaN or infinity in rows {start} to {stop - 1}")
        return result

    def packed(self, chunk: int) -> bytes:
        """A chunk as it is stored, checksum tested: to be copied to another file unchanged."""
        data = self._raw(chunk)
        if len(data) < 4 or fletcher32(data[:-4]) != int.from_bytes(data[-4:], "little"):
            raise RefusedInput(f"{self._what}: chunk {chunk} is damaged (fletcher32 differs)")
        return data

    def _raw(self, chunk: int) -> bytes:
        offset = (chunk * self._rows,) + (0,) * (len(self.shape) - 1)
        try:
            mask, data = self._dataset.read_direct_chunk(offset)
        except (OSError, RuntimeError, ValueError) as error:
            raise RefusedInput(
                f"{self._what}: chunk {chunk} cannot be read (truncated or damaged)"
            ) from error
        if mask:
            raise RefusedInput(f"{self._what}: chunk {chunk} leaves out filters")
        return data

    def _chunk(self, chunk: int) -> np.ndarray:
        shape = (self._rows, *self.shape[1:])
        size = schema.size_of(shape, self.dtype)
        try:
            plain = inflate(self.packed(chunk)[:-4], size)
        except ValueError as error:
            raise RefusedInput(f"{self._what}: chunk {chunk} {error}") from error
        return np.frombuffer(plain, self.dtype).reshape(shape)
