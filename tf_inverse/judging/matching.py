"""Which classes of a judge stand for a neuron: by its label, or by what the user says."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from tf_inverse import grammar
from tf_inverse.errors import UsageError
from tf_inverse.judging.judges import Judge
from tf_inverse.report.text import place

Map = dict[str, tuple[str, ...]]
"""Label of a neuron, or LAYER:UNIT, -> labels or numbers of a judge's classes."""

MOST_NAMED = 20
"""Names that a refusal lists."""


def read(text: str | None) -> Map:
    """The map that a flag tells: OURS=THEIRS, several with commas; OURS again adds a class.

    THEIRS is a label or a number, of one judge alone where `@JUDGE` follows: see `of_judge`.

    Raises:
        UsageError: A part is of another form.

    >>> read("ship=liner,ship=3,cat=tabby")
    {'ship': ('liner', '3'), 'cat': ('tabby',)}
    """
    found: dict[str, tuple[str, ...]] = {}
    for part in filter(None, (text or "").split(",")):
        ours, equals, theirs = (piece.strip() for piece in part.partition("="))
        if not (ours and equals and theirs):
            raise UsageError(f"expected --map=OURS=THEIRS,OURS=THEIRS, got {part!r}")
        found[ours] = (*found.get(ours, ()), theirs)
    return found


def expect_known(given: Map, targets: Sequence[dict]) -> None:
    """Refuses a map that names something else than some targets.

    Args:
        given: From `read`.
        targets: As of `classes`.

    Raises:
        UsageError: Names what the map may name.
    """
    known = {name for one in targets for name in (one.get("label"), place(one)) if name}
    unknown = sorted(set(given) - known)
    if unknown:
        named = sorted(known)
        more = " ..." * (len(named) > MOST_NAMED)
        raise UsageError(
            f"expected --map of {', '.join(named[:MOST_NAMED])}{more}, got {unknown[0]!r}"
        )


def of_judge(given: Map, judge: Judge, panel: Sequence[Judge]) -> Map:
    """What a map says of one judge of several.

    Args:
        given: From `read`.
        judge: One of the panel.
        panel: All judges that are asked.

    Raises:
        UsageError: The map names a judge that is not asked, or it gives a number for judges whose
            classes of that number are not the same.
    """
    found = {}
    for ours, theirs in given.items():
        told = [_owned(ours, one, panel) for one in theirs]
        if own := tuple(text for name, text in told if name in ("", judge.name)):
            found[ours] = own
    return found


def _owned(ours: str, theirs: str, panel: Sequence[Judge]) -> tuple[str, str]:
    """The name of the judge that a class is meant for, "" for all of them; and the class."""
    names = [one.name for one in panel]
    text, at, name = (part.strip() for part in theirs.rpartition("@"))
    if at and name in names:
        return name, text
    if at and not any(theirs.lower() in _synonyms(label) for label in _labels(panel)):
        raise UsageError(f"expected a judge of {', '.join(names)} after @ in --map, got {name!r}")
    number = grammar.whole(theirs)
    if number is not None and _differ(number, panel):
        counts = " and ".join(f"{one.name} has {one.count}" for one in panel)
        raise UsageError(
            f"expected --map={ours}={theirs}@JUDGE, for judges of other classes share no numbers "
            f"({counts})"
        )
    return "", theirs


def _differ(number: int, panel: Sequence[Judge]) -> bool:
    """Whether a class of one number need not be the same class for all judges."""
    known = [one.labels for one in panel if one.labels]
    names = {labels[number].lower() for labels in known if number < len(labels)}
    return len({one.count for one in panel}) > 1 or len(names) > 1


def _labels(panel: Sequence[Judge]) -> Iterator[str]:
    return (label for one in panel for label in one.labels or ())


def targets(labels: Sequence[str], layer: str) -> list[dict]:
    """Targets, as of `classes`, of all units of a layer.

    Args:
        labels: Names of the units.
        layer: Its name.
    """
    return [{"layer": layer, "unit": i, "label": name} for i, name in enumerate(labels)]


def classes(target: dict, judge: Judge, given: Map) -> tuple[int, ...]:
    """The classes of a judge that stand for a target's neuron; none where it has no class there.

    Args:
        target: As an archive has it: layer, unit, label.
        judge: Whose classes are looked at.
        given: From `read`.

    Raises:
        UsageError: The map names a class that the judge has not.
    """
    label = target.get("label")
    for ours in filter(None, (label, place(target))):
        if ours in given:
            return tuple(_named(text, judge) for text in given[ours])
    if label is None or judge.labels is None:
        return ()
    wanted = _synonyms(label)
    return tuple(i for i, name in enumerate(judge.labels) if wanted & _synonyms(name))


def among(labels: tuple[str, ...], layer: str, judge: Judge, given: Map) -> Judge:
    """A judge that is asked for the classes of a network alone.

    Args:
        labels: Names of the network's classes.
        layer: Whose units they name.
        judge: With the same number of classes, in the same order, where it has no labels.
        given: From `read`.

    Raises:
        UsageError: A class of the network is none of the judge's.
    """
    if judge.labels is None and judge.count == len(labels) and not given:
        return judge.labelled(labels)
    groups = [classes(target, judge, given) for target in targets(labels, layer)]
    lacking = [name for name, group in zip(labels, groups, strict=True) if not group]
    if lacking:
        raise UsageError(
            f"expected classes of {judge.name} for all of {len(labels)} classes, none is called "
            f"{', '.join(lacking[:3])}{' ...' * (len(lacking) > 3)}: --map={lacking[0]}=THEIRS "
            f"names one"
        )
    return judge.among(groups, labels)


def _synonyms(label: str) -> set[str]:
    """A label and each of the names that it lists with commas, in small letters."""
    return {label.lower(), *label.lower().split(", ")}


def _named(text: str, judge: Judge) -> int:
    """The number of the class of a judge that a text names, by its number or by its label."""
    number = grammar.whole(text)
    if number is not None and number < judge.count:
        return number
    labels = judge.labels or ()
    found = [i for i, name in enumerate(labels) if text.lower() in _synonyms(name)]
    if found:
        return found[0]
    near = difflib.get_close_matches(text, labels, 3, 0.4)
    there = grammar.meant(near) if near else f"numbers go from 0 to {judge.count - 1}"
    raise UsageError(f"expected a class of {judge.name} in --map, got {text!r}; {there}")
