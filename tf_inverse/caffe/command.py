"""What `tf-inverse convert` and `tf-inverse pair` do, with their words turned into values."""

import pathlib

import numpy as np

from tf_inverse.archive import atomic
from tf_inverse.caffe import convert as conversion
from tf_inverse.caffe import fetch, join, published
from tf_inverse.errors import UsageError
from tf_inverse.networks import codes as code_kinds
from tf_inverse.networks import storage
from tf_inverse.networks.saving import Frugal
from tf_inverse.networks.unit_labels import Labels
from tf_inverse.zoo.generator import ARCHITECTURES

KINDS = (*conversion.NETWORKS, "caffe", "matconvnet")
# PPGN keeps the codes of fc6 within these bounds.
PPGN_BOUNDS = (0.0, 30.0)


def convert(kind, weights, *, out, overwrite=False, name=None, **settings):
    """Convert and save; the arguments are those of the command.

    Returns:
        (conversion.Converted, folder).
    """
    _expect_writable(out, overwrite)
    if kind not in KINDS:
        raise UsageError(f"expected one of {', '.join(KINDS)} to convert, got {kind!r}")
    weights = weights or _fetched(kind, settings["code"])
    made = _converted(kind, weights, settings)
    kept = {k: v for k, v in settings.items() if v is not None and k not in ("prototxt", "mean")}
    made.source["settings"] = kept | {"mean": _mean_name(settings["mean"])}
    made.source["notes"] = list(made.notes)
    folder = storage.save(
        out,
        name=name or made.model.name,
        encoder=made.encoder,
        labels=made.labels,
        licence=made.licence,
        source=made.source,
        overwrite=overwrite,
        **{made.role: Frugal(made.model)},
    )
    return made, folder


def _fetched(kind, code):
    """The weight file that `tf-inverse fetch` brought for a kind of network."""
    names = (kind,) if kind in fetch.SOURCES else ()
    if kind == "generator":
        names = (f"deepsim-{code}".replace("_", "-"), *(("ppgn-fc6",) if code == "fc6" else ()))
    found = {name: fetch.cached(name) for name in names if fetch.cached(name)}
    if len(found) > 1:
        raise UsageError(f"expected a weight file, as two are fetched: {', '.join(found.values())}")
    if not found:
        raise UsageError(
            f"expected a weight file: tf-inverse convert {kind} FILE --out=FOLDER"
            + "".join(f", or first tf-inverse fetch {name}" for name in names)
        )
    return next(iter(found.values()))


def _mean_name(text):
    """A mean as given, a file by its name and sha256."""
    if text is None or not pathlib.Path(text).is_file():
        return text
    return f"{pathlib.Path(text).name} sha256 {atomic.checksum(text)}"


def _converted(kind, weights, settings):
    ignore = tuple(filter(None, (settings["ignore"] or "").split(",")))
    if kind in conversion.NETWORKS:
        _expect_unset(kind, settings)
        mean = conversion.read_mean(settings["mean"])
        made = conversion.network(
            kind, weights, settings["prototxt"], mean, settings["code"], ignore
        )
        said = "mean: 104,117,123 (blue, green, red), ImageNet's, as --mean names none"
        return made if settings["mean"] else made._replace(notes=(*made.notes, said))
    if kind == "matconvnet":
        from tf_inverse.caffe import matconvnet

        _expect_unset(kind, settings)
        return matconvnet.to_keras(weights)
    if settings["prototxt"] is None:
        raise UsageError("expected --prototxt=FILE, the network's description, for kind caffe")
    for flag, allowed in (("channels", ["bgr", "rgb"]), ("role", ["classifier", "generator"])):
        if settings[flag] not in [*allowed, None]:
            raise UsageError(f"expected --{flag} of {' or '.join(allowed)}, got {settings[flag]!r}")
    return conversion.any_caffe(
        settings["prototxt"],
        weights,
        settings["role"],
        conversion.read_mean(settings["mean"], default=None),
        settings["scale"],
        settings["channels"],
        input_shape=_shape(settings["input_shape"]),
        ignore=ignore,
    )


