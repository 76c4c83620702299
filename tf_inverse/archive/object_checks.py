"""What one object of a file must be before any of its data is read: attributes, types, datasets.

Only HDF5's metadata is asked. `what` names the object, with its file, in every refusal.
"""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np

from tf_inverse.archive import schema
from tf_inverse.errors import RefusedInput

DEFLATE, FLETCHER = 1, 3  # HDF5's numbers of the two filters
MAX_ATTRIBUTES, MAX_RANK = 32, 8
BEST_RATIO = 1040  # deflate packs at most 1032 to 1
CHUNK_SLACK = 64  # bytes by which incompressible data may grow, beside 1 in 1000


def text(raw: bytes, what: str) -> str:
    """A name or text from a file, which must be UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise RefusedInput(f"{what}: a name or text is not UTF-8: {raw!r:.80}") from None


def attributes(target: h5py.h5g.GroupID | h5py.h5d.DatasetID, what: str) -> dict:
    """All attributes of an object, each read once its type and size are known to be plain."""
    count = h5py.h5a.get_num_attrs(target)
    if count > MAX_ATTRIBUTES:
        raise RefusedInput(f"{what}: {count} attributes, at most {MAX_ATTRIBUTES} are expected")
    return dict(_attribute(h5py.h5a.open(target, index=i), what) for i in range(count))


def attribute(target: h5py.h5g.GroupID, name: str) -> Any:
    """One attribute of an object; None where it has none of that name, or one that is not plain."""
    if not h5py.h5a.exists(target, name.encode()):
        return None
    try:
        return _attribute(h5py.h5a.open(target, name.encode()), name)[1]
    except RefusedInput:
        return None


def _attribute(found: h5py.h5a.AttrID, what: str) -> tuple[str, Any]:
    name = text(found.name if isinstance(found.name, bytes) else found.name.encode(), what)
    what = f"{what}: attribute {name:.80}"
    check_type(found.get_type(), what)
    if found.get_space().get_simple_extent_type() == h5py.h5s.NULL:
        raise RefusedInput(f"{what} is empty")
    if len(found.shape) > 1 or found.get_storage_size() > schema.MAX_TEXT:
        raise RefusedInput(f"{what} has more than one axis or {schema.MAX_TEXT} bytes")
    value = np.empty(found.shape, found.dtype)
    found.read(value)
    if value.dtype.kind != "S":
        return name, value if value.ndim else value.item()
    if value.ndim:
        raise RefusedInput(f"{what} is a list of texts, expected one")
    return name, text(value.item(), what)


def check_type(kind: h5py.h5t.TypeID, what: str) -> None:
    """Passes numbers, booleans and fixed-length texts; never what points elsewhere."""
    is_text = isinstance(kind, h5py.h5t.TypeStringID)
    if isinstance(kind, h5py.h5t.TypeVlenID) or (is_text and kind.is_variable_str()):
        raise RefusedInput(f"{what} is of a variable-length type")
    if isinstance(kind, h5py.h5t.TypeReferenceID):
        raise RefusedInput(f"{what} is of an object type (references)")
    boolean = isinstance(kind, h5py.h5t.TypeEnumID) and kind.dtype == np.dtype(bool)
    number = isinstance(kind, h5py.h5t.TypeIntegerID | h5py.h5t.TypeFloatID)
    if not (boolean or number or is_text) or kind.committed():
        raise RefusedInput(f"{what} is of a compound or named type, expected numbers or text")


def dataset(group: h5py.h5g.GroupID, name: str, what: str, size: int) -> h5py.h5d.DatasetID:
    """Opens a dataset whose type and layout are plain and whose data is all there.

    Args:
        group: Where it is.
        name: Its name there.
        what: Names it in messages.
        size: Bytes of the file.

    Raises:
        RefusedInput: names the first rule that it breaks.
    """
    found = h5py.h5o.open(group, name.encode())
    if not isinstance(found, h5py.h5d.DatasetID):
        raise RefusedInput(f"{what} is not a dataset")
    check_type(found.get_type(), what)
    creation = found.get_create_plist()
    if creation.get_external_count():
        raise RefusedInput(f"{what} is stored in other files (external storage)")
    if creation.get_layout() == h5py.h5d.VIRTUAL:
        raise RefusedInput(f"{what} is a virtual dataset, stored in other files")
    null = found.get_space().get_simple_extent_type() == h5py.h5s.NULL
    if null or len(found.shape) > MAX_RANK:
        raise RefusedInput(f"{what} has no shape, or more than {MAX_RANK} axes")
    attributes(found, what)
    _check_layout(found, creation, what, size)
    return found


def _check_layout(
    found: h5py.h5d.DatasetID, creation: h5py.h5p.PropDCID, what: str, size: int
) -> None:
    layout = creation.get_layout()
    if layout == h5py.h5d.CHUNKED:
        _check_chunks(found, creation, what, size)
    elif layout != h5py.h5d.COMPACT or found.get_storage_size() > schema.MAX_TEXT:
        raise RefusedInput(f"{what} is neither chunked nor compact, so it has no checksum")


def _check_chunks(
    found: h5py.h5d.DatasetID, creation: h5py.h5p.PropDCID, what: str, size: int
) -> None:
    """Whole rows a chunk, the two filters, and as many chunks stored as the shape declares."""
    filters = [creation.get_filter(i)[0] for i in range(min(creation.get_nfilters(), 8))]
    if filters != [DEFLATE, FLETCHER]:
        raise RefusedInput(f"{what} has filters {filters}, expected {[DEFLATE, FLETCHER]}")
    shape, chunk = found.shape, creation.get_chunk()
    plain = schema.size_of(chunk, found.dtype)
    if chunk[1:] != shape[1:] or not 0 < plain <= schema.MAX_CHUNK:
        raise RefusedInput(
            f"{what} has chunks {chunk} of {plain} bytes, expected whole rows and at most "
            f"{schema.MAX_CHUNK} bytes"
        )
    expected = -(-shape[0] // chunk[0])
    if expected > size or expected != found.get_num_chunks():
        raise RefusedInput(f"{what} declares {shape[0]} rows, the file does not hold as many")
    _check_stored(found, plain, what, size)


def _check_stored(found: h5py.h5d.DatasetID, plain: int, what: str, size: int) -> None:
    """Each chunk lies in the file and is of a size that packed data of its shape can have."""

    def check(info: h5py.h5d.StoreInfo) -> None:
        if info.byte_offset + info.size > size:
            raise RefusedInput(f"{what}: a chunk lies beyond the end of the file (truncated)")
        if info.size > plain + plain // 1000 + CHUNK_SLACK:
            raise RefusedInput(f"{what}: {info.size} bytes for a chunk of {plain}, too many")
        if info.size * BEST_RATIO < plain:
            raise RefusedInput(f"{what}: {info.size} bytes for a chunk of {plain}, too few")

    found.chunk_iter(check)
