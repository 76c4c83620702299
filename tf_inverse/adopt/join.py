"""A pair from the facts of a classifier and a generator: conventions, codes, statistics, labels."""

from __future__ import annotations

import dataclasses
import math
import pathlib

from tf_inverse.adopt import adapters, defaults, ends, facts, loading
from tf_inverse.errors import UsageError
from tf_inverse.layers import taps
from tf_inverse.networks import logits, storage, unit_labels
from tf_inverse.networks.codes import Codes
from tf_inverse.networks.natural import Natural
from tf_inverse.networks.networks import Networks
from tf_inverse.networks.unit_labels import Labels
from tf_inverse.tensors import Model

Encoder = str | pathlib.Path | Model | None
"""A layer's name or path, another model of images, or None for whichever suits."""


def classifier(
    f: facts.Classifier, encoder: Encoder, channels: int | None, opening: loading.Opening
) -> tuple[Model, str]:
    """A classifier that takes images in 0..255, and the path of its encoder.

    Args:
        f: Facts of the classifier.
        encoder: As of `adopt.adopt`.
        channels: Of the images that will come; the classifier's own if None.
        opening: trust, weights of `loading.open`, for an encoder of its own.

    Raises:
        UsageError: The encoder is neither a layer nor a model, or no layer can be one.
    """
    model = ends.with_logits(adapters.classifier(f.model, f.pixels, channels, f.fixed))
    encoder = encoder or f.encoder
    if encoder is None:
        return _with_default_encoder(model)
    if isinstance(encoder, str) and (not _is_model(encoder) or _is_layer(encoder, model)):
        return model, encoder
    own = loading.open(encoder, "classifier", **opening)
    pixels = adapters.PIXELS if own.prepares else f.pixels
    return adapters.with_encoder(model, adapters.classifier(own.model, pixels, channels))


def _is_model(text: str) -> bool:
    return text.startswith(("keras:", "keras_hub:")) or pathlib.Path(text).exists()


def _with_default_encoder(model: Model) -> tuple[Model, str]:
    path = defaults.penultimate(model)
    if path is not None:
        made = ends.with_input(model) if path in defaults.scores(model) else None
        if made is None:
            return model, path
    else:
        made = ends.with_pooled(model)
    return made, logits.source(made.outputs[-1])


def _is_layer(text: str, model: Model) -> bool:
    """Whether a layer has the name: one counts before a file or folder that is called so too."""
    return any(f"/{path}".endswith(f"/{text}") for path in taps.shapes(model))


def generator(G: facts.Generator) -> Model:
    """A generator of images in 0..255 from codes alone."""
    return adapters.generator(G.model, G.pixels, G.fixed)


def encoding_size(model: Model, path: str) -> int:
    """Entries of the encoding that a layer of a classifier gives.

    Raises:
        UsageError: The classifier has no such layer, or leaves its size open.
    """
    at_top = taps.top(model).get(path)
    if at_top is not None:
        shape = at_top.output.shape[1:]
    else:
        shapes = taps.shapes(model)
        shape = shapes[taps.resolve(path, shapes, model.name)]
    if None in shape:
        raise UsageError(f"expected --size=ROWS,COLUMNS,CHANNELS: the code {path} has none fixed")
    return math.prod(shape)


