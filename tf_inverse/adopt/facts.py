"""Facts of a classifier and of a generator, each gathered once, before either meets the other."""

from __future__ import annotations

from typing import Any, NamedTuple

from tf_inverse.adopt import adapters, check, layouts, loading
from tf_inverse.adopt import pixels as pixel_words
from tf_inverse.adopt.pixels import Pixels
from tf_inverse.errors import UsageError
from tf_inverse.networks.natural import Natural
from tf_inverse.networks.unit_labels import Labels
from tf_inverse.tensors import Model

STORED = ("bank", "gaussian")
"""Kinds of codes that lie in the folder of a network."""

Named = tuple[str | None, tuple[str, ...]]
"""A layer, or None for the output, and a name for each of its units."""


class Classifier(NamedTuple):
    """Facts of a classifier.

    Attributes:
        model: The model as it came.
        picture: How its image input is read.
        pixels: What pixels it takes.
        fixed: Values of its further inputs, by name.
        entries: What the folder of its network says, with `folder`; empty where it has none.
    """

    model: Model
    picture: layouts.Picture
    pixels: Pixels
    fixed: dict[str, Any]
    entries: dict[str, Any]

    @property
    def encoder(self) -> str | None:
        """The layer that its folder names."""
        return self.entries.get("encoder")

    @property
    def labels(self) -> Labels | None:
        """The labels that its folder has."""
        return Labels.read(self.entries.get("labels"))


class Generator(NamedTuple):
    """Facts of a generator.

    Attributes:
        model: The model as it came.
        size: d, entries of a code.
        image: Rows, columns and channels of its image, after the crop.
        pixels: (low, high) of the pixels that it gives.
        guessed: Whether its images alone told them.
        beyond: Share of its pixels that may lie outside of them.
        fixed: Values of its further inputs, by name.
        codes: Kind of codes that it takes, or None where nothing tells.
        bounds: Smallest and largest entry of a code, or None.
        crop: Side of the centre square that is cut from its image, or None.
        entries: As of `Classifier`.
    """

    model: Model
    size: int
    image: tuple[int, int, int]
    pixels: tuple[float, float]
    guessed: bool
    beyond: float
    fixed: dict[str, Any]
    codes: str | None
    bounds: tuple[float | None, float | None] | None
    crop: int | None
    entries: dict[str, Any]


def shares(fixed: dict[str, Any], *models: Model) -> list[dict[str, Any]]:
    """Values of further inputs by name, those of each model.

    Raises:
        UsageError: A name is of no input of any of them.
    """
    inputs = [[one.name for one in model.inputs] for model in models]
    every = [name for names in inputs for name in names]
    if unknown := [name for name in fixed if name not in every]:
        raise UsageError(
            f"expected --fixed of an input, {unknown[0]} is none; there is {', '.join(every)}"
        )
    return [{name: fixed[name] for name in fixed if name in names} for names in inputs]


def classifier(
    opened: loading.Opened,
    pixels: Pixels = adapters.PIXELS,
    fixed: dict[str, Any] | None = None,
) -> Classifier:
    """The facts of a classifier.

    Args:
        opened: From `loading.open`.
        pixels: What pixels it takes.
        fixed: Values of its further inputs, by name.

    Raises:
        UsageError: It has no image input, or an input that is neither the image nor fixed; or
            its preprocessing is known, and other pixels are said.
    """
    pixels = pixel_words.known(pixels)
    loading.expect_pixels(opened, pixels)
    picture = layouts.picture(opened.model, fixed)
    return Classifier(opened.model, picture, pixels, fixed or {}, opened.entries)


def generator(
    opened: loading.Opened,
    pixels: tuple[float, float] | None = None,
    fixed: dict[str, Any] | None = None,
    *,
    codes: str | None = None,
    bounds: tuple[float | None, float | None] | None = None,
    crop: int | None = None,
) -> Generator:
    """The facts of a generator: what the user says comes before what its folder says.

    Args:
        opened: From `loading.open`.
        pixels: (low, high) of the pixels that it gives; told from its images if left out, where it
            does not come from a network's folder.
        fixed: Values of its further inputs, by name.
        codes: Kind of codes.
        bounds: Smallest and largest entry of a code.
        crop: Side of the centre square that is cut from its image; 0 for none.

    Raises:
        UsageError: It does not give one image from one code, or the image is smaller than the crop;
            or nothing tells its pixels.
    """
    model, entries = opened.model, opened.entries
    fixed, stored = fixed or {}, entries.get("codes") or {}
    size, image = layouts.code_size(model, fixed), layouts.image_shape(model)
    kind = codes or stored.get("kind")
    if codes is None and stored.get("bounds"):
        bounds = bounds or tuple(stored["bounds"])
    share = check.SHARE if pixels is None else check.CLIPPED
    guessed = pixels is None and not entries
    if guessed:
        free = adapters.generator(model, fixed=fixed)
        guessed = check.told_range(free) is None
        pixels = check.likely_range(free, size, kind or "normal")
    pixels = pixel_words.expected("range", pixels or adapters.PIXELS)
    # A folder's generator keeps to the conventions, and may overshoot as it has learned to.
    beyond = 1.0 if entries and pixels == adapters.PIXELS else share
    if crop is None:
        crop = (entries.get("generator") or {}).get("crop")
    crop = crop or None
    image = _cropped(image, crop)
    return Generator(
        model, size, image, pixels, guessed, beyond, fixed, kind, bounds, crop, entries
    )


def _cropped(image: tuple[int, int, int], crop: int | None) -> tuple[int, int, int]:
    rows, columns, channels = image
    if crop is None:
        return image
    if not 1 <= crop <= min(rows, columns):
        raise UsageError(
            f"expected --crop from 1 to {min(rows, columns)} of {image}, or 0 for none, got {crop}"
        )
    return (crop, crop, channels)


def licence(*models: Classifier | Generator) -> str:
    """What the weights of the models may be used for, as far as their folders say.

    What one folder says holds for another model only where that comes from there, too.
    """
    texts = [one.entries.get("licence") or "" for one in models]
    if len(set(texts)) <= 1:
        return "".join(set(texts))
    kinds = ("Classifier" if isinstance(one, Classifier) else "Generator" for one in models)
    pairs = zip(kinds, texts, strict=True)
    return "; ".join(f"{kind}: {text or 'not told'}" for kind, text in pairs)


def expect_stored(kind: str, natural: Natural | None) -> None:
    """Refuses codes from a file that there is none of.

    Args:
        kind: Of codes.
        natural: Statistics of the generator's folder, or None.

    Raises:
        UsageError: With what else there is.
    """
    if kind not in STORED or (natural is not None and getattr(natural, kind) is not None):
        return
    raise UsageError(
        f"expected codes that are normal, uniform or noise; a {kind} of codes comes with a "
        f"network's folder as the generator, where that has one"
    )