def _expect_unset(kind, settings):
    """Refuse flags that only `convert caffe` looks at: other networks bring these along."""
    flags = {"scale": 1.0, "channels": "bgr", "input_shape": None, "role": None}
    for flag, usual in flags.items() if kind != "matconvnet" else {**flags, "mean": None}.items():
        if settings[flag] not in (None, usual):
            raise UsageError(
                f"expected no --{flag.partition('_')[0]} for {kind}, which has its own"
            )


def _shape(text):
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 3 or not all(part.isdigit() and 1 <= int(part) <= 4096 for part in parts):
        raise UsageError(f"expected --input=CHANNELS,HEIGHT,WIDTH, got {text!r}")
    return tuple(int(part) for part in parts)


def pair(
    classifier,
    generator,
    *,
    out,
    encoder="relu6",
    crop=None,
    codes=None,
    trust=False,
    **settings,
):
    """Join a classifier and a generator and save them; the arguments are those of the command.

    Returns:
        (lines of the report, folder).

    Raises:
        UsageError: They do not fit.
        ConversionError: The round trip E(G(c)) has another size or is not finite.
    """
    overwrite = settings.get("overwrite", False)
    _expect_writable(out, overwrite)
    f, f_entries = _one(classifier, "classifier", trust)
    G, G_entries = _one(generator, "generator", trust)
    side = (join.crop_side(f, G) if crop is None else crop) or None
    networks = _joined(f, G, encoder, side, codes, settings)
    report = join.round_trip(networks)
    labels = f_entries.get("labels")
    path = storage.save(
        out,
        name=settings.get("name") or f_entries.get("name") or f.name,
        classifier=f,
        generator=G,
        encoder=encoder,
        codes=networks.codes,
        crop=side,
        labels=Labels.read(labels),
        licence=" ".join(
            f"{role}: {entries['licence']}"
            for role, entries in (("Classifier", f_entries), ("Generator", G_entries))
            if entries.get("licence")
        ),
        source={"classifier": f_entries.get("source"), "generator": G_entries.get("source")},
        overwrite=overwrite,
    )
    return report, path


def _one(path, role, trust):
    """The model of a role from a folder or a .keras file, and its manifest."""
    path = pathlib.Path(path)
    if path.is_file():
        return storage.model(path, trust), {}
    where = published.find(path)
    entries = storage.manifest(where)
    if role not in entries:
        raise UsageError(f"expected a {role} in {where}, it has none")
    return storage.model(where / entries[role]["file"], trust), entries


def _joined(f, G, encoder, crop, kind, settings):
    from tf_inverse.networks.networks import Networks

    size, encoding = G.input_shape[-1], _encoding_size(f, encoder)
    kind = kind or ("noise" if encoding == size else "normal")
    if kind == "noise" and encoding != size:
        raise UsageError(
            f"expected codes of the size of {encoder}, {encoding}, for --codes=noise; "
            f"the generator takes {size}: give --codes=normal or another --encoder"
        )
    known = {built.encoder: built.code_bounds for built in ARCHITECTURES.values()}
    bounds = known.get(encoder, PPGN_BOUNDS) if kind == "noise" else None
    bounds = _bounds(settings.get("bounds")) or bounds
    return Networks(
        name=f.name,
        classifier=f,
        generator=G,
        encoder=encoder,
        codes=code_kinds.Codes(kind, size, bounds),
        crop=crop,
    )


def _encoding_size(f, encoder):
    layers = {layer.name: layer for layer in f.layers}
    if encoder not in layers:
        raise UsageError(
            f"expected --encoder to be a layer of {f.name}, got {encoder!r}; its last are "
            f"{', '.join(list(layers)[-8:])}"
        )
    return int(np.prod(layers[encoder].output.shape[1:]))


def _bounds(text):
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"expected --bounds=LOW,HIGH, got {text!r}") from None
    return (low, high)


def _expect_writable(out, overwrite):
    if out is None:
        raise UsageError("expected --out=FOLDER to write")
    storage.expect_free(out, overwrite)
