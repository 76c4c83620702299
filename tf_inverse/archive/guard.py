"""What a file must be before any of its data is read.

Everything is asked of HDF5's metadata: names, link kinds, types, shapes, layouts, filters, sizes of stored chunks. A file
that passes can be read with memory bounded by its declared sizes, which are bounded here, and opens no other file.
"""

import os
import stat
from typing import NamedTuple

import h5py
import numpy as np

from tf_inverse.archive import schema
from tf_inverse.errors import RefusedInput

SIGNATURE = b"\x89HDF\r\n\x1a\n"
DEFLATE, FLETCHER = 1, 3
BEST_RATIO = 1040  # deflate packs at most 1032 to 1
MAX_SIDE, MAX_WIDTH = 2048, 1 << 22  # pixels of an image's side; numbers in a row of the other columns
CHUNK_SLACK = 64  # bytes by which incompressible data may grow, beside 1 in 1000


class Parts(NamedTuple):
    """A checked file's contents.

    Attributes:
        attributes: Root attributes, texts and Python numbers.
        columns, natural, state: name -> dataset.
        statistics: mean and sd of group `natural`, float64 [p].
    """

    attributes: dict
    columns: dict
    natural: dict
    state: dict
    statistics: dict


def open_file(path) -> h5py.File:
    """Opens a regular HDF5 file for reading, with the plain file driver.

    Raises:
        FileNotFoundError: nothing there.
        RefusedInput: not a regular file, not HDF5, or truncated.
    """
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise RefusedInput(f"{path}: not a regular file")
            start = file.read(len(SIGNATURE))
    except IsADirectoryError:
        raise RefusedInput(f"{path}: a folder, expected a file") from None
    if start != SIGNATURE:
        raise RefusedInput(f"{path}: not an HDF5 file")
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fapl_sec2()
    access.set_file_locking(False, True)
    try:
        return h5py.File(h5py.h5f.open(os.fsencode(path), h5py.h5f.ACC_RDONLY, access))
    except (OSError, RuntimeError) as error:
        reason = "truncated" if "truncated" in str(error) else "damaged"
        raise RefusedInput(f"{path}: {reason} HDF5 file") from error


def check(file: h5py.File, path, kind: str) -> Parts:
    """The file's parts, once everything about them is as the schema says.

    Args:
        file: From open_file.
        path: Its name, for messages.
        kind: schema.FORMAT or schema.SHARD_FORMAT.

    Raises:
        RefusedInput: names the first thing that is not, and the rule.
    """
    try:
        return _Check(path, os.path.getsize(path)).file(file, kind)
    except RefusedInput:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise RefusedInput(f"{path}: damaged HDF5 file ({str(error).splitlines()[0]:.120})") from error


