"""Which of the published networks a file holds, by all that it tells beside its numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tf_inverse.caffe import sources
from tf_inverse.caffe.blob_shape import Needs
from tf_inverse.caffe.caffemodel import Caffemodel, Layer
from tf_inverse.caffe.net_parameter import Net
from tf_inverse.errors import ConversionError
from tf_inverse.tensors import StrPath


def refuse_other_order(kind: str, file: Caffemodel, described: Net | None = None) -> None:
    """Refuses AlexNet as CaffeNet and the reverse: the weights alone do not tell them apart.

    The order of pool1 and norm1 decides, in the file and in the prototxt; then the file's name
    for the network.

    Args:
        kind: One of `convert.NETWORKS` that classify.
        file: Its weights.
        described: The network of the prototxt, None where none is given.

    Raises:
        ConversionError: They are another network's.
    """
    wanted = "norm1" if kind == "alexnet" else "pool1"
    listed = [(file.path, [layer.name for layer in file.layers])]
    listed += [("the prototxt", [layer.name for layer in described.layers])] if described else []
    for where, names in listed:
        both = [name for name in names if name in ("pool1", "norm1")]
        if len(both) == 2 and both[0] != wanted:
            raise ConversionError(
                f"{where} has {both[0]} before {both[1]}: it is "
                f"{'CaffeNet or Places205' if kind == 'alexnet' else 'BVLC AlexNet'}, not {kind}"
            )
    other = {"caffenet": "alexnet", "alexnet": "caffenet"}.get(kind)
    if other and other in file.name.lower():
        raise ConversionError(f"{file.path} calls itself {file.name!r}: convert it as {other}")


def tells_order(layers: Iterable[Layer]) -> bool:
    """Whether a file names the two layers whose order tells AlexNet from CaffeNet."""
    return {"pool1", "norm1"} <= {layer.name for layer in layers}


def compare(needs: Needs, described: Needs, prototxt: StrPath | None) -> None:
    """Refuses a prototxt that describes another network.

    Args:
        needs: Of the network that is built.
        described: Of the network that the prototxt describes.
        prototxt: Its path, for the message.

    Raises:
        ConversionError: They differ.
    """
    wrong = [
        f"{name!r}: expected {needs.get(name)}, described {described.get(name)}"
        for name in sorted(set(needs) | set(described))
        if needs.get(name) != described.get(name)
    ]
    if wrong:
        raise ConversionError(f"{prototxt} describes another network: {'; '.join(wrong[:20])}")


def published(source: dict[str, Any]) -> str:
    """The name of the published file that was converted, as a part of a sentence.

    Only the checksum tells generators of equal shapes apart.

    Args:
        source: The entry `source` of a conversion, with its files' sha256.
    """
    for digest in source["files"].values():
        name = sources.named(digest)
        if name:
            return f"{name} ({sources.SOURCES[name].what}), by its sha256"
    return "its sha256 is not that of a published file"
