"""Writing an archive: a batch is safe when append returns, whatever happens next."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator

import numpy as np

from tf_inverse.archive import (
    atomic,
    attributes,
    hdf5,
    json_file,
    merge,
    open_files,
    run_folder,
    schema,
    side_file,
)
from tf_inverse.archive.columns import Piece
from tf_inverse.archive.lock import Lock
from tf_inverse.errors import InverseSetError, UsageError
from tf_inverse.tensors import StrPath

WORLD = ("checksums", "network", "versions", "yardstick")
"""Fields of a header of which a run that goes on finds what it has, not what the archive tells."""


class StorageError(InverseSetError, OSError):
    """The disk is full, read-only or gone; the message says what is safe and how to go on."""

    exit_code = 3


class Complete(FileExistsError):
    """The archive is there, of the same run, and has all samples that are asked for."""


class Writer:
    """Writes the samples of one run; a context manager.

    Leaving it without `finish` keeps the run, to be carried on with resume=True.

    Args:
        path: The archive to be, OUT.h5. The run lives in OUT.h5.run until it is finished.
        header: The fields of `attributes.GIVEN`. settings["store"] = "codes" keeps thumbnails in
            place of images.
        overwrite: Start anew where an archive or a run exists. A finished archive stays until the
            new one takes its place, and then goes with what was said of it (`side_file`).
        resume: Carry on an unfinished run, or a finished one with fewer samples than are asked
            for; start where neither exists.
        natural: Optional reference over natural images: activations [N, p], encodings [N, dE],
            mean [p], sd [p].
        directions: Numbers of each target that is a direction, float32 [d], by its place among the
            targets.

    Attributes:
        path: The archive to be.
        folder: Where the run lives.
        header: As it is stored.
        state: What the run goes on from, name -> array; None before the first batch.

    Raises:
        Complete: with resume, a finished archive of the same run has as many samples.
        FileExistsError: an archive or run is there and neither overwrite nor resume fits; or
            another process writes it (LockedError).
        UsageError: resume with other settings, weights or versions; names every difference. Or
            with fewer samples than the unfinished run was asked for.
        RefusedInput: the run's folder is damaged.
        StorageError: the folder is read-only or full.
    """

    def __init__(
        self,
        path: StrPath,
        header: dict,
        overwrite: bool = False,
        resume: bool = False,
        natural: dict | None = None,
        directions: dict[int, np.ndarray] | None = None,
    ) -> None:
        self.path = pathlib.Path(path)
        self.folder = run_folder.beside(self.path)
        self.header = attributes.check_header(header)
        attributes.check_directions(self.header["targets"], directions or {})
        self.state: dict | None = None
        self._first = {"natural": natural, "directions": directions}
        self._fresh = False
        self._pieces: list[Piece] = []
        self._refuse_existing(overwrite, resume)
        with self._safely("start"):
            self.folder.mkdir(exist_ok=True)
            self._lock = Lock(self.folder / run_folder.LOCK, self.path)
            try:
                self._start(overwrite, resume)
            except BaseException:
                self.close()
                raise

    @property
    def found(self) -> int:
        """Samples safe so far."""
        return sum(piece.rows for piece in self._pieces)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the lock; an unfinished run stays, one that stored nothing does not."""
        with contextlib.suppress(OSError):
            if self._fresh and not self._pieces:
                run_folder.sweep(self.folder)
            if not (self.folder / run_folder.HEADER).exists():
                run_folder.remove(self.folder)
        self._lock.release()

    def discard(self) -> None:
        """Drops the run and all that it stored; nothing is in the way of another one."""
        run_folder.sweep(self.folder)

    def append(self, samples: schema.Samples, state: dict) -> None:
        """Stores a batch and the state after it; on return both survive kill -9 and power loss.

        Args:
            samples: A batch, possibly of no samples.
            state: name -> array of numbers, from which the run goes on.

        Raises:
            ValueError: wrong types, lengths or shapes, NaN, or a state that cannot be stored.
            StorageError: nothing of this batch was stored; what was appended before stays valid.
        """
        columns = self._columns(samples)
        for name, array in state.items():
            if not schema.STATE_NAME.fullmatch(name) or np.asarray(array).dtype.kind not in "biuf":
                raise ValueError(f"state {name!r}: expected a plain name and an array of numbers")
        index = len(self._pieces)
        fields = {"run": attributes.digest(self.header), "start": self.found}
        first = {"natural": None} if index else self._first
        data = hdf5.shard(columns, state, fields, **first)
        path = run_folder.shard_path(self.folder, index)
        with self._safely("store a batch"):
            atomic.write(path, data)
        shapes = {name: array.shape[1:] for name, array in columns.items()}
        self._pieces.append(Piece(path, len(samples.steps), shapes))
        self.state = dict(state)

    def finish(self, summary: dict) -> pathlib.Path:
        """Puts all batches into one file at `path` and removes the run's folder.

        Args:
            summary: What to say about the run, a JSON object. Wall-clock entries
                (`attributes.TIMES`) are left out, so that the same machine and settings give the
                same bytes.

        Raises:
            StorageError: the run's folder still holds everything; free space and resume.
        """
        if not self.found:
            raise ValueError("no sample was appended: nothing to finish")
        summary = attributes.without_times(summary)
        attributes.check_object(summary, dict, "summary")
        temporary = self.folder / (self.path.name + atomic.TEMPORARY)
        with self._safely("finish"):
            merge.write(temporary, self.header, summary, self._pieces)
            mark = attributes.to_json({"sha256": atomic.checksum(temporary)})
            atomic.write(self.folder / run_folder.FINISHED, mark.encode())
            with side_file.replacing(self.path):
                atomic.publish(temporary, self.path)
        with contextlib.suppress(OSError):  # what is left is recognised as spent by its mark
            run_folder.sweep(self.folder)
        return self.path

    @contextlib.contextmanager
    def _safely(self, what: str) -> Iterator[None]:
        try:
            yield
        except (FileExistsError, InverseSetError):
            raise
        except OSError as error:
            if self.found:
                rest = (
                    f"{self.found} samples are safe in {self.folder}. Put that right, then carry "
                    f"on with: tf-inverse resume {self.path}"
                )
            else:
                rest = "none stored. Put that right, then give the same command again"
            reason = error.strerror or str(error)
            raise StorageError(f"cannot {what} at {self.path}: {reason}; {rest}") from error

    def _columns(self, samples: schema.Samples) -> dict:
        arrays = merge.columns_of(samples, self.header["settings"].get("store", "images"))
        if not len(samples.steps):
            return {}
        shapes = {name: array.shape[1:] for name, array in arrays.items()}
        first = next((piece.shapes for piece in self._pieces if piece.shapes), shapes)
        if shapes != first:
            raise ValueError(f"a batch of shapes {shapes}, expected {first} as before")
        return arrays

    def _refuse_existing(self, overwrite: bool, resume: bool) -> None:
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"{self.path.parent} is not a folder; make it first")
        if overwrite or resume:
            return
        if self.path.exists():
            raise FileExistsError(f"{self.path} exists; choose another name or --overwrite")
        if (self.folder / run_folder.HEADER).exists():
            raise FileExistsError(
                f"{self.folder} holds an unfinished run; tf-inverse resume {self.path}, "
                "or --overwrite"
            )

    def _start(self, overwrite: bool, resume: bool) -> None:
        """Brings the folder to a known state: carried on, or fresh."""
        self._refuse_existing(overwrite, resume)  # again, now that nobody else can write
        if overwrite or self._spent():
            run_folder.sweep(self.folder)
        stored = run_folder.read_header(self.folder)
        if stored is None:
            run_folder.sweep(self.folder)
            stored = self._adopt() if self.path.exists() and not overwrite else None
        if stored is None:
            run_folder.write_header(self.folder, self.header)
            self._fresh = True
        else:
            self._carry_on(stored)

    def _spent(self) -> bool:
        """Whether the finished file is in place and only the cleaning up was cut short."""
        finished = self.folder / run_folder.FINISHED
        mark = json_file.value(finished, run_folder.MAX_HEADER, links=False)
        if not isinstance(mark, dict) or not self.path.exists():
            return False
        return mark.get("sha256") == atomic.checksum(self.path)

    def _adopt(self) -> dict:
        """Makes a finished archive shard 0 of a new run, to be carried on."""
        with open_files.opened(self.path, schema.FORMAT) as parts:
            stored = attributes.read_header(parts.attributes, str(self.path))
            rows = parts.columns["steps"].shape[0]
        self._check_same_run(stored)
        if rows >= self.header["asked"]:
            raise Complete(
                f"{self.path} is finished with {rows} samples; ask for more (--n) to carry it on, "
                "choose another name or --overwrite"
            )
        target = run_folder.shard_path(self.folder, 0)
        try:
            os.link(self.path, target)
        except OSError:  # a file system without hard links
            atomic.copy(self.path, target)
        run_folder.write_header(self.folder, self.header)
        return self.header

    def _carry_on(self, stored: dict) -> None:
        self._check_same_run(stored)
        self._pieces = run_folder.pieces(self.folder, stored)
        if self.found and self.header["asked"] < stored["asked"]:
            raise UsageError(
                f"{self.folder} holds {self.found} of {stored['asked']} samples of an unfinished "
                f"run, and --n={self.header['asked']} asks for fewer: tf-inverse resume "
                f"{self.path} goes on with it; --overwrite starts again; or give another name"
            )
        if self.header != stored:
            run_folder.write_header(self.folder, self.header)
        if self._pieces:
            with open_files.Files() as files:
                self.state = run_folder.read_state(files, self._pieces[-1].path)

    def _check_same_run(self, stored: dict) -> None:
        lines = attributes.differences(
            attributes.identity(stored), attributes.identity(self.header)
        )
        # An earlier version's samples lack columns that those to come would have.
        if attributes.YARDSTICK in self.header and attributes.YARDSTICK not in stored:
            lines.append("yardstick: absent there, as in runs of an earlier version")
        if lines:
            # Targets and settings are stored; weights and versions have to be had once more.
            stored_all = not any(line.startswith(WORLD) for line in lines)
            how = f"; tf-inverse resume {self.path} goes on as it began" if stored_all else ""
            raise UsageError(
                f"{self.path} cannot be carried on, it was made differently: "
                f"{'; '.join(lines)}{how}"
            )
