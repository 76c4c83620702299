"""Writing an archive: a batch is safe when append returns, whatever happens next."""

import os
import pathlib
import shutil

import numpy as np

from tf_inverse.archive import compact, durable, folder, hdf, schema
from tf_inverse.archive.lock import Lock
from tf_inverse.errors import UsageError


class Writer:
    """Writes the samples of one run; a context manager.

    Leaving it without `finish` keeps the run, to be carried on with resume=True.

    Attributes:
        found: Samples safe so far.
        state: What the run goes on from, name -> array; None before the first batch.
        header: The header as it is stored.

    Args:
        path: The archive to be, OUT.h5. The run lives in OUT.h5.run until it is finished.
        header: The fields of schema.GIVEN.
        overwrite: Start anew where an archive or a run exists. A finished archive stays until the new one takes its place.
        resume: Carry on an unfinished run, or a finished one that holds fewer samples than asked; start where neither exists.
        natural: Optional reference over natural images: activations [N, p], encodings [N, dE], mean [p], sd [p].

    Raises:
        FileExistsError: an archive or run is there and neither overwrite nor resume fits; or it is being written (Locked).
        UsageError: resume with other settings, weights or versions; names every difference.
        RefusedInput: the run's folder is damaged.
        OSError: the folder is missing or read-only.
    """

    def __init__(self, path, header: dict, overwrite: bool = False, resume: bool = False, natural: dict | None = None):
        self.path = pathlib.Path(path)
        self.header = schema.check_header(header)
        self.folder = folder.beside(self.path)
        self._natural = natural
        self._pieces: list[folder.Piece] = []
        self.state: dict | None = None
        self._refuse_existing(overwrite, resume)
        self.folder.mkdir(exist_ok=True)
        self._lock = Lock(self.folder / folder.LOCK, self.path)
        try:
            self._start(overwrite, resume)
        except BaseException:
            self.close()
            raise

    @property
    def found(self) -> int:
        """Samples safe so far."""
        return sum(piece.rows for piece in self._pieces)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self) -> None:
        """Lets go of the lock; an unfinished run stays, an empty folder does not."""
        if folder.read_header(self.folder) is None:
            folder.remove(self.folder)
        self._lock.release()

    def append(self, samples: schema.Samples, state: dict) -> None:
        """Stores a batch and the state after it; on return both survive kill -9 and a crash of the machine.

        Args:
            samples: A batch, possibly of no samples.
            state: name -> array, from which the run goes on.

        Raises:
            ValueError: wrong types, lengths or shapes, NaN, or a state that cannot be stored.
            OSError: nothing of this batch was stored; what was appended before stays valid.
        """
        columns = self._columns(samples)
        for name, array in state.items():
            if not schema.STATE_NAME.fullmatch(name) or np.asarray(array).dtype.kind not in "biuf":
                raise ValueError(f"state {name!r}: expected a plain name and an array of numbers")
        attributes = {"run": schema.digest(self.header), "start": self.found}
        index = len(self._pieces)
        data = hdf.shard(columns, state, attributes, None if index else self._natural)
        path = folder.shard_path(self.folder, index)
        durable.write(path, data)
        shapes = {name: array.shape[1:] for name, array in sorted(columns.items())}
        self._pieces.append(folder.Piece(path, len(samples.steps), shapes))
        self.state = dict(state)

    def finish(self, summary: dict) -> pathlib.Path:
        """Puts all shards into one file at `path` and removes the run's folder.

        Args:
            summary: What to say about the run, a JSON object; wall-clock entries (schema.TIMES) are left out, so that the
                same machine and settings give the same bytes.

        Raises:
            OSError: the run's folder still holds everything; free space and resume.
        """
        if not self.found:
            raise ValueError("no sample was appended: nothing to finish")
        summary = schema.without_times(summary)
        schema.check_object(summary, dict, "summary")
        temporary = self.folder / (self.path.name + durable.TEMPORARY)
        compact.write(temporary, self.header, summary, self._pieces)
        mark = {"sha256": durable.checksum(temporary)}
        durable.write(self.folder / folder.FINISHED, schema.to_json(mark).encode())
        durable.publish(temporary, self.path)
        folder.sweep(self.folder)
        return self.path

    def _columns(self, samples: schema.Samples) -> dict:
        arrays = compact.columns_of(samples, self.header["settings"].get("store", "images"))
        if not len(samples.steps):
            return {}
        shapes = {name: array.shape[1:] for name, array in sorted(arrays.items())}
        first = next((piece.shapes for piece in self._pieces if piece.shapes), shapes)
        if shapes != first:
            raise ValueError(f"a batch of shapes {shapes}, expected {first} as before")
        return arrays

    def _refuse_existing(self, overwrite: bool, resume: bool) -> None:
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"{self.path.parent} is not a folder; make it or choose another place")
        if overwrite or resume:
            return
        if self.path.exists():
            raise FileExistsError(f"{self.path} exists; choose another name, or overwrite it")
        if (self.folder / folder.HEADER).exists():
            raise FileExistsError(f"{self.folder} holds an unfinished run; carry it on with tf-inverse resume, or overwrite it")

    def _start(self, overwrite: bool, resume: bool) -> None:
        """Brings the folder to a known state: carried on, or fresh."""
        self._refuse_existing(overwrite, resume)
        stored = folder.read_header(self.folder)
        if self._spent() or overwrite or stored is None:
            folder.sweep(self.folder)
            stored = None
        if stored is None and resume and not overwrite and self.path.exists():
            stored = self._adopt()
        if stored is not None:
            self._carry_on(stored)
        elif stored != self.header:
            folder.write_header(self.folder, self.header)

    def _spent(self) -> bool:
        """Whether the finished file is in place and only the cleaning up was cut short."""
        mark = folder.read_json(self.folder / folder.FINISHED)
        return bool(mark) and self.path.exists() and mark.get("sha256") == durable.checksum(self.path)

    def _adopt(self) -> dict:
        """Makes a finished archive shard 0 of a new run, to be carried on."""
        with folder.opened(self.path, schema.FORMAT) as parts:
            stored = schema.read_header(parts.attributes, str(self.path))
            rows = parts.columns["steps"].shape[0]
        if rows >= self.header["asked"]:
            raise FileExistsError(
                f"{self.path} is finished with {rows} samples; ask for more to carry it on, choose another name, or overwrite it"
            )
        self._same_run(stored)
        target = folder.shard_path(self.folder, 0)
        try:
            os.link(self.path, target)
        except OSError:  # another file system's rule, no hard links: a copy serves as well
            temporary = target.with_name(target.name + durable.TEMPORARY)
            shutil.copyfile(self.path, temporary)
            durable.publish(temporary, target)
        folder.write_header(self.folder, self.header)
        return self.header

    def _carry_on(self, stored: dict) -> None:
        self._same_run(stored)
        self.header["asked"] = max(stored["asked"], self.header["asked"])
        if self.header != stored:
            folder.write_header(self.folder, self.header)
        self._pieces = folder.pieces(self.folder, self.header)
        if self._pieces:
            self.state = folder.read_state(self._pieces[-1].path)

    def _same_run(self, stored: dict) -> None:
        lines = [line for line in schema.differences(stored, self.header) if not line.startswith("asked:")]
        if lines:
            raise UsageError(f"{self.path} cannot be carried on, it was made differently: " + "; ".join(lines))
