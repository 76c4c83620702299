"""Reading an archive, finished or in progress, through one interface."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from tf_inverse.archive import attributes, open_files, run_folder, schema
from tf_inverse.archive.columns import Piece, Rows, joined
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.tensors import StrPath


class Natural:
    """Reference over natural images; None where an array is absent.

    Attributes:
        activations: float32 [N, p].
        encodings: float32 [N, dE], of the images in the range.
        mean: float64 [p], of each target's unit.
        sd: float64 [p].
    """

    def __init__(self, arrays: dict) -> None:
        self.activations, self.encodings = arrays.get("activations"), arrays.get("encodings")
        self.mean, self.sd = arrays.get("mean"), arrays.get("sd")


class Archive:
    """Samples of an inverse set with all that is known about how they were made.

    A context manager; `len()` is the number of samples. The columns images, codes, encodings,
    activations, steps and chain are attributes: `a.images[3:5]`, `a.activations[:]`; so are
    from_start and from_bank, None where the archive does not tell them.

    Attributes:
        path: Where it is: a file, or the folder of a run in progress.
        header: name, targets, settings, versions, checksums, network, seed and asked; each is
            also an attribute.
        columns: name -> Rows.
        complete: Whether as many samples as asked were found.
        summary: What the run said at its end; {} while it is in progress.
        in_progress: Whether it is a run's folder.
        thumbnails: Small images where images are not stored, else None.
        natural: Natural or None.
        directions: Numbers of each target that is a direction, float32 [d], by its place among the
            targets; none before the first batch.
        state: What the run goes on from, name -> array; None before its first batch.
    """

    def __init__(
        self,
        path: StrPath,
        header: dict,
        columns: dict[str, Rows],
        complete: bool = False,
        summary: dict | None = None,
        opened: open_files.Files | None = None,
    ) -> None:
        self.path, self.header, self.columns = pathlib.Path(path), header, columns
        self.name, self.network = header["name"], header["network"]
        self.targets, self.settings = header["targets"], header["settings"]
        self.versions, self.checksums = header["versions"], header["checksums"]
        self.seed, self.asked = header["seed"], header["asked"]
        self.complete, self.summary = complete, summary or {}
        self.in_progress = summary is None
        self.thumbnails = columns.get("thumbnails")
        self.natural: Natural | None = None
        self.directions: dict[int, np.ndarray] = {}
        self.state: dict | None = None
        self._opened = opened

    def __len__(self) -> int:
        return len(self.columns["steps"]) if self.columns else 0

    def __getattr__(self, name: str) -> Any:
        if name not in schema.COLUMNS:
            raise AttributeError(f"an archive has no {name}")
        if name in self.columns:
            return self.columns[name]
        if not self.columns:
            raise UsageError(f"{self.path} holds no samples yet")
        if name in schema.OPTIONAL:
            return None
        raise UsageError(f"{self.path} stores codes, not {name}: they have to be rendered first")

    def rendered(self, render: Callable[[np.ndarray], np.ndarray]) -> Archive:
        """The archive itself, with images made from codes when they are asked for.

        Args:
            render: codes [n, d] -> images [n, H, W, C] uint8; not used where images are stored.
        """
        if self.thumbnails is not None:
            codes = self.columns["codes"]
            shape = (len(codes), *render(codes[:1]).shape[1:])
            self.columns["images"] = Rows(shape, np.uint8, lambda i, j: render(codes[i:j]))
        return self

    def directed(self, directions: dict[int, np.ndarray]) -> None:
        """Takes the directions of its targets.

        Raises:
            RefusedInput: One is missing, or has another checksum than the header says.
        """
        try:
            attributes.check_directions(self.targets, directions)
        except ValueError as error:
            raise RefusedInput(f"{self.path}: {error}") from error
        self.directions = directions

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes its files; they open again when a column is read."""
        if self._opened is not None:
            self._opened.close()


def open_archive(path: StrPath) -> Archive:
    """`archive.open` in this process."""
    path = pathlib.Path(path)
    if not path.exists() and run_folder.beside(path).is_dir():
        path = run_folder.beside(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    return _open_run(path) if path.is_dir() else _open_finished(path)


def _open_finished(path: pathlib.Path) -> Archive:
    opened = open_files.Files()
    parts = opened.parts(path, schema.FORMAT)
    fields = parts.attributes
    header = attributes.read_header(fields, str(path))
    summary = attributes.read_attribute(fields, "summary", str(path))
    if not isinstance(summary, dict):
        raise RefusedInput(f"{path}: attribute summary must be a JSON object")
    shapes = {name: tuple(found.shape[1:]) for name, found in parts.columns.items()}
    piece = Piece(path, parts.columns["steps"].shape[0], shapes)
    columns = joined([piece], opened)
    archive = Archive(path, header, columns, fields["complete"], summary, opened)
    return _filled(archive, opened, path, path)


def _open_run(path: pathlib.Path) -> Archive:
    header = run_folder.read_header(path)
    if header is None:
        raise RefusedInput(f"{path}: no {run_folder.HEADER}, so not the folder of a run")
    pieces, opened = run_folder.pieces(path, header), open_files.Files()
    archive = Archive(path, header, joined(pieces, opened), opened=opened)
    return _filled(archive, opened, pieces[0].path, pieces[-1].path) if pieces else archive


def _filled(
    archive: Archive, opened: open_files.Files, first: pathlib.Path, last: pathlib.Path
) -> Archive:
    """Adds what is small: the reference and the state; refuses activations that fit no target."""
    arrays = run_folder.read_natural(opened, first)
    archive.natural = Natural(arrays) if arrays else None
    archive.state = run_folder.read_state(opened, last)
    archive.directed(run_folder.read_directions(opened, first))
    if archive.columns:
        width, p = archive.activations[:].shape[1], len(archive.targets)  # also refuses NaN at once
        if width != p:
            raise RefusedInput(f"{archive.path}: activations of {width} targets, expected {p}")
    return archive
