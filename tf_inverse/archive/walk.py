"""The data of an HDF5 file, each array reached once and by nothing but the file's own links.

HDF5 lets a file of a kilobyte stand for terabytes: links lead into other files, and a group or an
array may have many names, even one inside itself. Archives, statistics and weights of a network,
MATLAB's among them, come from elsewhere, and none of their writers uses any of that: whatever does
is refused here before its data is read.
"""

from __future__ import annotations

from collections.abc import Iterator

import h5py

from tf_inverse.archive import object_checks
from tf_inverse.errors import RefusedInput
from tf_inverse.tensors import StrPath

DEEPEST = 64
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
            more bytes.
    """
    found = dict(sorted(datasets(group, path)))
    for name, item in found.items():
        if item.shape is None or item.is_virtual or item.external:
            raise RefusedInput(f"{path}: /{name:.120} has no shape, or is stored in other files")
    if sum(item.size * item.dtype.itemsize for item in found.values()) > most:
        raise RefusedInput(f"expected at most {most} bytes in {path}")
    return found
