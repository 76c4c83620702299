"""Whether a weight file fits a network; needs no TensorFlow."""

from collections.abc import Iterable, Mapping

from tf_inverse.caffe.caffemodel import Caffemodel
from tf_inverse.caffe.layer_names import stored_as
from tf_inverse.errors import ConversionError


def check(needs: Mapping, file: Caffemodel, ignore: Iterable[str] = ()) -> None:
    """Compare what a network needs with what a file holds.

    Args:
        needs: {name: (type, blob shapes)}.
        file: The weights.
        ignore: Layers of the file that may stay unused.

    Raises:
        ConversionError: Every layer that is missing, surplus or of another type or shape.
    """
    held = file.weights()
    wrong = []
    for name, (kind, shapes) in needs.items():
        if name not in held:
            wrong.append(f"{name!r} ({kind}): expected blobs {list(shapes)}, found none")
            continue
        layer = held[name]
        found = [blob.shape for blob in layer.blobs]
        fit = [blob.fits(shape) for blob, shape in zip(layer.blobs, shapes, strict=False)]
        if len(found) != len(shapes) or not all(fit):
            wrong.append(f"{name!r} ({kind}): expected blobs {list(shapes)}, found {found}")
        elif layer.type and stored_as(layer.type) != stored_as(kind):
            wrong.append(f"{name!r}: expected {kind}, the file says {layer.type}")
    surplus = sorted(set(held) - set(needs) - set(ignore))
    if surplus:
        wrong.append(
            f"the file holds weights for {', '.join(surplus)}, which the network has not "
            f"(--ignore={','.join(surplus)} leaves them out)"
        )
    if wrong:
        shown = "; ".join(wrong[:50]) + ("; ..." if len(wrong) > 50 else "")
        raise ConversionError(f"{file.path} does not fit the network: {shown}")
