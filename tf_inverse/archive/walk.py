"""The data of an HDF5 file, each array reached once and by nothing but the file's own links.

HDF5 lets a file of a kilobyte stand for terabytes: links lead into other files, and a group or an
array may have many names, even one inside itself. Archives, statistics and weights of a network,
MATLAB's among them, come from elsewhere, and none of their writers uses any of that: whatever does
is refused here before its data is read.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator

import h5py

from tf_inverse.archive import object_checks
from tf_inverse.errors import RefusedInput
from tf_inverse.tensors import StrPath

DEEPEST = 64
SHUFFLE = 2  # HDF5's number of the filter
FILTERS = (SHUFFLE, object_checks.DEFLATE, object_checks.FLETCHER)
"""How arrays are packed by this package, MATLAB and h5py, in the order that packing takes them."""

KINDS = {h5py.h5l.TYPE_SOFT: "a soft", h5py.h5l.TYPE_EXTERNAL: "an external"}


def names(group: h5py.h5g.GroupID, where: str, most: int | None = None) -> list[str]:
    """The names in a group, in HDF5's own order.

    Args:
        group: Of an open file.
        where: Path of the file and the group, with a slash at its end, for refusals.
        most: The largest number of names that can be right; None for any.

    Raises:
        RefusedInput: There are more, or one is no UTF-8 or not a hard link.
    """
    count = group.get_num_objs()
    if most is not None and count > most:
        raise RefusedInput(f"{where} holds {count} objects, at most {most} are expected")
    found = [object_checks.text(group.get_objname_by_idx(i), where) for i in range(count)]
    for name in found:
        kind = group.links.get_info(name.encode()).type
        if kind != h5py.h5l.TYPE_HARD:
            said = KINDS.get(kind, "a user-defined")
            raise RefusedInput(f"{where}{name:.80} is {said} link, expected data")
    return found


def datasets(group: h5py.Group, path: StrPath) -> Iterator[tuple[str, h5py.Dataset]]:
    """(name within the group, dataset) of everything in a group, however deep.

    Args:
        group: Of an open file; the file itself for all that it holds.
        path: Of the file, for refusals.

    Raises:
        RefusedInput: Something is a link, there twice, deeper than `DEEPEST`, or no data.
    """
    seen: set[int] = set()
    waiting: list[tuple[str, h5py.h5g.GroupID]] = [("", group.id)]
    while waiting:
        prefix, inner = waiting.pop()
        if prefix.count("/") > DEEPEST:
            raise RefusedInput(f"{path}: groups are nested more than {DEEPEST} deep")
        for name in names(inner, f"{path}: /{prefix}"):
            full, found = prefix + name, h5py.h5o.open(inner, name.encode())
            place = h5py.h5o.get_info(found).addr
            if place in seen:
                # A group inside itself would be walked for ever, and data that is there under
                # many names would pass for as many arrays.
                raise RefusedInput(f"{path}: /{full:.120} is there under two names")
            seen.add(place)
            if isinstance(found, h5py.h5g.GroupID):
                waiting.append((f"{full}/", found))
            elif isinstance(found, h5py.h5d.DatasetID):
                yield full, h5py.Dataset(found)
            else:
                raise RefusedInput(f"{path}: /{full:.120} is neither a group nor an array")


def bearable(group: h5py.Group, path: StrPath, most: int) -> dict[str, h5py.Dataset]:
    """The datasets of a group by name, in order, which are so small that all may be read whole.

    Args:
        group: As of `datasets`.
        path: Likewise.
        most: Bytes that all of them may have together.

    Raises:
        RefusedInput: As of `datasets`; or one has no shape, or lies in another file, or they have
            more bytes, or one is packed so that it may unpack to more.
    """
    found = dict(sorted(datasets(group, path)))
    for name, item in found.items():
        if item.shape is None or item.is_virtual or item.external:
            raise RefusedInput(f"{path}: /{name:.120} has no shape, or is stored in other files")
    # A chunk may be larger than the array that it holds, and is read as a whole.
    if sum(max(item.size * item.dtype.itemsize, chunk(item)) for item in found.values()) > most:
        raise RefusedInput(f"expected at most {most} bytes in {path}")
    for name, item in found.items():
        if item.chunks:
            _expect_honest(item, f"{path}: /{name:.120}")
    return found


def chunk(item: h5py.Dataset) -> int:
    """Bytes of one chunk of a dataset, unpacked; 0 where it has none."""
    return math.prod(item.chunks) * item.id.get_type().get_size() if item.chunks else 0


def _expect_honest(item: h5py.Dataset, what: str) -> None:
    """Refuses chunks that unpack to more than their shape declares.

    HDF5 unpacks as much as a stored stream says: a megabyte may become a gigabyte.
    """
    creation, plain = item.id.get_create_plist(), chunk(item)
    filters = [creation.get_filter(i)[0] for i in range(min(creation.get_nfilters(), 8))]
    if filters != [one for one in FILTERS if one in filters]:
        raise RefusedInput(
            f"{what} has filters {filters}, expected {list(FILTERS)} or some of them"
        )
    if object_checks.DEFLATE not in filters:
        return
    stored: list[h5py.h5d.StoreInfo] = []
    item.id.chunk_iter(stored.append)
    end = item.file.id.get_filesize()
    for info in stored:
        if info.byte_offset + info.size > end:
            raise RefusedInput(f"{what}: a chunk lies beyond the end of the file (truncated)")
        left_out, data = item.id.read_direct_chunk(info.chunk_offset)
        if left_out:
            raise RefusedInput(f"{what}: a chunk leaves out filters")
        try:
            unpacked = zlib.decompressobj().decompress(data, plain + 1)
        except zlib.error as error:
            raise RefusedInput(f"{what}: a chunk is damaged ({error})") from error
        if len(unpacked) > plain:
            raise RefusedInput(
                f"{what}: a chunk unpacks to more than the {plain} bytes it declares"
            )
