"""Which classes of a judge stand for a neuron: by its label, or by what the user says."""

from __future__ import annotations

import difflib

from tf_inverse import grammar
from tf_inverse.errors import UsageError
from tf_inverse.judging.judges import Judge
from tf_inverse.report.text import place

Map = dict[str, tuple[str, ...]]
"""Label of a neuron, or LAYER:UNIT, -> labels or numbers of a judge's classes."""


def read(text: str | None) -> Map:
    """The map that a flag tells: OURS=THEIRS, several with commas; OURS again adds a class.

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
    targets = [{"layer": layer, "unit": i, "label": name} for i, name in enumerate(labels)]
    groups = [classes(target, judge, given) for target in targets]
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
    there = f"near it are {', '.join(near)}" if near else f"numbers go from 0 to {judge.count - 1}"
    raise UsageError(f"expected a class of {judge.name} in --map, got {text!r}; {there}")
