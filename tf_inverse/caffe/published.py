"""The paper's networks by name: fetched, converted and paired once, then used from the cache.

A prepared pair is a network's folder like any other, in `networks/` of the cache folder.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from tf_inverse.archive import lock
from tf_inverse.caffe import fetch
from tf_inverse.caffe.sources import PAIRS, SOURCES, Pair, Source
from tf_inverse.errors import ConversionError, RefusedInput
from tf_inverse.networks import hub, places, storage
from tf_inverse.networks.cache import prepared
from tf_inverse.networks.codes import Codes

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks


def names() -> list[str]:
    """Names that stand for a network: shipped with the package, or published and fetched."""
    return [*places.shipped(), *PAIRS]


def find(network: str | os.PathLike) -> pathlib.Path:
    """The folder of a network, as `places.find`, of a published name or of hf://user/repo.

    A published pair that is not in the cache yet is fetched and converted first, and a network on
    the Hugging Face hub is fetched.

    Raises:
        UsageError: There is no such network.
    """
    if hub.is_address(network):
        return hub.find(network)
    return places.find(network, {name: functools.partial(prepare, name) for name in PAIRS})


def load(network: str | os.PathLike = "cifar10", trust: bool = False) -> Networks:
    """A pair, ready to sample.

    Args:
        network: A shipped or published name, a folder, or hf://user/repo.
        trust: As of `storage.load`.

    Returns:
        `networks.Networks`.

    Raises:
        UsageError: No such network, or one that lacks its classifier, generator or encoder.
        RefusedInput: A file is damaged or of another form.
    """
    return storage.load(find(network), trust)


def is_ready(name: str) -> bool:
    """Whether a published pair is in the cache, ready to sample offline."""
    return (prepared(name) / "network.json").is_file()


def prepare(name: str, say: Callable[[str], object] = fetch.tell) -> pathlib.Path:
    """The folder of a published pair; what is missing is fetched, checked and converted first.

    Args:
        name: A key of `sources.PAIRS`.
        say: Called with each line of progress.

    Raises:
        UsageError: A file is not in the cache and none of its homes can be reached.
        RefusedInput: A file that came is another, or damaged.
        ConversionError: Weights that do not fit.
        archive.lock.LockedError: Another process is preparing the same.
    """
    if is_ready(name):
        return prepared(name)
    pair, path = PAIRS[name], prepared(name)
    classifier, generator = (fetch.fetch(part, say).path for part in parts(name))
    path.parent.mkdir(mode=0o700, exist_ok=True)
    lock_path = path.with_name(f".{name}.lock")
    held = lock.Lock(lock_path, path)
    try:
        # Another process may have done it while this one fetched.
        return path if is_ready(name) else _converted(name, pair, classifier, generator, say)
    finally:
        lock_path.unlink(missing_ok=True)
        held.release()


def _converted(
    name: str,
    pair: Pair,
    classifier_file: pathlib.Path,
    generator_file: pathlib.Path,
    say: Callable[[str], object],
) -> pathlib.Path:
    from tf_inverse.caffe import convert, join
    from tf_inverse.networks.networks import Networks
    from tf_inverse.networks.saving import Frugal
    from tf_inverse.zoo.generator import architecture

    say(f"converting {classifier_file.name} and {generator_file.name}, once")
    with _says_how_to_replace(pair.classifier, classifier_file):
        f = convert.network(pair.classifier, classifier_file)
    with _says_how_to_replace(pair.generator, generator_file):
        G = convert.network("generator", generator_file, code=pair.code)
    built = architecture(pair.code)
    networks = Networks(
        name=name,
        classifier=f.model,
        generator=G.model,
        encoder=built.encoder,
        codes=Codes("noise", int(np.prod(built.shape)), built.code_bounds),
        crop=join.crop_side(f.model.input_shape[1:3], G.model.output_shape[1:3]),
        labels=f.labels,
        default=pair.default,
    )
    for line in join.round_trip(networks):
        say(line)
    return storage.save_pair(
        prepared(name),
        networks,
        models=Frugal,
        licence=" ".join(
            f"{role}: {SOURCES[part].licence}"
            for role, part in (("Classifier", pair.classifier), ("Generator", pair.generator))
        ),
        source={
            "classifier": {"published": pair.classifier, **f.source},
            "generator": {"published": pair.generator, **G.source},
        },
    )


@contextlib.contextmanager
def _says_how_to_replace(source: str, file: pathlib.Path) -> Iterator[None]:
    """Adds to what is wrong with a file in the cache how another takes its place."""
    try:
        yield
    except (RefusedInput, ConversionError) as error:
        raise type(error)(
            f"{error}; remove {file} and what begins with its name to fetch it again, or give "
            f"another with tf-inverse fetch {source} --from=FILE"
        ) from None


def listing() -> str:
    """All that `fetch` brings, and what of it is here: a table of networks, a table of files."""
    lines = [f"{'network':<18}{'made of':<32}state"]
    for name, pair in PAIRS.items():
        made_of = f"{pair.classifier} + {pair.generator}"
        lines.append(f"{name:<18}{made_of:<32}{_pair_state(name)}")
    lines += ["", f"{'file':<18}{'MB':>4}  {'state':<16}what it is"]
    for name, source in SOURCES.items():
        size = f"{source.forms[0].size / 1e6:.0f}" if source.forms[0].size else "?"
        lines.append(f"{name:<18}{size:>4}  {_state(source):<16}{source.what}")
    lines += ["", "licences"]
    for licence in dict.fromkeys(source.licence for source in SOURCES.values()):
        names = [name for name, source in SOURCES.items() if source.licence == licence]
        lines.append(f"{', '.join(names)}: {licence}")
    return "\n".join([*lines, "", f"cache folder: {fetch.cache_folder()}"])


def _pair_state(name: str) -> str:
    if is_ready(name):
        return "ready"
    missing = [part for part in parts(name) if not fetch.present(SOURCES[part])]
    return f"lacks {', '.join(missing)}" if missing else "fetched; converted when it is first used"


def _state(source: Source) -> str:
    if fetch.present(source):
        return "fetched"
    begun = fetch.begun(source)
    return f"{begun / 1e6:.1f} MB of it" if begun else "not fetched"


def parts(name: str) -> tuple[str, ...]:
    """The sources that a name stands for: two of a pair, one of a file."""
    pair = PAIRS.get(name)
    return (pair.classifier, pair.generator) if pair else (name,)
