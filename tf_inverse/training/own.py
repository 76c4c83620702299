"""From a classifier and photographs to a network's folder: a generator is trained and measured."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import keras
import numpy as np
from PIL import Image

from tf_inverse import adopt, grammar
from tf_inverse.adopt import adapters, check, defaults, ends, facts, join, loading, nature
from tf_inverse.errors import UsageError
from tf_inverse.networks import rendering
from tf_inverse.networks.codes import Codes
from tf_inverse.networks.networks import Networks
from tf_inverse.networks.unit_labels import Labels
from tf_inverse.tensors import Array, Model
from tf_inverse.training import appearance, compared, data, loop, perceptual, quality, runs
from tf_inverse.training.statistics import described


def untrained(
    f: facts.Classifier,
    encoder: join.Encoder = None,
    image: tuple[int, int] | None = None,
    opening: loading.Opening | None = None,
) -> Networks:
    """A classifier with conventions, and in the place of its generator a model that draws black.

    Args:
        f: Facts of the classifier.
        encoder: As of `adopt.adopt`.
        image: Height and width of the images to come; the classifier's own if None.
        opening: As of `join.classifier`.

    Raises:
        UsageError: The classifier leaves its input or its encoding open.
    """
    model, path = join.classifier(f, encoder, None, opening or {})
    image = image or model.input_shape[1:3]
    if None in image:
        raise UsageError(
            f"expected --image=ROWS,COLUMNS: {model.name} takes images of any size, and its "
            f"generator draws one"
        )
    code = join.encoding_size(model, path)
    blank = _blank(code, (*image, model.input_shape[-1]))
    return Networks(model.name, model, blank, path, Codes("normal", code))


def _blank(code: int, size: tuple[int, int, int]) -> keras.Model:
    c = keras.Input((code,))
    x = keras.layers.Dense(size[2], kernel_initializer="zeros")(c)
    x = keras.layers.Reshape((1, 1, size[2]))(x)
    return keras.Model(c, keras.layers.UpSampling2D(size[:2])(x))


def paired(networks: Networks, G: facts.Generator) -> Networks:
    """The networks of `untrained` with a generator in its place.

    Args:
        networks: From `untrained`.
        G: Facts of the generator.

    Raises:
        UsageError: Its codes are not of the encoding's size.
    """
    if G.size != networks.codes.size:
        raise UsageError(
            f"expected a generator of codes of {networks.encoder}'s size {networks.codes.size}, "
            f"{G.model.name} takes {G.size}: choose another --encoder"
        )
    return dataclasses.replace(networks, generator=join.generator(G), crop=G.crop)


def labels_of(
    networks: Networks,
    known: facts.Named | None,
    classes: tuple[str, ...],
) -> tuple[Labels | None, list[str]]:
    """Labels of the output, and what there is to say of them.

    Args:
        networks: From `untrained`.
        known: Labels that the user gave, or that the classifier's folder has.
        classes: Names of the data's classes; not taken where the output has more or fewer units.

    Raises:
        UsageError: The labels that are known are more or fewer than the units.
    """
    count = networks.layer_shape(defaults.output(networks))[-1]
    if known is None and classes and len(classes) != count:
        said = f"no labels: classes of the data: {len(classes)}, units of the classifier: {count}"
        return None, [said]
    return join.labelled(networks, known or ((None, classes) if classes else None)), []


def train(
    networks: Networks,
    x: Array,
    state: pathlib.Path,
    *,
    compare: tuple[str, ...] = (),
    teacher: Model | None = None,
    lessons: tuple[str, ...] = (),
    beside: int | None = None,
    **options: Any,
) -> Networks | runs.Stopped:
    """The networks with a generator that was trained on images x; or, where it was stopped, why.

    Args:
        networks: From `untrained`.
        x: [N, H, W, C] uint8.
        state: Folder from `work.beside`; `work.alone` keeps it.
        compare: See `compared.compared`.
        teacher: As of `perceptual.taught`, or None.
        lessons: Layers of the teacher.
        beside: Channels of maps that are learned and stand beside the encoder's layer; none with 0,
            and where None `appearance.channels`, if maps can stand there.
        options: The other arguments of `runs.train_generator`.

    Raises:
        UsageError: Maps are asked for, and cannot stand beside that layer.
    """
    compare = compared.compared(networks, compare)
    if teacher is not None:
        lessons = lessons or perceptual.lessons(teacher)
    precision = runs.resolved(options.get("precision", "auto"))
    features, precision = compared.quick(x, precision, networks, compare, teacher, lessons)
    about = {"encoder": networks.encoder, "compare": list(compare), "features": precision}
    about |= {"classifier": data.digest(*networks.classifier.get_weights())}
    if teacher is not None:
        about |= {"teacher": data.digest(*teacher.get_weights()), "lessons": list(lessons)}
    # A layer that maps cannot stand beside is refused now, and not when all is learned.
    exposed = _exposed(networks, beside)
    channels = 0 if exposed is None else beside or appearance.channels(networks.image_shape)
    made = runs.train_generator(features, x, state, about, appearance=channels, **options)
    if isinstance(made, runs.Stopped):
        return made
    if exposed is None or made.appearance is None:
        return dataclasses.replace(networks, generator=made.G)
    f, h = exposed
    outputs = f.outputs[: len(networks.classifier.outputs)]
    layer = networks.layer_path(networks.encoder).rpartition("/")[2]
    model, path = appearance.beside(f, outputs, h, made.appearance, layer)
    codes = Codes("normal", made.G.input_shape[-1])
    return dataclasses.replace(
        networks, classifier=model, encoder=path, generator=made.G, codes=codes
    )


def _exposed(
    networks: Networks, beside: int | None
) -> tuple[keras.Model, keras.KerasTensor] | None:
    """The classifier and what its encoder gives, as `ends.exposed`; None for no maps beside it."""
    if beside == 0:
        return None
    try:
        return ends.exposed(networks.classifier, networks.encoder)
    except UsageError as error:
        if beside is not None:
            raise
        grammar.say(f"no maps beside the encoder, so that images will be blurred: {error}")
        return None


def completed(
    networks: Networks,
    parts: data.Data,
    *,
    classes: tuple[str, ...],
    seed: int,
    description: str,
    default: str | None,
    licence: str,
) -> tuple[adopt.Adopted, list[str]]:
    """A pair with all that a run wants: statistics, codes and a default target.

    Args:
        networks: The pair, with its labels.
        parts: Images.
        classes: Names of the data's classes.
        seed: Of the bank.
        description: What the images are.
        default: Targets of a run that names none; chosen if None.
        licence: What the weights may be used for.

    Returns:
        The pair, whose measured values have the figures of `quality`, and sentences to print.
    """
    networks = described(networks, parts.natural, seed, description)
    theirs = networks.labels is not None and networks.labels.names == classes
    figures = quality.figures(networks, parts.test, parts.labels if theirs else None)
    seen, said = check.images(networks, adapters.PIXELS, 1.0), []
    try:
        if not default:
            target = defaults.target(networks, seen)
            default = nature.in_percentiles(networks, networks.natural, target, seen)
    except UsageError as error:
        said.append(f"no default target, so that sample needs --targets: {error}")
    networks.default = default
    measured = adopt.measured(networks, default, seen, adapters.PIXELS)
    measured |= {"licence": licence, "figures": figures}
    said += quality.words(figures, quality.answer(networks))
    return adopt.Adopted(networks, measured), said


def reconstructed(networks: Networks, x: np.ndarray) -> Image.Image:
    """A sheet of images, each over G(E(x)): a PIL image."""
    x = x[: loop.SHOWN]
    return loop.over_under(x, rendering.drawn(networks, networks.encode(x)))
