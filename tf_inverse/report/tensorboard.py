"""Samples for TensorBoard: images, histograms, text, the Embedding Projector, and live curves.

Writes event files with the package tensorboard alone; TensorFlow is not needed.
"""

from __future__ import annotations

import io
import math
import os
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from tf_inverse.errors import UsageError
from tf_inverse.report import encode, figure_table, ordering, page_data, png, standing, text
from tf_inverse.tensors import Array, StrPath

if TYPE_CHECKING:
    from tf_inverse.archive import Archive
    from tf_inverse.method.sampler import Info


SPRITE = 8192
"""Largest side of a sprite image that the Projector shows."""

IMAGES = 60


def tensorboard() -> tuple[ModuleType, Callable[[BinaryIO], Any]]:
    """The modules of the package tensorboard that are needed here.

    Raises:
        UsageError: The package is missing; says how to install it.
    """
    try:
        from tensorboard.compat import proto
        from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2  # noqa: F401
        from tensorboard.summary.writer.record_writer import RecordWriter
    except ImportError as error:
        raise UsageError(
            "expected the package tensorboard, which is not installed: "
            "pip install 'tf_inverse[tensorboard]'"
        ) from error
    return proto, RecordWriter


class Board:
    """Writes one event file; a context manager.

    Args:
        folder: Log folder, made where it is missing.
    """

    def __init__(self, folder: StrPath):
        self._proto, records = tensorboard()
        folder = pathlib.Path(folder)
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(f"expected a folder to write to, {folder} is a file")
        folder.mkdir(parents=True, exist_ok=True)
        # tensorboard's own EventFileWriter would import TensorFlow where it is installed.
        self._file = open(folder / f"events.out.tfevents.{time.time_ns()}.{os.getpid()}", "xb")
        self._records = records(self._file)
        self._put(file_version="brain.Event:2")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def scalar(self, name: str, value: float, step: int) -> None:
        """One point of a curve."""
        self._add(step, tag=name, simple_value=float(value))

    def histogram(self, name: str, values: ArrayLike, step: int, bins: int = 30) -> None:
        """The distribution of values, [n], at a step."""
        values = np.asarray(values, np.float64)
        counts, edges = np.histogram(values, bins)
        histogram = self._proto.summary_pb2.HistogramProto(
            min=values.min(),
            max=values.max(),
            num=len(values),
            sum=values.sum(),
            sum_squares=np.square(values).sum(),
            bucket_limit=edges[1:].tolist(),
            bucket=counts.tolist(),
        )
        self._add(step, tag=name, histo=histogram)

    def image(self, name: str, png: bytes, step: int) -> None:
        """One picture, a PNG file's contents."""
        width, height = Image.open(io.BytesIO(png)).size
        picture = self._proto.summary_pb2.Summary.Image(
            height=height, width=width, colorspace=3, encoded_image_string=png
        )
        self._add(step, tag=name, image=picture)

    def text(self, name: str, markdown: str, step: int = 0) -> None:
        """A text in Markdown."""
        summary, tensor = self._proto.summary_pb2, self._proto.tensor_pb2
        plugin = summary.SummaryMetadata.PluginData(plugin_name="text")
        self._add(
            step,
            tag=name,
            metadata=summary.SummaryMetadata(plugin_data=plugin),
            tensor=tensor.TensorProto(dtype=7, string_val=[markdown.encode()]),  # DT_STRING
        )

    def _add(self, step: int, **value: Any) -> None:
        summary = self._proto.summary_pb2.Summary
        self._put(step=int(step), summary=summary(value=[summary.Value(**value)]))

    def _put(self, **event: Any) -> None:
        record = self._proto.event_pb2.Event(wall_time=time.time(), **event)
        self._records.write(record.SerializeToString())
        self._file.flush()


def live(
    board: Board, info: Info, activations: Array, targets: Sequence[Mapping[str, Any]]
) -> None:
    """The curves of a run so far: found, acceptance, restarts, mu, activations.

    Args:
        board: Board.
        info: sampler.Info of a batch.
        activations: Activations of the batch's samples, [n, p].
        targets: p target dictionaries.
    """
    for name in ("found", "acceptance", "restarts", "mu"):
        board.scalar(f"run/{name}", getattr(info, name), info.steps)
    for i, target in enumerate(targets):
        if len(activations):
            board.histogram(f"activations/{text.neuron(target)}", activations[:, i], info.steps)


def write(archive: Archive, folder: StrPath) -> None:
    """Writes an archive for TensorBoard.

    Args:
        archive: archive.Archive with samples.
        folder: Log folder.
    """
    folder = pathlib.Path(folder)
    z, e = archive.activations[:], archive.encodings[:]
    with Board(folder) as board:
        board.text("sample", _words(archive))
        columns = math.ceil(math.sqrt(IMAGES))
        board.image("sheet", png.contact(archive, -(-IMAGES // columns), columns), 0)
        for step, i in enumerate(ordering.most_different(e, IMAGES)):
            image = page_data.shown_images(archive)[int(i)]
            board.image("most different", encode.png(image), step)
        for i, target in enumerate(archive.targets):
            board.histogram(f"activations/{text.neuron(target)}", z[:, i], 0)
            natural = standing.activations(archive, i)
            if natural is not None:
                board.histogram(f"natural activations/{text.neuron(target)}", natural, 0)
    projector(archive, folder)


def projector(archive: Archive, folder: pathlib.Path) -> None:
    """Writes encodings, activations and sprites for the Embedding Projector."""
    images, z = page_data.shown_images(archive)[:], archive.activations[:]
    lines = ["\t".join(["row", "step", "chain", *(_cell(text.asked(t)) for t in archive.targets)])]
    for i, numbers in enumerate(zip(archive.steps[:], archive.chain[:], z, strict=True)):
        step, chain, activations = numbers
        lines.append("\t".join([str(i), str(step), str(chain), *(f"{a:.6g}" for a in activations)]))
    (folder / "metadata.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    np.savetxt(folder / "encodings.tsv", archive.encodings[:], fmt="%.5g", delimiter="\t")
    sprite, side = sprites(images)
    sprite.save(folder / "sprites.png")
    (folder / "projector_config.pbtxt").write_text(
        'embeddings {\n  tensor_name: "encodings"\n  tensor_path: "encodings.tsv"\n'
        '  metadata_path: "metadata.tsv"\n  sprite {\n    image_path: "sprites.png"\n'
        f"    single_image_dim: {side}\n    single_image_dim: {side}\n  }}\n}}\n",
        encoding="utf-8",
    )


def sprites(images: Array) -> tuple[Image.Image, int]:
    """All images as squares in one picture, in reading order.

    Returns:
        (PIL.Image.Image, side of a square in pixels).
    """
    columns = math.ceil(math.sqrt(len(images)))
    side = min(64, max(images.shape[1:3]), SPRITE // columns)
    picture = Image.new("RGB", (columns * side, columns * side))
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        small = encode.picture(image).resize((side, side), Image.Resampling.LANCZOS)
        picture.paste(small, (column * side, row * side))
    return picture, side


def _words(archive: Archive) -> str:
    lines = [text.question(archive.targets, archive.network), *standing.lines(archive)]
    figures = page_data.figures(archive)
    rows = [
        f"| {name} | {figure_table.figure(key, figures.get(key))} |"
        for key, (name, _) in figure_table.FIGURES.items()
    ]
    return "\n\n".join(lines) + "\n\n| figure | |\n|---|---|\n" + "\n".join(rows)


def _cell(text: str) -> str:
    return " ".join(text.split())
