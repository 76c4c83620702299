"""A training as a command runs it: its state is claimed, a signal stops it, and words say how on.

Nothing here needs TensorFlow, so that `tools/dev/train_photos.py` trains with Keras on JAX or
PyTorch what `tf-inverse train` trains on TensorFlow.
"""

from __future__ import annotations

import math
import pathlib
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from tf_inverse.archive import atomic
from tf_inverse.compute import precision as arithmetic
from tf_inverse.errors import UsageError
from tf_inverse.run import signals
from tf_inverse.tensors import Array, Model
from tf_inverse.training import appearance as maps
from tf_inverse.training import architectures, classifier, data, discriminator, generator, work
from tf_inverse.training.perceptual import Features

STEPS, EPOCHS = 5000, 6
"""A generator's training has at least so many steps and passes, if the user does not say."""

SEEN = 500
"""Images whose encodings tell their scale."""

PRECISIONS = ("auto", "float32", "bfloat16")


class Stopped(NamedTuple):
    """A training that was asked to stop before its end.

    Attributes:
        exit_code: Of the process.
    """

    exit_code: int


class Trained(NamedTuple):
    """What a generator's training gives, in float32 and without normalisation.

    Attributes:
        G: Codes -> images RGB 0..255.
        appearance: Images -> the maps that follow the encoder's output in a code, or None.
    """

    G: Model
    appearance: Model | None


def policy(precision: str) -> str:
    """Keras's policy of those convolutions that may be in bfloat16: see `architectures`.

    Args:
        precision: auto is bfloat16 where the device multiplies it in hardware.

    Raises:
        UsageError: Unknown.
    """
    return "float32" if resolved(precision) == "float32" else "mixed_bfloat16"


def resolved(precision: str) -> str:
    """float32 or bfloat16: what `auto` stands for on this device, any other as it is.

    Raises:
        UsageError: Unknown.
    """
    if precision not in PRECISIONS:
        raise UsageError(f"expected --precision of {', '.join(PRECISIONS)}, got {precision!r}")
    if precision == "auto":
        return "bfloat16" if _quick() == "bfloat16" else "float32"
    return precision


def _quick() -> str:
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return arithmetic.resolve("auto")
    if backend == "jax":
        import jax

        return "float32" if jax.default_backend() == "cpu" else "bfloat16"
    import torch

    ready = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return "bfloat16" if ready else "float32"


def train_classifier(
    network: Model,
    parts: data.Data,
    state: pathlib.Path,
    *,
    epochs: int,
    plain: int,
    epsilon: float,
    seed: int,
    batch: int,
    rate: float,
    overwrite: bool,
) -> Stopped | None:
    """Trains a classifier in place, and says how good it is.

    Args:
        network: Images RGB 0..255 -> logits.
        parts: With labels.
        state: Folder from `work.beside`; `work.alone` keeps it.
        epochs: As of `classifier.train`.
        plain: As of `classifier.train`.
        epsilon: As of `classifier.train`.
        seed: As of `classifier.train`.
        batch: Images a step.
        rate: Peak learning rate.
        overwrite: Begin anew where the state there is of another training.
    """
    settings: dict[str, Any] = {"epochs": epochs, "plain": plain, "epsilon": epsilon}
    settings |= {"seed": seed, "batch": batch, "rate": rate}
    images, labels = parts.train, parts.train_labels
    assert labels is not None and parts.labels is not None, "images without labels are refused"
    test = (parts.test, parts.labels)
    about = {"network": data.digest(*network.get_weights()), "policies": policies(network)}
    about |= {"images": data.digest(images), "labels": data.digest(labels)}
    work.claim(state, settings | about, overwrite)

    def run(stop: signals.Stop) -> int:
        return classifier.train(network, images, labels, test, folder=state, stop=stop, **settings)

    if stopped := _until_done(run, state):
        return stopped
    found = classifier.accuracy(network, *test)
    count = sum(math.prod(weight.shape) for weight in network.weights)
    print(
        f"{network.name}: of {len(test[0])} test images {found['top 1']:.1%} are given to their "
        f"class, {found['top 5']:.1%} have it among the first five; {count:,} parameters"
    )
    return None