def join(
    f: facts.Classifier,
    G: facts.Generator,
    encoder: Encoder = None,
    *,
    name: str | None = None,
    labels: facts.Named | None = None,
    classes: tuple[str, ...] = (),
    opening: loading.Opening,
    sae: Model | None = None,
    sae_layer: str | None = None,
) -> Networks:
    """A pair with all that is known before it is looked at.

    Args:
        f: Facts of the classifier.
        G: Facts of the generator.
        encoder: As of `adopt.adopt`.
        name: Of the pair; the classifier's if left out.
        labels: Of units; if left out the folder's, or else the classes.
        classes: Names of the classes of natural images: labels of the output, where it has as many
            units.
        opening: As of `classifier`.
        sae: A sparse autoencoder on the output of the classifier's layer `sae_layer`.
        sae_layer: See `sae`.

    Raises:
        UsageError: What is asked for is not there, or does not fit.
    """
    made = generator(G)
    model, path = classifier(f, encoder, made.output_shape[-1], opening)
    if sae is not None and sae_layer is not None:
        model, _ = ends.with_features(model, sae, sae_layer)
    mine, theirs = statistics(f, G)
    kind = G.codes or "normal"
    facts.expect_stored(kind, theirs)
    networks = Networks(
        name=name or model.name,
        classifier=model,
        generator=made,
        encoder=path,
        codes=Codes(kind, G.size, G.bounds),
        crop=G.crop,
    )
    expect_noise_fits(networks)
    networks.natural = _stored(f, G, mine, theirs, networks)
    networks.labels = labelled(networks, labels or f.labels or _classes(networks, classes))
    return networks


def _classes(networks: Networks, names: tuple[str, ...]) -> facts.Named | None:
    output = defaults.output(networks)
    return (output, names) if names and len(names) == networks.layer_shape(output)[-1] else None


def expect_noise_fits(networks: Networks) -> None:
    """Refuses codes that start as encodings of another size than the generator takes.

    Raises:
        UsageError: With both sizes.
    """
    if networks.codes.kind != "noise":
        return
    d_E = math.prod(networks.layer_shape(networks.encoder))
    if d_E != networks.codes.size:
        raise UsageError(
            f"expected codes of the encoder's size {d_E} ({networks.encoder}) for --codes="
            f"{networks.codes.kind}; {networks.generator.name} takes {networks.codes.size}: give "
            f"--codes=normal or uniform, or another --encoder"
        )


def labelled(networks: Networks, labels: facts.Named | None) -> Labels | None:
    """Labels with the full path of their layer, of the output where they name none.

    Raises:
        UsageError: As of `unit_labels.fitting`.
    """
    if labels is None:
        return None
    layer, names = labels
    return unit_labels.fitting(Labels(layer or defaults.output(networks), tuple(names)), networks)


def statistics(f: facts.Classifier, G: facts.Generator) -> tuple[Natural | None, Natural | None]:
    """Natural statistics of the classifier's folder and of the generator's, each read once."""
    named = {one["folder"]: one for one in (f.entries, G.entries) if one}
    read = {folder: storage.statistics(folder, entries) for folder, entries in named.items()}
    return read.get(f.entries.get("folder")), read.get(G.entries.get("folder"))


def _stored(
    f: facts.Classifier,
    G: facts.Generator,
    mine: Natural | None,
    theirs: Natural | None,
    networks: Networks,
) -> Natural | None:
    """Statistics of a pair out of those of two folders: units of one, codes of the other."""
    if mine is None or theirs is None:
        stored = mine or (theirs and dataclasses.replace(theirs, layers={}, activations={}))
    elif f.entries["folder"] == G.entries["folder"]:
        stored = mine
    else:
        stored = mine
        if theirs.bank is not None:
            # A file keeps the bank as the first of its encodings: the classifier's give way.
            stored = mine.of_other_images(theirs.encodings, theirs.bank)
        stored = dataclasses.replace(stored, gaussian=theirs.gaussian)
    if stored is None:
        return None
    stored = _placed(networks, stored)
    if f.encoder != networks.encoder:
        # Encodings of another layer; only as codes do they still count.
        stored = stored.of_other_images(stored.bank, stored.bank)
    return stored


def _placed(networks: Networks, stored: Natural) -> Natural:
    """Statistics by the paths that layers have in a classifier which was wrapped since."""
    known = networks.shapes

    def path(layer: str) -> str:
        ends = [name for name in known if name.endswith(f"/{layer}")]
        return ends[0] if layer not in known and len(ends) == 1 else layer

    return dataclasses.replace(
        stored,
        layers={path(layer): one for layer, one in stored.layers.items()},
        activations={path(layer): z for layer, z in stored.activations.items()},
    )
