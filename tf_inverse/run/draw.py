"""A whole sample in one call: for notebooks and programs."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import pathlib
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeGuard

from tf_inverse.band import Band, Bands, parse
from tf_inverse.caffe.published import load
from tf_inverse.compute.progress import Progress
from tf_inverse.errors import UsageError
from tf_inverse.method.settings import Settings
from tf_inverse.run import job
from tf_inverse.run.result import Result

if TYPE_CHECKING:
    import keras

    from tf_inverse.networks.networks import Networks

__all__ = ["Result", "draw"]


def draw(
    network: str | pathlib.Path | Networks | keras.Model = "cifar10",
    targets: str | Iterable[str | Band] | Band | None = None,
    *,
    generator: keras.Model | str | None = None,
    out: str | pathlib.Path | None = None,
    store: str = "images",
    overwrite: bool = False,
    **options: Any,
) -> Result:
    """Samples until n are found, in memory or into an archive.

    The samples depend on the settings alone: with `out` and without it they are the same, and the
    archive is the one that `tf-inverse sample` writes. (Two defaults differ: a program searches in
    float32, see `Settings.precision`, with ten codes at a time, see `Settings.K`.)

    Where fewer than n were found, those are returned with a warning, and `result.trouble` holds
    what stopped the run: `Stalled`, or KeyboardInterrupt after Ctrl-C. A run into an archive that
    Ctrl-C stopped is unfinished, and the same call goes on with it.

    Args:
        network: A shipped name, a folder, or `Networks`; or with `generator` a classifier, as a
            Keras model or text that `tf_inverse.adopt` takes.
        targets: A text as `parse` reads it, several of them, or bands that are made already; the
            network's own default where left out. Several mean their intersection.
        generator: A generator to sample with this classifier: a Keras model or text. The two are
            fitted and checked as `tf_inverse.adopt` does it, and nothing is written.
        out: Archive to write, ending in .h5; all samples stay in memory where it is left out.
        store: "images", or "codes" for a small archive.
        overwrite: Replace an archive that is there.
        **options: Fields of `Settings`, as n=50; and with `generator` the arguments of
            `tf_inverse.adopt`, as image_range=(-1, 1).

    Returns:
        The samples with figures.

    Raises:
        Unreachable: No sample was found.
        KeyboardInterrupt: Stopped before a sample was found.
        FileExistsError: `out` is a finished archive.
        InverseSetError: An argument cannot be, as `adopt` and `parse` say.

    Example:
        draw("cifar10", "fc8:ship@9:11", n=50)
        draw(my_classifier, "logits:0@2:5", generator=my_generator, n=50, out="first.h5")
    """
    fields = {field.name for field in dataclasses.fields(Settings)}
    pairing = {name: value for name, value in options.items() if name not in fields}
    settings = Settings(**{name: value for name, value in options.items() if name in fields})
    _expect_known(pairing, generator is not None, fields)
    if out is not None:
        try:
            out = job.expect_free(out, store, overwrite)
        except FileExistsError:
            raise FileExistsError(
                f"{out} exists; give overwrite=True to replace it, or another name"
            ) from None
    networks = _networks(network, generator, pairing)
    bands = _bands((networks.default or "") if targets is None else targets, networks)
    with Progress(settings.n) as bar:
        result = job.run(
            networks,
            bands,
            settings,
            out,
            store=store,
            overwrite=overwrite,
            resume=not overwrite,
            say=lambda text: warnings.warn(text, stacklevel=4),
            # A script's standard error is left alone; who watches a terminal sees the bar.
            watch=lambda batch: bar.show(batch.info) if bar.terminal else None,
        )
    if result.trouble is not None:
        warnings.warn(
            f"{len(result)} of {settings.n} samples: {result.trouble}; see the result's trouble",
            stacklevel=2,
        )
    return result


def _expect_known(pairing: dict, paired: bool, fields: set[str]) -> None:
    """Refuses arguments that neither `Settings` nor, with a generator, `adopt` has.

    Raises:
        UsageError: It names the first of them, and what is near it.
    """
    if not pairing:
        return
    known = set(fields)
    if paired:
        from tf_inverse import adopt

        known |= set(inspect.signature(adopt.adopt).parameters) - {"classifier", "generator"}
    for name in sorted(set(pairing) - known):
        near = difflib.get_close_matches(name, sorted(known), 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        more = "" if paired else ", and with generator= the arguments of tf_inverse.adopt"
        raise UsageError(
            f"draw has no argument {name!r}: there are the fields of Settings{more}{hint}"
        )


def _bands(targets: str | Iterable[str | Band] | Band, networks: Networks) -> Bands:
    """The bands of one text, of several, or the bands themselves.

    Raises:
        UsageError: They are nothing of that kind, or a text names no target.
    """
    if isinstance(targets, str):
        return parse(targets, networks)
    if not isinstance(targets, Iterable):
        return Bands(targets)
    found: list[Band] = []
    for one in targets:
        found += parse(one, networks) if isinstance(one, str) else Bands(one)
    return Bands(found)


def _is_pair(network: object) -> TypeGuard[Networks]:
    """Whether something is `Networks`, whose class takes TensorFlow to import."""
    return hasattr(network, "look")


def _networks(
    network: str | pathlib.Path | Networks | keras.Model,
    generator: keras.Model | str | None,
    pairing: dict[str, Any],
) -> Networks:
    """The pair to sample: given, loaded, or made of two models."""
    if generator is not None:
        if _is_pair(network):
            raise UsageError(f"{network.name} has a generator of its own: leave out generator=")
        from tf_inverse import adopt

        return adopt.adopt(network, generator, **pairing).networks
    if _is_pair(network):
        return network
    if not isinstance(network, (str, pathlib.Path)):
        raise UsageError(
            f"expected a network's name, a folder, or Networks, got a {type(network).__name__}; "
            "a classifier needs generator="
        )
    return load(network)