def train_generator(
    features: Features,
    x: Array,
    state: pathlib.Path,
    about: dict[str, Any],
    *,
    epochs: int | None,
    batch: int,
    rate: float,
    seed: int,
    overwrite: bool,
    width: float = 1.0,
    average: float = 0.0,
    augment: str | None = None,
    disc_start: int = 0,
    precision: str = "auto",
    appearance: int = 0,
) -> Trained | Stopped:
    """A generator that was trained to undo the last of some features, in float32.

    The state is kept in a folder, and the same call goes on from there.

    Args:
        features: In which images are compared, the code last.
        x: Images [N, H, W, C] uint8.
        state: Folder from `work.beside`; `work.alone` keeps it.
        about: What else decides what comes out: the classifier, the layers, the teacher.
        epochs: Passes over the images, or None.
        batch: Images a step.
        rate: As of `generator.train`.
        seed: Of weights and order.
        overwrite: Begin anew where the state there is of another training.
        width: Factor of the channels of its convolutions.
        average: As of `generator.Inverter`.
        augment: Ways of `discriminator.ways`, as text.
        disc_start: As of `generator.train`.
        precision: See `policy`.
        appearance: Channels of the maps that are learned with it; none with 0.

    Raises:
        UsageError: Encodings tell no images apart, or an option is none of those there are.
    """
    batch, dtype, ways = min(batch, len(x)), policy(precision), discriminator.ways(augment)
    if not 0.0 <= average < 1.0:
        raise UsageError(f"expected --average from 0 to below 1, as 0.999, got {average:g}")
    if batch < 2:
        raise UsageError(
            "expected --batch of 2 or more, got 1: errors are measured by what the images of a "
            "step vary by"
        )
    if disc_start < 0:
        raise UsageError(f"expected --disc-start of 0 passes or more, got {disc_start}")
    if appearance < 0:
        raise UsageError(f"expected --appearance of 0 channels or more, got {appearance}")
    epochs = epochs or max(EPOCHS, math.ceil(STEPS / (len(x) // batch)))
    settings: dict[str, Any] = {"epochs": epochs, "batch": batch, "rate": rate, "seed": seed}
    settings |= {"image": list(x.shape[1:]), "width": width, "average": average}
    settings |= {"augment": list(ways), "dtype": dtype, "images": data.digest(x)}
    settings |= {"disc_start": disc_start, "appearance": appearance}
    work.claim(state, about | settings, overwrite)
    keras.utils.set_random_seed(seed)
    code, spread = _spread(features, x)
    widths = architectures.widths_for(x.shape[1:], width)
    grid = maps.grid(code, spread[1], x.shape[1:], appearance) if appearance else None
    beside = maps.Appearance(grid, x.shape[1:], dtype) if grid else None
    size = grid.size if grid else code
    G = architectures.generator(size, x.shape[1:], widths, spread, dtype, grid)
    options: dict[str, Any] = {"epochs": epochs, "batch": batch, "rate": rate, "seed": seed}
    options |= {"spread": spread}
    options |= {"average": average, "augment": ways, "dtype": dtype, "folder": state}
    options |= {"disc_start": disc_start, "appearance": beside}

    def run(stop: signals.Stop) -> int:
        return generator.train(G, features, x, stop=stop, **options)

    stopped = _until_done(run, state)
    return stopped or Trained(architectures.folded(G), beside and beside.finished())


def _until_done(run: Callable[[signals.Stop], int], state: pathlib.Path) -> Stopped | None:
    with signals.deferred(lambda text: print(f"\n{text}", file=sys.stderr)) as stop:
        left = run(stop)
    if not stop:
        return None
    print(f"stopped with {left} steps left; the same command goes on from {state}", file=sys.stderr)
    return Stopped(stop.exit_code)


def save(model: Model, path: pathlib.Path) -> None:
    """Writes a model's file, whole or not at all."""
    temporary = path.with_name(f"{path.stem}{atomic.TEMPORARY}{path.suffix}")
    model.save(temporary)
    atomic.publish(temporary, path)


def policies(model: Model) -> list[str]:
    """The policies of a model's layers, each once."""
    return sorted({layer.dtype_policy.name for layer in model.layers})


def _spread(features: Features, x: Array) -> tuple[int, tuple[float, float]]:
    """Entries of a code, and the mean and standard deviation of those of some images."""
    parts = [
        keras.ops.convert_to_numpy(features(keras.ops.convert_to_tensor(part, "float32"))[-1])
        for part in (x[i : i + 50] for i in range(0, min(SEEN, len(x)), 50))
    ]
    e = np.concatenate(parts).astype(np.float64)
    if not np.isfinite(e).all() or e.std() == 0:
        raise UsageError(
            "expected encodings that tell images apart, the encoder gives the same or no finite "
            "number for all: choose another --encoder, or see to --pixels"
        )
    return e.shape[1], (float(e.mean()), float(e.std()))
