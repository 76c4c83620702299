"""What feeds a network: declared inputs, Input layers, and data layers that transform pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tf_inverse.caffe import layer_names
from tf_inverse.caffe.blob_shape import BlobShape
from tf_inverse.caffe.message import Message
from tf_inverse.errors import ConversionError, RefusedInput

if TYPE_CHECKING:
    from tf_inverse.caffe.net_parameter import Layer


# Layers that read images in training and testing.
DATA = {
    "AnnotatedData",
    "Data",
    "DummyData",
    "HDF5Data",
    "ImageData",
    "MemoryData",
    "WindowData",
}


class Transform(NamedTuple):
    """What a data layer does to pixels: (x - mean) * scale.

    Attributes:
        mean: One value, or one for each channel in the network's order; empty where there is none.
        mean_file: A mean image by the name it had where the network was trained, "" for none.
        scale: What pixels are multiplied by once the mean is off.
        mirror: Whether images are mirrored at random.
    """

    mean: tuple[float, ...] = ()
    mean_file: str = ""
    scale: float = 1.0
    mirror: bool = False


def declared(message: Message) -> dict[str, BlobShape | None]:
    """The inputs that old nets declare outside of any layer: {name: shape without the batch}."""
    names, dims = message.all("input", str), message.integers("input_dim")
    shapes = [tuple(shape.integers("dim")) for shape in message.messages("input_shape")]
    if dims and (shapes or len(dims) != 4 * len(names)):
        raise ConversionError(
            f"expected input_shape, or four values of input_dim, for each input {names}, got "
            f"{len(shapes)} shapes and {len(dims)} values"
        )
    shapes = shapes or [tuple(dims[i : i + 4]) for i in range(0, len(dims), 4)]
    if names and len(shapes) not in (0, len(names)):
        raise ConversionError(f"expected a shape for each input {names}, got {len(shapes)}")
    sizes = [shape[1:] if shape else None for shape in shapes] or [None] * len(names)
    return dict(zip(names, sizes, strict=True))


def of_input_layer(layer: Layer) -> dict[str, BlobShape | None]:
    """What an Input layer feeds: {top: shape without the batch}."""
    shapes: list[BlobShape | None] = [
        tuple(shape.integers("dim")[1:]) for shape in layer.param.messages("shape")
    ]
    unknown = layer.param.unknown(layer_names.HARMLESS)
    if unknown:
        raise RefusedInput("; ".join(unknown))
    if len(shapes) not in (0, 1, len(layer.tops)):
        raise ConversionError(f"layer {layer.name!r}: expected a shape for each top")
    shapes = shapes * len(layer.tops) if len(shapes) < 2 else shapes
    return dict(zip(layer.tops, shapes or [None] * len(layer.tops), strict=True))


def of_data_layer(layer: Layer, message: Message) -> tuple[dict[str, BlobShape | None], Transform]:
    """What a data layer feeds, of which only the image counts, and what it does to pixels.

    Args:
        layer: Of one of the types `DATA`.
        message: Of the whole layer. Old files put some of the transformation into the settings of
            the data layer itself.

    Raises:
        RefusedInput: The transformation holds a setting that is not known here.
    """
    outer = message.message("transform_param")
    merged = outer.renamed({})
    merged.fields = layer.param.fields | outer.fields
    merged.where = layer.param.where
    transform = Transform(
        tuple(merged.numbers("mean_value")),
        merged.word("mean_file"),
        merged.number("scale", 1.0),
        merged.flag("mirror", False),
    )
    if transform.mean and transform.mean_file:
        raise RefusedInput(f"{merged.where}: expected mean_value or mean_file, got both")
    shape = _image(layer.type, merged)
    outer.asked = merged.asked
    unknown = outer.unknown(layer_names.HARMLESS)
    if unknown:
        raise RefusedInput("; ".join(unknown))
    return {top: shape for top in layer.tops[:1]}, transform


def _image(kind: str, settings: Message) -> BlobShape | None:
    """(C, H, W) of the images, None where their size is the files' own."""
    settings.flag("force_color", False)
    channels = 1 if settings.flag("force_gray", False) else 3
    side = settings.integer("crop_size", 0, 0)
    size = settings.integer("crop_h", side, 0), settings.integer("crop_w", side, 0)
    if kind == "ImageData":
        channels = channels if settings.flag("is_color", True) else 1
    if kind in ("ImageData", "MemoryData") and 0 in size:
        names = ("new_height", "new_width") if kind == "ImageData" else ("height", "width")
        size = settings.integer(names[0], 0, 0), settings.integer(names[1], 0, 0)
    if kind == "MemoryData":
        channels = settings.integer("channels", channels)
    return None if 0 in size else (channels, *size)
