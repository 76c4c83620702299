"""Pictures of an archive as files: contact sheets, ladders of archives, single images."""

from __future__ import annotations

import io
import pathlib
import re
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tf_inverse import archive as archives
from tf_inverse import diversity
from tf_inverse.archive import atomic
from tf_inverse.errors import UsageError
from tf_inverse.report import beside, encode, ordering, overlay, page_data, sheet, standing, text
from tf_inverse.tensors import Array, StrPath

if TYPE_CHECKING:
    from tf_inverse.archive import Archive


MOST = 2000
"""Most images of one sheet."""

OURS = "tf_inverse"
"""The software, as pictures and pages of ours name it."""

ORDERS = ("activation", "found", "similar", "different")

# The files of `images`, by their names and by the metadata that is written into them.
_NAME, _OWN = re.compile(r"\d+_[-+.\w]+\.png"), re.compile(rb"Software\0+tf_inverse")


def opened(paths: Sequence[StrPath]) -> tuple[list[Archive], list[str]]:
    """Opens archives and names them for people.

    Args:
        paths: Finished files or folders of runs.

    Returns:
        (archives, names): file names, with folders where two would be the same.

    Raises:
        UsageError: No path, or an archive without samples.
        RefusedInput: Not an archive, or a damaged one.
    """
    if not paths:
        raise UsageError("expected at least one archive, got none")
    found = [archives.open(path) for path in paths]
    for path, one in zip(paths, found, strict=True):
        if not len(one):
            raise UsageError(f"{path} holds no samples yet")
    names = [pathlib.Path(path).name for path in paths]
    return found, names if len(set(names)) == len(names) else [str(path) for path in paths]


def save(path: StrPath, data: bytes, overwrite: bool = False) -> None:
    """Puts a file's contents in place, whole or not at all.

    Raises:
        FileExistsError: The file is there and overwrite is not set.
        IsADirectoryError: It is a folder.
        FileNotFoundError: Its folder is none.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"expected a file to write, {path} is a folder")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent} is not a folder; make it first")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; give --overwrite to replace it, or another --out")
    atomic.write(path, data)


def expect_ours(path: StrPath) -> None:
    """Refuses to take the place of a picture or page that is the user's own.

    Raises:
        FileExistsError: The file is there, and does not name this software.
    """
    path = pathlib.Path(path)
    if path.exists() and not (path.is_file() and OURS.encode() in path.read_bytes()):
        raise FileExistsError(
            f"{path} exists and is none of tf-inverse's; give --overwrite to replace it, or "
            "another name"
        )


def expect_ending(path: StrPath, *endings: str) -> None:
    """Refuses a name that tells of another kind of file than will be written, as an archive's.

    Raises:
        UsageError: It ends in none of the endings.
    """
    if not str(path).lower().endswith(endings):
        raise UsageError(f"expected --out to end in {' or '.join(endings)}, got {path}")


def contact(
    archive: Archive,
    rows: int | None = None,
    columns: int | None = None,
    order: str = "activation",
    nature: beside.Nature | None = None,
    maps: str | None = None,
) -> bytes:
    """The contact sheet of an archive as a PNG file's contents.

    Every image where rows is not given; otherwise the rows * columns most different ones.

    Args:
        archive: archive.Archive with samples.
        rows: Lines of images.
        columns: Images a line.
        order: One of ORDERS.
        nature: `beside.Nature` for a group of natural images below, or None.
        maps: A method of attribution, whose maps are drawn over the same images in a group for each
            target; the archive must have been explained by it.

    Returns:
        bytes.

    Raises:
        UsageError: An unknown order, a size that is not positive, too many images, or no such maps.
    """
    for name, value in (("rows", rows), ("columns", columns)):
        if value is not None and value < 1:
            raise UsageError(f"expected --{name} of at least 1, got {value}")
    count = len(archive)
    if rows:
        columns = columns or min(10, -(-count // rows))
        count = rows * columns
    chosen = _chosen(archive, count, order)
    shown = page_data.shown_images(archive)[chosen]
    captions = text.captions(archive.activations[:][chosen], archive.targets)
    groups = [sheet.Row("", shown, captions)]
    if maps:
        groups += _overlaid(archive, maps, chosen, shown, captions)
    groups += natural_rows(archive, nature)
    return _png(sheet.row_sheet(groups, title(archive, len(chosen)), columns))


def _overlaid(
    archive: Archive, method: str, chosen: Array, shown: Array, captions: list[str]
) -> list[sheet.Row]:
    """For each target a group of the images with its maps over them."""
    there = beside.maps(archive)
    if method not in there:
        raise UsageError(
            f"expected maps that {archive.path} has ({', '.join(there) or 'none yet'}), got "
            f"{method!r}; tf-inverse explain {archive.path} --methods={method} makes them"
        )
    rows = there[method]
    if len(rows) <= chosen.max():
        raise UsageError(
            f"expected maps of all samples of {archive.path}, it has those of {len(rows)}; "
            f"tf-inverse explain {archive.path} goes on"
        )
    groups = []
    for i, target in enumerate(archive.targets):
        words = f"What drives {text.neuron(target)} ({method.replace('_', ' ')})"
        images = [
            overlay.blended(image, rows[at][i]) for image, at in zip(shown, chosen, strict=True)
        ]
        heading = f"{words}: red raises the activation, blue lowers it"
        groups.append(sheet.Row(heading, np.stack(images), captions))
    return groups


def natural_rows(
    archive: Archive, nature: beside.Nature | None, most: int | None = None
) -> list[sheet.Row]:
    """A group of natural images for a sheet, none where there are none.

    Args:
        archive: archive.Archive, for the decimals of its bands.
        nature: `beside.Nature`, or None.
        most: Images at most, evenly over their activations.
    """
    if nature is None or not len(nature.images):
        return []
    count = len(nature.images)
    at = diversity.evenly(np.arange(count), most or count)
    captions = text.captions(nature.activations[at], archive.targets)
    return [sheet.Row(nature.titled(len(at)), nature.images[at], captions)]


def ladder(
    steps: Sequence[Archive],
    columns: int = 10,
    natures: Sequence[beside.Nature | None] | None = None,
) -> bytes:
    """Archives in rows, the most different samples of each: the paper's figures 1 and 4.

    Args:
        steps: archive.Archive list, each with samples.
        columns: Images a row.
        natures: For each archive `beside.Nature` to show below its row, or None.

    Returns:
        PNG file's contents, bytes.
    """
    rows = []
    for archive, nature in zip(steps, natures or [None] * len(steps), strict=True):
        chosen = _chosen(archive, columns, "activation")
        texts = text.captions(archive.activations[:][chosen], archive.targets)
        share = standing.share(archive)
        line = heading(archive) + (f": {share}" if share else "")
        rows.append(sheet.Row(line, page_data.shown_images(archive)[chosen], texts))
        rows += natural_rows(archive, nature, columns)
    neurons = list(dict.fromkeys(text.neuron(t) for a in steps for t in a.targets))
    lines = [f"{', '.join(neurons)} of {steps[0].network}", "most different samples of each range"]
    return _png(sheet.row_sheet(rows, lines, columns))


def title(archive: Archive, shown: int) -> list[str]:
    """The lines over an archive's sheet."""
    line = f"{len(archive)} of {archive.asked} samples"
    if shown < len(archive):
        line += f", the {shown} most different"
    line += "".join(f"; {words}" for words in text.variety(text.numbers(archive.summary)))
    return [f"{heading(archive)} in {archive.network}", *standing.lines(archive), line]


