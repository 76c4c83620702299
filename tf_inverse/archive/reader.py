"""Reading an archive, finished or in progress, through one interface."""

import pathlib
from typing import Any

import numpy as np

from tf_inverse.archive import folder, schema
from tf_inverse.archive.chunks import Column
from tf_inverse.errors import RefusedInput


class Rows:
    """A column of an archive, read from disk when it is indexed.

    Attributes:
        shape: Sample first.
        dtype: NumPy type.
    """

    def __init__(self, shape: tuple, dtype, read):
        self.shape, self.dtype, self._read = tuple(shape), np.dtype(dtype), read

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key) -> np.ndarray:
        """Rows by number, slice, list of numbers or boolean mask."""
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            return self._read(start, max(start, stop)) if step == 1 else self[list(range(start, stop, step))]
        if isinstance(key, int | np.integer):
            index = range(len(self))[key]
            return self._read(index, index + 1)[0]
        indices = np.arange(len(self))[np.asarray(key, None if len(key) else np.int64)]
        parts = [self._read(int(i), int(i) + 1) for i in indices]
        return np.concatenate(parts) if parts else self._read(0, 0)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype)


class Natural:
    """Reference over natural images: activations [N, p], encodings [N, dE], mean and sd [p]; None where absent."""

    def __init__(self, arrays: dict):
        self.activations, self.encodings = arrays.get("activations"), arrays.get("encodings")
        self.mean, self.sd = arrays.get("mean"), arrays.get("sd")


class Archive:
    """Samples of an inverse set with all that is known about how they were made; a context manager.

    Attributes:
        name, targets, settings, versions, checksums, network, seed, asked: The header (schema.GIVEN).
        complete: Whether as many samples as asked were found.
        summary: What the run said at its end; {} while it is in progress.
        images, codes, encodings, activations, steps, chain: Columns, `a.images[3:5]`, `a.activations[:]`.
        thumbnails: Small images where images are not stored, else None.
        natural: Natural or None.
        path: Where it is.
        in_progress: Whether it is a run's folder.
    """

    def __init__(self, path, header: dict, columns: dict[str, Rows], complete: bool = False, summary: dict | None = None):
        self.path, self.header, self.columns = pathlib.Path(path), header, columns
        self.name, self.network = header["name"], header["network"]
        self.targets, self.settings, self.versions = header["targets"], header["settings"], header["versions"]
        self.checksums, self.seed, self.asked = header["checksums"], header["seed"], header["asked"]
        self.complete, self.summary = complete, summary or {}
        self.in_progress = summary is None
        self.thumbnails = columns.get("thumbnails")
        self.natural: Natural | None = None
        self.state: dict | None = None

    def __len__(self):
        return len(self.columns["steps"]) if self.columns else 0

    def __getattr__(self, name: str) -> Any:
        """The columns by name."""
        if name not in schema.COLUMNS:
            raise AttributeError(f"an archive has no {name}")
        if name in self.columns:
            return self.columns[name]
        if not self.columns:
            raise ValueError(f"{self.path} holds no samples yet")
        raise ValueError(f"{self.path} stores codes, not {name}: open it with networks=, to render them again")


def open_archive(path, networks=None) -> Archive:
    """Opens an archive; its structure is checked before any data is read.

    Args:
        path: A finished file, OUT.h5; or a run's folder, OUT.h5.run. OUT.h5 opens its run while it does not exist itself.
        networks: Renders images where only codes are stored: an object with generate(codes) -> images.

    Raises:
        FileNotFoundError: neither is there.
        RefusedInput: damaged, hostile, or of another version; names what and where.
    """
    path = pathlib.Path(path)
    if not path.exists() and folder.beside(path).is_dir():
        path = folder.beside(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    archive = _open_run(path) if path.is_dir() else _open_finished(path)
    if networks is not None and "images" not in archive.columns and archive.columns:
        archive.columns["images"] = _rendered(archive.codes, networks.generate)
    return archive


def _open_finished(path: pathlib.Path) -> Archive:
    with folder.opened(path, schema.FORMAT) as parts:
        attributes = parts.attributes
        header = schema.read_header(attributes, str(path))
        summary = schema.read_attribute(attributes, "summary", str(path))
        shapes = {name: tuple(found.shape[1:]) for name, found in parts.columns.items()}
        rows = parts.columns["steps"].shape[0]
    if not isinstance(summary, dict):
        raise RefusedInput(f"{path}: attribute summary must be a JSON object")
    columns = _joined([folder.Piece(path, rows, shapes)])
    return _filled(Archive(path, header, columns, attributes["complete"], summary), path, path)


def _open_run(path: pathlib.Path) -> Archive:
    header = folder.read_header(path)
    if header is None:
        raise RefusedInput(f"{path}: no {folder.HEADER}, so not the folder of a run")
    pieces = folder.pieces(path, header)
    archive = Archive(path, header, _joined([piece for piece in pieces if piece.rows]))
    return _filled(archive, pieces[0].path, pieces[-1].path) if pieces else archive


def _filled(archive: Archive, first: pathlib.Path, last: pathlib.Path) -> Archive:
    """Adds what is small: the reference and the state; and refuses activations that fit no target."""
    arrays = folder.read_natural(first)
    archive.natural = Natural(arrays) if arrays else None
    archive.state = folder.read_state(last)
    if archive.columns:
        width = archive.activations[:].shape[1]  # also refuses NaN at once
        if width != len(archive.targets):
            raise RefusedInput(f"{archive.path}: activations for {width} targets, the header has {len(archive.targets)}")
    return archive


def _joined(pieces: list[folder.Piece]) -> dict[str, Rows]:
    """Columns over pieces that follow each other."""
    if not pieces:
        return {}
    starts = np.cumsum([0] + [piece.rows for piece in pieces])
    return {
        name: Rows((starts[-1], *shape), schema.COLUMNS[name].dtype, _reader(name, pieces, starts))
        for name, shape in pieces[0].shapes.items()
    }


def _reader(name: str, pieces: list[folder.Piece], starts: np.ndarray):
    def read(start: int, stop: int) -> np.ndarray:
        parts = []
        first = int(np.searchsorted(starts, start, "right")) - 1
        for piece, offset in zip(pieces[first:], starts[first:-1], strict=True):
            if offset >= stop and parts:
                break
            parts.append(_rows(piece, name, max(start - offset, 0), min(stop - offset, piece.rows)))
        if not parts:
            parts = [_rows(pieces[-1], name, 0, 0)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    return read


def _rows(piece: folder.Piece, name: str, start: int, stop: int) -> np.ndarray:
    with folder.opened(piece.path) as parts:
        return Column(parts.columns[name], f"{piece.path}: /{name}").read(int(start), int(stop))


def _rendered(codes: Rows, generate) -> Rows:
    """Images made again from codes: clipped and rounded as the sampler does."""

    def read(start: int, stop: int) -> np.ndarray:
        return np.rint(np.clip(np.asarray(generate(codes[start:stop]), np.float32), 0, 255)).astype(np.uint8)

    shape = np.shape(read(0, 1))
    return Rows((len(codes), *shape[1:]), np.uint8, read)
