"""A function of a fixed number of images, as exporters write it, for any number of images.

Converters of other people's models often write a batch axis of one. Such a function cannot just be
given more images: its reshapes name that number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import tensorflow as tf

from tf_inverse.errors import UsageError
from tf_inverse.tensors import Tensor

Named = dict[str, Tensor]


def rows(specs: Mapping[str, tf.TensorSpec], source: object) -> int | None:
    """The number of images that a function takes at a time, or None where it takes any number.

    Args:
        specs: Of its inputs by name, of known rank.
        source: Of the function, for the words of a refusal.

    Raises:
        UsageError: An input has no row for each image, or the inputs take different numbers.
    """
    found = {key: one.shape[0] if one.shape.rank else 0 for key, one in specs.items()}
    for key, count in found.items():
        if count == 0:
            raise UsageError(
                f"expected a model whose every input has a row for each image, {key} of "
                f"{source} has shape {list(specs[key].shape)}; export it with a first axis of None"
            )
    if len(set(found.values())) > 1:
        told = ", ".join(f"{key} {found[key] or 'any number'}" for key in sorted(found))
        raise UsageError(
            f"expected a model whose inputs have equally many rows, those of {source} have: "
            f"{told}; export it with a first axis of None"
        )
    return next(iter(found.values()))


def of_any(
    run: Callable[..., Named], count: int | None, specs: Mapping[str, tf.TensorSpec]
) -> Callable[..., Named]:
    """A function of any number of images that calls a function of a fixed number.

    Args:
        run: Takes tensors by name, each of `count` rows, and gives such tensors.
        count: Images that it takes at a time; None where it takes any number and stays as it is.
        specs: Shape without the batch axis, and type, of what it gives, by name.

    Returns:
        A function of tensors of equally many rows, whose number need not be known when it is
        traced. The last call's missing rows repeat the last image, and what they give is dropped.
    """
    if count is None:
        return run
    taken = {
        key: tf.TensorSpec((count, *one.shape), one.dtype, name=key) for key, one in specs.items()
    }

    def mapped(**inputs: Tensor) -> Named:
        total = tf.shape(next(iter(inputs.values())))[0]
        parts = {key: _cut(x, count, -total % count) for key, x in inputs.items()}
        out = tf.map_fn(lambda part: run(**part), parts, fn_output_signature=taken)
        return {key: tf.reshape(h, (-1, *taken[key].shape[1:]))[:total] for key, h in out.items()}

    return mapped


def _cut(x: Tensor, count: int, missing: Tensor) -> Tensor:
    """Rows [B, ...] as [calls, count, ...]; the last row stands for those that are missing."""
    if count > 1:
        x = tf.concat([x, tf.repeat(x[-1:], missing, axis=0)], axis=0)
    return tf.reshape(x, (-1, count, *x.shape[1:]))
