"""What `tf-inverse convert` does, with its words turned into values."""

from __future__ import annotations

import os
import pathlib
from typing import Any

from tf_inverse import grammar
from tf_inverse.archive import atomic
from tf_inverse.caffe import convert as conversion
from tf_inverse.caffe import fetch, matconvnet
from tf_inverse.errors import UsageError
from tf_inverse.networks import storage
from tf_inverse.networks.saving import Frugal

KINDS = (*conversion.NETWORKS, "caffe", "matconvnet")
# What only `convert caffe` looks at, with the values that say nothing; others bring these along.
OWN = {"scale": None, "channels": "bgr", "size": None, "input": None, "role": None}


def convert(
    kind: str,
    weights: str | os.PathLike | None,
    *,
    out: str | os.PathLike | None,
    overwrite: bool = False,
    name: str | None = None,
    **settings: Any,
) -> tuple[conversion.Converted, pathlib.Path]:
    """Convert and save; the arguments are those of the command.

    Returns:
        (conversion.Converted, folder).
    """
    if out is None:
        raise UsageError("expected --out=FOLDER to write")
    storage.expect_free(out, overwrite)
    if kind not in KINDS:
        raise UsageError(f"expected one of {', '.join(KINDS)} to convert, got {kind!r}")
    _expect_unset(kind, settings)
    settings = settings | {"size": _size(settings), "input": None}
    made = _converted(kind, weights or _fetched(kind, settings["code"]), settings)
    folder = storage.save(
        out,
        name=name or made.model.name,
        encoder=made.encoder,
        labels=made.labels,
        licence=made.licence,
        source=made.source | {"settings": _kept(settings), "notes": list(made.notes)},
        overwrite=overwrite,
        **{made.role: Frugal(made.model)},
    )
    return made, folder


def _kept(settings):
    """The settings as a folder tells them: without paths of this machine."""
    size = settings["size"]
    given = settings | {"size": size and ",".join(map(str, size))}
    kept = {k: v for k, v in given.items() if v is not None and k not in ("prototxt", "mean")}
    return kept | {"mean": _mean_name(settings["mean"])}


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
    if kind == "matconvnet":
        return matconvnet.to_keras(weights)
    ignore = grammar.names(settings["ignore"])
    if kind in conversion.NETWORKS:
        mean = conversion.read_mean(settings["mean"])
        made = conversion.network(
            kind, weights, settings["prototxt"], mean, settings["code"], ignore
        )
        said = "mean: 104,117,123 (blue, green, red), ImageNet's, as --mean names none"
        return made if settings["mean"] else made._replace(notes=(*made.notes, said))
    if settings["prototxt"] is None:
        raise UsageError("expected --prototxt=FILE, the network's description, for kind caffe")
    for flag, allowed in (("channels", ["bgr", "rgb"]), ("role", ["classifier", "generator"])):
        if settings[flag] not in [*allowed, None]:
            raise UsageError(f"expected --{flag} of {' or '.join(allowed)}, got {settings[flag]!r}")
    size = settings["size"]
    return conversion.any_caffe(
        settings["prototxt"],
        weights,
        settings["role"],
        conversion.read_mean(settings["mean"], default=None),
        settings["scale"],
        settings["channels"],
        input_shape=size and (size[2], *size[:2]),
        ignore=ignore,
    )


def _expect_unset(kind, settings):
    """Refuse flags that only `convert caffe` looks at: other networks bring these along."""
    if kind == "caffe":
        return
    flags = OWN | {"mean": None} if kind == "matconvnet" else OWN
    for flag, usual in flags.items():
        # A scale of 1 is what the others have.
        if settings.get(flag) not in (None, usual) and (flag, settings[flag]) != ("scale", 1.0):
            raise UsageError(f"expected no --{flag} for {kind}, which has its own")


def _size(settings):
    """(rows, columns, channels) of --size, or of --input, which earlier versions had."""
    size = grammar.shape("size", settings.get("size"))
    old = grammar.size("input", settings.get("input"), "CHANNELS,HEIGHT,WIDTH")
    if size and old:
        raise UsageError("expected --size or --input, not both")
    if old:
        size = (*old[1:], old[0])
        grammar.say(
            f"--input={settings['input']} is read as --size={','.join(map(str, size))}, as sizes "
            f"are written now"
        )
    return size
