"""What lies beside an archive: attribution maps of its samples, natural images of its bands."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tf_inverse.archive import side_file
from tf_inverse.archive.columns import Rows
from tf_inverse.errors import RefusedInput
from tf_inverse.report import encode, faceted, overlay, text
from tf_inverse.tensors import Array

if TYPE_CHECKING:
    from tf_inverse.archive import Archive


class Nature(NamedTuple):
    """Natural images whose activations lie in every band, by the first activation.

    Attributes:
        images: [m, H, W, C] uint8, of the size of the generator's images.
        activations: [m, p] float32.
        numbers: Numbers of the images in their source, [m] int64.
        inside: How many images of those looked at lie in the bands, m at least.
        looked_at: How many images were looked at.
        source: Name of the folder or file.
    """

    images: Array
    activations: Array
    numbers: Array
    inside: int
    looked_at: int
    source: str

    @property
    def title(self) -> str:
        """Which of the images are shown, as a heading."""
        return self.titled(len(self.images))

    def titled(self, shown: int) -> str:
        """The heading where so many of them are shown."""
        title = f"Natural images in the range: {self.inside} of {self.looked_at} of {self.source}"
        return title if shown == self.inside else f"{title}, {shown} of them here"


def nature(archive: Archive) -> Nature | None:
    """The natural images that the file beside an archive holds, or None.

    Raises:
        RefusedInput: That file is damaged or of another archive.
    """
    return _nature(archive, side_file.sections(archive.path))


def _nature(archive: Archive, sections: Mapping[str, side_file.Section]) -> Nature | None:
    section = sections.get(side_file.NATURE)
    if section is None:
        return None
    arrays, p = section.arrays, len(archive.targets)
    kinds = {"images": "u", "activations": "f", "numbers": "iu"}
    facts = {"inside": int, "looked_at": int, "source": str}
    right = set(arrays) == set(kinds)
    right = right and all(arrays[name].dtype.kind in kind for name, kind in kinds.items())
    right = right and arrays["activations"].shape[1:] == (p,) and len(arrays["numbers"].shape) == 1
    right = right and len(arrays["images"].shape) == 4 and arrays["images"].shape[3] in (1, 3)
    right = right and arrays["images"].dtype == np.uint8 and min(arrays["images"].shape[1:3]) > 0
    right = right and bool(np.isfinite(arrays["activations"][:]).all())
    if not right or any(type(section.facts.get(name)) is not kind for name, kind in facts.items()):
        raise RefusedInput(
            f"{side_file.beside(archive.path)}: expected natural images with {p} activations each, "
            "and where they are from; remove it and give --nature again"
        )
    images, activations, numbers = (arrays[name][:] for name in kinds)
    return Nature(images, activations, numbers, **{name: section.facts[name] for name in facts})


def store(path: str | pathlib.Path, found: Nature) -> None:
    """Puts natural images into the file beside an archive.

    Args:
        path: The finished archive.
        found: The images.

    Raises:
        FileExistsError: As of `side_file.put`; RefusedInput as well.
    """
    arrays = {name: np.asarray(getattr(found, name)) for name in Nature._fields[:3]}
    facts = {name: getattr(found, name) for name in Nature._fields[3:]}
    side_file.put(path, side_file.NATURE, arrays, facts)


def maps(archive: Archive) -> dict[str, Array]:
    """Attribution maps of an archive, method -> rows [n, p, H, W]; only of the samples explained.

    Raises:
        RefusedInput: As of `nature`.
    """
    return _maps(archive, side_file.sections(archive.path))


def _maps(archive: Archive, sections: Mapping[str, side_file.Section]) -> dict[str, Array]:
    section = sections.get(side_file.ATTRIBUTION)
    if section is None:
        return {}
    done: Any = section.facts.get("done")
    maps = {name: rows for name, rows in section.arrays.items() if name != side_file.RESIDUAL}
    shape = (len(archive), len(archive.targets))
    right = isinstance(done, dict) and set(done) == set(maps)
    right = right and all(type(count) is int and count >= 0 for count in done.values())
    right = right and all(_are_maps(rows, shape) for rows in maps.values())
    if not right:
        raise RefusedInput(
            f"{side_file.beside(archive.path)}: expected a map for each of {shape[0]} samples and "
            f"{shape[1]} neurons; remove it and run tf-inverse explain {archive.path} again"
        )
    return {name: rows[: done[name]] for name, rows in maps.items()}


def _are_maps(rows: Rows, shape: tuple[int, int]) -> bool:
    return (
        rows.dtype.kind == "f"
        and rows.shape[:2] == shape
        and len(rows.shape) == 4
        and all(side > 0 for side in rows.shape[2:])
    )


def page(
    archive: Archive, natural: Nature | None, pictures: encode.Pictures = encode.for_page
) -> dict[str, Any]:
    """The part of a page's data that is about these.

    Args:
        archive: archive.Archive.
        natural: Natural images of its bands; those beside the archive by default.
        pictures: As of `page_data.page`.

    Returns:
        dict with `layers` (method -> for each sample a data address for each target), `nature`
        (title and items), each None where there is nothing, and `facets` as of `faceted.page`.
    """
    # Once: the archive is hashed each time, to know that the file is its own.
    sections = side_file.sections(archive.path)
    layers = {
        name: [[overlay.address(one) for one in row] for row in rows]
        for name, rows in _maps(archive, sections).items()
    }
    natural = natural or _nature(archive, sections)
    return {
        "layers": layers or None,
        "nature": natural and _items(archive, natural, pictures),
        "facets": faceted.page(faceted.read(archive, sections)),
    }


def _items(archive: Archive, natural: Nature, pictures: encode.Pictures) -> dict[str, Any]:
    captions = text.captions(natural.activations, archive.targets)
    words = [
        f"Natural image {number} of {natural.source}, {caption}"
        for number, caption in zip(natural.numbers, captions, strict=True)
    ]
    shown = items(natural.images, captions, words, pictures)
    for item, z in zip(shown, natural.activations, strict=True):
        item["activations"] = [float(value) for value in z]
    return {"title": natural.title, "items": shown}


def items(
    images: Array, captions: Sequence[str], words: Sequence[str], pictures: encode.Pictures
) -> list[dict[str, Any]]:
    """Images of a row, each with its caption and the words that stand for it where it is not seen.

    Args:
        images: [m, H, W, C] uint8.
        captions: A text for each.
        words: Likewise.
        pictures: As of `page_data.page`.
    """
    thumbnails, _ = pictures(images)
    names = ("thumbnail", "caption", "words")
    return [
        dict(zip(names, one, strict=True)) for one in zip(thumbnails, captions, words, strict=True)
    ]
