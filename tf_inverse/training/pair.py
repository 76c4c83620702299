"""From a classifier, a generator and images to a pair's folder: statistics, bank, figures."""

from __future__ import annotations

import keras
import numpy as np

from tf_inverse import codes, folder
from tf_inverse.natural import LEVELS, Natural

BANK = 500
NEAR = 50
HIGH = (99.0, 99.8)
PASSIVE = (
    keras.layers.InputLayer,
    keras.layers.Rescaling,
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Dropout,
)


def responses(classifier: keras.Model, images: np.ndarray, batch: int = 250) -> dict:
    """Activations of every layer, of convolutions at the centre of the map.

    Args:
        classifier: RGB 0..255 -> anything.
        images: [N, H, W, C] uint8.
        batch: Images at a time.

    Returns:
        Layer name -> [N, U] float32.
    """
    layers = [one for one in classifier.layers if not isinstance(one, PASSIVE)]
    layers = [one for one in layers if len(one.output.shape) in (2, 4)]
    taps = [
        h if len(h.shape) == 2 else h[:, h.shape[1] // 2, h.shape[2] // 2]
        for h in (one.output for one in layers)
    ]
    model = keras.Model(classifier.input, taps)
    parts = [
        [z.numpy() for z in model(images[i : i + batch].astype(np.float32), training=False)]
        for i in range(0, len(images), batch)
    ]
    arrays = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return dict(zip((one.name for one in layers), arrays, strict=True))


def statistics(classifier, encoder: str, labelled: str, images, seed: int, description: str):
    """Natural statistics of a classifier, and codes of natural images to start from.

    Args:
        classifier: Keras model.
        encoder: Layer whose output is the code.
        labelled: Layer whose activations are kept for each stored image.
        images: [N, H, W, C] uint8, in no special order or shuffled by the seed.
        seed: Chooses the bank: `BANK` images.
        description: What the images are.

    Returns:
        `natural.Natural`. Besides the bank it holds up to `NEAR` images of every unit of the
        labelled layer (of 20 units at most) whose activation lies between the percentiles `HIGH`.
    """
    z = responses(classifier, images)
    order = codes.generator(seed, 2).permutation(len(images))
    chosen = list(order[:BANK])
    for column in z[labelled].T[:20]:
        low, high = np.percentile(column, HIGH)
        inside = order[(column[order] >= low) & (column[order] <= high)]
        chosen += [i for i in inside[:NEAR] if i not in set(chosen)]
    layers = {
        name: (a.mean(axis=0), a.std(axis=0), np.percentile(a, LEVELS, axis=0).T)
        for name, a in z.items()
    }
    e = encodings(classifier, encoder, images[chosen])
    return Natural(
        images=len(images),
        description=description,
        levels=np.array(LEVELS),
        layers=layers,
        encodings=e,
        activations={labelled: z[labelled][chosen]},
        bank=e[:BANK],
    )


def encodings(classifier, encoder: str, images, batch: int = 250) -> np.ndarray:
    """E of images [N, H, W, C], flattened: [N, d]."""
    model = keras.Model(classifier.input, classifier.get_layer(encoder).output)
    parts = [
        model(images[i : i + batch].astype(np.float32), training=False).numpy()
        for i in range(0, len(images), batch)
    ]
    return np.concatenate(parts).reshape(len(images), -1)


def assemble(path, classifier, generator, encoder, labels, images, *, name, seed, **about):
    """Write a pair's folder with its statistics; weights are rounded to half precision first.

    Args:
        path: Folder to be made.
        classifier: Keras model; without batch normalisation it is smaller.
        generator: Keras model, or None for a classifier alone.
        encoder: Layer of the code.
        labels: (layer, names), or None.
        images: Test images, [N, H, W, C] uint8.
        name: Of the pair.
        seed: Of the bank.
        **about: description (of the images), licence, source, default, overwrite.
    """
    folder.expect_free(path, about.get("overwrite", False))
    folder.rounded(classifier)
    description = about.pop("description")
    labelled = labels[0] if labels else classifier.layers[-1].name
    natural = statistics(classifier, encoder, labelled, images, seed, description)
    bounds = (0.0, float(natural.encodings.max())) if natural.encodings.min() >= 0 else None
    return folder.save(
        path,
        name=name,
        classifier=classifier,
        generator=generator and folder.rounded(generator),
        encoder=encoder,
        codes=codes.Codes("bank", natural.encodings.shape[1], bounds),
        labels=labels,
        natural=natural,
        half=True,
        **about,
    )


def classes(model: keras.Model, images: np.ndarray, batch: int = 250) -> np.ndarray:
    """The class with the largest output, [N], for images [N, H, W, C]."""
    parts = [
        model(images[i : i + batch].astype(np.float32), training=False).numpy().argmax(axis=1)
        for i in range(0, len(images), batch)
    ]
    return np.concatenate(parts)
