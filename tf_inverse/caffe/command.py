"""What `tf-inverse convert` does, with its words turned into values."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

from tf_inverse import grammar
from tf_inverse.archive import atomic
from tf_inverse.caffe import convert as conversion
from tf_inverse.caffe import fetch, matconvnet
from tf_inverse.errors import UsageError
from tf_inverse.networks import storage
from tf_inverse.networks.saving import Frugal
from tf_inverse.tensors import StrPath

KINDS = (*conversion.NETWORKS, "caffe", "matconvnet")
# What only `convert caffe` looks at, with the values that say nothing; others bring these along.
OWN = {"scale": None, "channels": "bgr", "size": None, "input": None, "role": None}


class Flags(TypedDict):
    """The flags that tell how a network is converted, as the user wrote them."""

    prototxt: str | None
    mean: str | None
    scale: float | None
    channels: str
    size: str | None
    input: str | None
    role: str | None
    code: str
    ignore: str | None


def convert(
    kind: str,
    weights: str | os.PathLike | None,
    *,
    out: str | os.PathLike | None,
    overwrite: bool = False,
    name: str | None = None,
    **flags: Unpack[Flags],
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
    _expect_unset(kind, flags)
    size = _size(flags)
    made = _converted(kind, weights or _fetched(kind, flags["code"]), flags, size)
    models = {made.role: Frugal(made.model)}
    folder = storage.save(
        out,
        name=name or made.model.name,
        encoder=made.encoder,
        labels=made.labels,
        licence=made.licence,
        source=made.source | {"settings": _kept(flags, size), "notes": list(made.notes)},
        overwrite=overwrite,
        classifier=models.get("classifier"),
        generator=models.get("generator"),
    )
    return made, folder


def _kept(flags: Flags, size: tuple[int, int, int] | None) -> dict[str, object]:
    """The settings as a folder tells them: without paths of this machine."""
    told: dict[str, object] = {**flags, "size": size and ",".join(map(str, size)), "input": None}
    kept = {k: v for k, v in told.items() if v is not None and k not in ("prototxt", "mean")}
    return kept | {"mean": _mean_name(flags["mean"])}


def _fetched(kind: str, code: str) -> str:
    """The weight file that `tf-inverse fetch` brought for a kind of network."""
    names = [kind] if kind in fetch.SOURCES else []
    if kind == "generator":
        names = [f"deepsim-{code}".replace("_", "-"), *(["ppgn-fc6"] if code == "fc6" else [])]
    found = [path for path in map(fetch.cached, names) if path]
    if len(found) > 1:
        raise UsageError(f"expected a weight file, as two are fetched: {', '.join(found)}")
    if not found:
        raise UsageError(
            f"expected a weight file: tf-inverse convert {kind} FILE --out=FOLDER"
            + "".join(f", or first tf-inverse fetch {name}" for name in names)
        )
    return found[0]


def _mean_name(text: str | None) -> str | None:
    """A mean as given, a file by its name and sha256."""
    if text is None or not pathlib.Path(text).is_file():
        return text
    return f"{pathlib.Path(text).name} sha256 {atomic.checksum(pathlib.Path(text))}"


def _converted(
    kind: str, weights: StrPath, flags: Flags, size: tuple[int, int, int] | None
) -> conversion.Converted:
    if kind == "matconvnet":
        return matconvnet.to_keras(weights)
    ignore = grammar.names(flags["ignore"])
    if kind in conversion.NETWORKS:
        mean = conversion.read_mean(flags["mean"])
        made = conversion.network(kind, weights, flags["prototxt"], mean, flags["code"], ignore)
        said = "mean: 104,117,123 (blue, green, red), ImageNet's, as --mean names none"
        return made if flags["mean"] else made._replace(notes=(*made.notes, said))
    if flags["prototxt"] is None:
        raise UsageError("expected --prototxt=FILE, the network's description, for kind caffe")
    channels, role = flags["channels"], flags["role"]
    for flag, value, allowed in (
        ("channels", channels, ("bgr", "rgb")),
        ("role", role, ("classifier", "generator")),
    ):
        if value not in (*allowed, None):
            raise UsageError(f"expected --{flag} of {' or '.join(allowed)}, got {value!r}")
    return conversion.any_caffe(
        flags["prototxt"],
        weights,
        role,
        conversion.read_mean(flags["mean"], default=None),
        flags["scale"],
        channels,
        input_shape=size and (size[2], size[0], size[1]),
        ignore=ignore,
    )


def _expect_unset(kind: str, flags: Mapping[str, Any]) -> None:
    """Refuse flags that a kind does not look at: most networks bring along what `caffe` is told."""
    if kind != "generator" and flags["code"] != "fc6":
        raise UsageError(f"expected no --code for {kind}: it tells which generator is converted")
    own = {} if kind == "caffe" else dict(OWN)
    if kind == "matconvnet":
        own |= {"mean": None, "prototxt": None, "ignore": None}
    for flag, usual in own.items():
        # A scale of 1 is what the others have.
        if flags.get(flag) not in (None, usual) and (flag, flags[flag]) != ("scale", 1.0):
            raise UsageError(f"expected no --{flag} for {kind}, which has its own")


def _size(flags: Flags) -> tuple[int, int, int] | None:
    """(rows, columns, channels) of --size, or of --input, which earlier versions had."""
    size = grammar.shape("size", flags.get("size"))
    old = grammar.size("input", flags.get("input"), "CHANNELS,HEIGHT,WIDTH")
    if size and old:
        raise UsageError("expected --size or --input, not both")
    if old:
        size = (old[1], old[2], old[0])
        grammar.say(
            f"--input={flags['input']} is read as --size={','.join(map(str, size))}, as sizes "
            f"are written now"
        )
    return size