class _Check:
    """The rules, with the file's name and size for the messages."""

    def __init__(self, path, size: int):
        self.path, self.size = path, size

    def refuse(self, what: str):
        raise RefusedInput(f"{self.path}: {what}")

    def file(self, file: h5py.File, kind: str) -> Parts:
        root = file.id
        attributes = self.attributes(h5py.h5g.open(root, b"/"), "/")
        self.format(attributes, kind)
        allowed = set(schema.COLUMNS) | {"natural", "state"}
        names = self.links(h5py.h5g.open(root, b"/"), "", lambda name: name in allowed, len(allowed))
        columns = {name: self.column(root, name, schema.COLUMNS[name]) for name in names if name in schema.COLUMNS}
        self.together(columns, kind)
        natural, statistics = self.natural(root) if "natural" in names else ({}, {})
        state = self.state(root) if "state" in names else {}
        return Parts(attributes, columns, natural, state, statistics)

    def format(self, attributes: dict, kind: str) -> None:
        if attributes.get("format") != kind:
            self.refuse(f"attribute format is {attributes.get('format')!r:.60}, expected {kind!r}")
        version = attributes.get("version")
        if version != schema.VERSION:
            self.refuse(f"schema version {version!r:.20}, this version of tf_inverse reads {schema.VERSION}")

    def links(self, group: h5py.h5g.GroupID, where: str, allowed, most: int) -> list[str]:
        """Names in a group: few, expected, and hard links only."""
        if group.get_num_objs() > most:
            self.refuse(f"{group.get_num_objs()} objects in /{where}, at most {most} are expected")
        names = []
        for index in range(group.get_num_objs()):
            name = self.text(group.get_objname_by_idx(index))
            link = group.links.get_info(name.encode()).type
            if link != h5py.h5l.TYPE_HARD:
                word = {h5py.h5l.TYPE_SOFT: "soft", h5py.h5l.TYPE_EXTERNAL: "external"}.get(link, "user-defined")
                self.refuse(f"/{where}{name} is a {word} link; only data in the file itself is read")
            if not allowed(name):
                self.refuse(f"unexpected object /{where}{name:.80}")
            names.append(name)
        return names

    def text(self, raw: bytes) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self.refuse(f"a name or text is not UTF-8: {raw!r:.80}")

    def attributes(self, target, what: str) -> dict:
        """All attributes of an object: at most 32, of plain types, read only once their size is known."""
        count = h5py.h5a.get_num_attrs(target)
        if count > 32:
            self.refuse(f"{count} attributes on {what}, at most 32 are expected")
        return dict(self.attribute(h5py.h5a.open(target, index=i), what) for i in range(count))

    def attribute(self, attribute: h5py.h5a.AttrID, what: str):
        name = self.text(attribute.name if isinstance(attribute.name, bytes) else attribute.name.encode())
        self.plain_type(attribute.get_type(), f"attribute {name:.80} of {what}")
        dtype = attribute.dtype
        if len(attribute.shape) > 1 or attribute.get_storage_size() > schema.MAX_TEXT + 8:
            self.refuse(f"attribute {name:.80} of {what} is larger than {schema.MAX_TEXT} bytes or has more than one axis")
        if attribute.get_space().get_simple_extent_type() == h5py.h5s.NULL:
            self.refuse(f"attribute {name:.80} of {what} is empty")
        value = np.empty(attribute.shape, dtype)
        attribute.read(value)
        if dtype.kind == "S":
            return name, self.text(bytes(value[()])) if value.ndim == 0 else value
        return name, value if value.ndim else value.item()

    def plain_type(self, kind: h5py.h5t.TypeID, what: str) -> None:
        """Integers, floats, booleans and fixed-length texts; never what points elsewhere."""
        if isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str() or isinstance(kind, h5py.h5t.TypeVlenID):
            self.refuse(f"{what} is of a variable-length type")
        if isinstance(kind, h5py.h5t.TypeReferenceID):
            self.refuse(f"{what} is of an object type (a reference)")
        boolean = isinstance(kind, h5py.h5t.TypeEnumID) and kind.dtype == np.dtype(bool)
        simple = (h5py.h5t.TypeIntegerID, h5py.h5t.TypeFloatID, h5py.h5t.TypeStringID)
        if not boolean and not isinstance(kind, simple):
            self.refuse(f"{what} is of type {type(kind).__name__}, expected a number or fixed-length text")
        if kind.committed():
            self.refuse(f"{what} is of a named type")

    def dataset(self, group, name: str, what: str) -> h5py.h5d.DatasetID:
        """Opens a dataset whose type and layout are plain and whose chunks are all there."""
        found = h5py.h5o.open(group, name.encode())
        if not isinstance(found, h5py.h5d.DatasetID):
            self.refuse(f"{what} is not a dataset")
        self.plain_type(found.get_type(), what)
        creation = found.get_create_plist()
        if creation.get_external_count():
            self.refuse(f"{what} is stored in other files (external storage)")
        layout = creation.get_layout()
        if layout == h5py.h5d.VIRTUAL:
            self.refuse(f"{what} is a virtual dataset")
        if found.get_space().get_simple_extent_type() == h5py.h5s.NULL or len(found.shape) > 8:
            self.refuse(f"{what} has no shape, or more than 8 axes")
        self.attributes(found, what)
        if layout == h5py.h5d.CHUNKED:
            self.chunks(found, creation, what)
        elif layout != h5py.h5d.COMPACT or found.get_storage_size() > schema.MAX_TEXT + 8:
            self.refuse(f"{what} is neither chunked nor compact, so has no checksum")
        return found

    def chunks(self, found: h5py.h5d.DatasetID, creation, what: str) -> None:
        filters = [creation.get_filter(i)[0] for i in range(min(creation.get_nfilters(), 8))]
        if filters != [DEFLATE, FLETCHER]:
            self.refuse(f"{what} has the filters {filters}, expected deflate then fletcher32 {[DEFLATE, FLETCHER]}")
        shape, chunk = found.shape, creation.get_chunk()
        row = int(np.prod([int(side) for side in chunk], dtype=object)) * found.dtype.itemsize
        if chunk[1:] != shape[1:] or not 0 < row <= schema.MAX_CHUNK:
            self.refuse(f"{what} has chunks {chunk} ({row} bytes), expected whole rows and at most {schema.MAX_CHUNK} bytes")
        expected = -(-shape[0] // chunk[0])
        if shape[0] > schema.MAX_ROWS or expected * 4 > self.size or expected != found.get_num_chunks():
            self.refuse(f"{what} declares {shape[0]} rows, {expected} chunks; the file does not hold them")
        self.stored(found, expected, row, what)

    def stored(self, found: h5py.h5d.DatasetID, count: int, size: int, what: str) -> None:
        """Each chunk lies in the file, is not larger than packed data can be, and not smaller."""
        for index in range(count):
            info = found.get_chunk_info(index)
            if info.byte_offset + info.size > self.size:
                self.refuse(f"{what}: chunk {index} lies beyond the end of the file (truncated)")
            if info.size > size + size // 1000 + CHUNK_SLACK:
                self.refuse(f"{what}: chunk {index} stores {info.size} bytes for {size}: a compression bomb")
            if info.size * BEST_RATIO < size:
                self.refuse(f"{what}: chunk {index} stores {info.size} bytes for {size}: less than it declares")

    def column(self, root, name: str, column: schema.Column) -> h5py.h5d.DatasetID:
        """One of the schema's columns: exact type, number of axes and bounded sides."""
        found = self.dataset(root, name, f"/{name}")
        if found.dtype != np.dtype(column.dtype) or len(found.shape) != column.rank:
            self.refuse(
                f"/{name} is {found.dtype} {list(found.shape)}, expected {np.dtype(column.dtype)} with {column.rank} axes"
            )
        sides = found.shape[1:]
        image = column.rank == 4
        if any(not 0 < side <= (MAX_SIDE if image else MAX_WIDTH) for side in sides) or (image and sides[2] not in (1, 3)):
            self.refuse(f"/{name} has rows of shape {list(sides)}, out of bounds")
        return found

    def together(self, columns: dict, kind: str) -> None:
        """All columns there, with one number of rows, images or thumbnails but not both."""
        if kind == schema.SHARD_FORMAT and not columns:
            return
        needed = set(schema.COLUMNS) - {"images", "thumbnails"}
        missing = sorted(needed - set(columns))
        if missing or len({"images", "thumbnails"} & set(columns)) != 1:
            self.refuse(f"columns missing: {missing or 'images (or thumbnails, not both)'}")
        rows = {name: found.shape[0] for name, found in columns.items()}
        if len(set(rows.values())) != 1 or 0 in rows.values():
            self.refuse(f"columns of different or no length: {rows}")

    def group(self, root, name: str) -> h5py.h5g.GroupID:
        found = h5py.h5o.open(root, name.encode())
        if not isinstance(found, h5py.h5g.GroupID):
            self.refuse(f"/{name} is not a group")
        return found

    def natural(self, root) -> tuple[dict, dict]:
        group = self.group(root, "natural")
        names = self.links(group, "natural/", lambda name: name in schema.NATURAL, len(schema.NATURAL))
        arrays = {name: self.dataset(group, name, f"/natural/{name}") for name in names}
        for name, found in arrays.items():
            if found.dtype != np.dtype(schema.NATURAL[name].dtype) or len(found.shape) != 2:
                self.refuse(f"/natural/{name} is {found.dtype} {list(found.shape)}, expected float32 with 2 axes")
        statistics = self.attributes(group, "/natural")
        for name, value in statistics.items():
            ok = name in ("mean", "sd") and isinstance(value, np.ndarray) and value.dtype == np.dtype("<f8")
            if not ok or not np.isfinite(value).all():
                self.refuse(f"attribute {name:.80} of /natural: expected finite float64 mean and sd")
        return arrays, statistics

    def state(self, root) -> dict:
        group = self.group(root, "state")
        names = self.links(group, "state/", lambda name: bool(schema.STATE_NAME.fullmatch(name)), schema.MAX_STATE)
        self.attributes(group, "/state")
        arrays = {name: self.dataset(group, name, f"/state/{name}") for name in names}
        for name, found in arrays.items():
            if found.dtype.kind not in "biuf":
                self.refuse(f"/state/{name} is {found.dtype}, expected numbers")
        return arrays