def heading(archive: Archive) -> str:
    """The targets of an archive in a line."""
    return " and ".join(f"{text.neuron(t)} from {text.band(t)}" for t in archive.targets)


def images(archive: Archive, folder: StrPath, overwrite: bool = False) -> int:
    """Writes each image as a PNG whose name and metadata hold its activations.

    Args:
        archive: archive.Archive that stores images.
        folder: A folder to be, or an empty one.
        overwrite: Take one that holds something: the images of an earlier call are replaced.

    Returns:
        Number of files.

    Raises:
        FileExistsError: The folder holds something, and overwrite is False.
    """
    folder = pathlib.Path(folder)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"expected a folder to write to, {folder} is a file")
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()) and not overwrite:
        raise FileExistsError(f"{folder} is not empty; give --overwrite, or name a new folder")
    for earlier in folder.iterdir():
        if _NAME.fullmatch(earlier.name) and _OWN.search(earlier.read_bytes()):
            earlier.unlink()
    z, steps, chain = archive.activations[:], archive.steps[:], archive.chain[:]
    texts = text.captions(z, archive.targets)
    for i, label in enumerate(texts):
        facts = {
            text.asked(t): repr(float(value))
            for t, value in zip(archive.targets, z[i], strict=True)
        }
        facts |= {"Source": archive.name, "network": archive.network, "row": str(i)}
        facts |= {"step": str(steps[i]), "chain": str(chain[i]), "Software": OURS}
        name = f"{i:0{len(str(len(z)))}d}_{label.replace(' / ', '_')}.png"
        (folder / name).write_bytes(encode.png(archive.images[i], facts.items()))
    return len(texts)


def _chosen(archive: Archive, count: int, order: str) -> Array:
    if order not in ORDERS:
        raise UsageError(f"expected --order to be one of {', '.join(ORDERS)}, got {order!r}")
    if min(count, len(archive)) > MOST:
        raise UsageError(
            f"expected at most {MOST} images on a sheet, got {len(archive)}; "
            "give --rows and --columns for the most different ones"
        )
    e = archive.encodings[:]
    chosen = np.arange(len(e))
    if count < len(e) or order == "different":
        chosen = ordering.most_different(e, count)
    if order == "activation":
        return chosen[ordering.by_activation(archive.activations[:][chosen])]
    if order == "similar":
        return chosen[ordering.by_similarity(e[chosen])]
    return np.sort(chosen) if order == "found" else chosen


def _png(picture: Image.Image) -> bytes:
    buffer, metadata = io.BytesIO(), PngInfo()
    metadata.add_text("Software", OURS)
    # Runs of the same byte alone: half the time of zlib's search for a file that is 3 % larger.
    picture.save(buffer, "PNG", compress_level=1, compress_type=zlib.Z_RLE, pnginfo=metadata)
    return buffer.getvalue()
