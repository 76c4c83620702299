"""What `tf-inverse judge` does, with its words turned into values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tf_inverse import archive as archives
from tf_inverse import grammar
from tf_inverse.adopt import command as words
from tf_inverse.adopt import pixels
from tf_inverse.errors import UsageError
from tf_inverse.judging import agreement, judges, matching
from tf_inverse.networks import image_files, storage
from tf_inverse.report import text
from tf_inverse.run import origin, verify

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks

MEANING = (
    "Agreement is the share of images whose largest output, of all that a judge has, is a class "
    "that stands for the neuron. A sample that no judge names is no fault of the sample: the "
    "neuron is asked for an activation and not for a class, and natural images in the range are "
    "the measure."
)
HIDDEN = (
    "The neuron has no label, and no class of a judge stands for it: the shares are of the class "
    "that most samples are given to, beside which the other images are the measure; "
    "--map={0}=CLASS names one."
)
LACKING = (
    "{0} has no class that stands for the neuron: its shares are of the class that most samples "
    "are given to; --map={1}=CLASS@{0} names one."
)


def run(path: str, by: str, options: dict[str, Any]) -> list[str]:
    """Asks judges, and writes what they say beside the archive.

    Args:
        path: The finished archive.
        by: Judges, with commas: see `loading.FORMS`.
        options: The other arguments of tools/judge.py.

    Returns:
        The lines to print.

    Raises:
        UsageError: The archive is not finished, or a judge does not fit.
    """
    given = matching.read(options["map"])
    with archives.open(path) as opened:
        if opened.in_progress:
            raise UsageError(f"expected a finished archive, {path} is a run in progress")
        networks = storage.load(origin.find(opened, options["network"]), options["trust"])
        opened.rendered(lambda codes: verify.render(networks, codes))
        panel, said = labelled(_judges(by, networks, options), networks)
        verdicts = judged(opened, networks, panel, given, options["images"])
        agreement.store(opened, verdicts)
        if options["json"]:
            return [json.dumps(facts(verdicts))]
        return [*told(opened, verdicts), *said]


def labelled(panel: list[judges.Judge], networks: Networks) -> tuple[list[judges.Judge], list[str]]:
    """Judges without labels take the network's where they have as many classes: (they, words)."""
    names = networks.labels and networks.labels[1]
    made = [one.labelled(names) for one in panel]
    taken = [one.name for one, before in zip(made, panel, strict=True) if one is not before]
    if not taken:
        return made, []
    return made, [
        f"{' and '.join(taken)} came without labels: the classes are taken to be those of "
        f"{networks.name}, in its order"
    ]


def judged(
    opened: archives.Archive,
    networks: Networks,
    panel: list[judges.Judge],
    given: matching.Map,
    images: str | None,
) -> list[agreement.Verdict]:
    """What each judge of a panel says of an archive's samples.

    Args:
        opened: With images.
        networks: The pair that it was drawn with.
        panel: The judges.
        given: From `matching.read`.
        images: Where natural images are, as `image_files.load` reads them, or None.

    Raises:
        UsageError: The map names a neuron that is no target, or does not fit the judges.
    """
    matching.expect_known(given, opened.targets)
    maps = [matching.of_judge(given, one, panel) for one in panel]
    natural = None
    if images:
        height, width, channels = networks.image_shape
        natural, _ = image_files.load(images, (height, width), "test", channels)
    beside = agreement.others(networks, verify.bands(opened, networks), natural)
    return [
        agreement.verdict(one, opened.images, agreement.expected(opened, one, own), beside)
        for one, own in zip(panel, maps, strict=True)
    ]


def _judges(by: str, networks: Networks, options: dict[str, Any]) -> list[judges.Judge]:
    sources = grammar.names(by)
    if not sources:
        raise UsageError("expected at least one judge, as --by=FILE,FILE")
    spans = _spans(options["pixels"], len(sources))
    labels = words.lines(options["labels"])
    panel = [
        judges.load(
            source,
            networks.image_shape[-1],
            pixels=span,
            labels=labels and labels[1],
            size=grammar.shape("size", options["size"]),
            weights=None if options["weights"] == "none" else options["weights"],
            trust=options["trust"],
        )
        for source, span in zip(sources, spans * len(sources), strict=False)
    ]
    judges.apart(panel)
    return panel


def _spans(text: str, count: int) -> list[pixels.Pixels]:
    """What pixels each of some judges takes, or all of them: of three colours, three spans each."""
    parts = grammar.names(text)
    wide = 3 if len(parts) in (3, 3 * count) and len(parts) != count else 1
    spans = [pixels.read(",".join(parts[i : i + wide])) for i in range(0, len(parts), wide)]
    if len(spans) not in (1, count):
        raise UsageError(
            f"expected --pixels=LOW:HIGH for all judges or for each of {count}, got {len(spans)}"
        )
    return spans


def facts(verdicts: list[agreement.Verdict]) -> dict:
    """What judges said, as plain values by name."""
    return {
        one.judge.name: {
            "expected": [one.named(number) for number in one.expected],
            "most": one.named(one.most),
            "shares": {name: share for name, (share, _) in one.shares.items()},
            "of": {name: count for name, (_, count) in one.shares.items()},
            "agrees": None if one.agrees is None else one.agrees.tolist(),
        }
        for one in verdicts
    }


def told(opened: archives.Archive, verdicts: list[agreement.Verdict]) -> list[str]:
    """A table of shares, a column a judge, and the words that go with it."""
    kinds = verdicts[0].shares
    rows = [["", "images", *(one.judge.name for one in verdicts)]]
    rows += [["counted", "", *(_counted(one) for one in verdicts)]]
    rows += [
        [kind, str(count), *(f"{100 * one.shares[kind][0]:.1f} %" for one in verdicts)]
        for kind, (_, count) in kinds.items()
    ]
    hidden = [t for t in opened.targets if not any(one.expected for one in verdicts)]
    meaning = HIDDEN.format(text.place(hidden[0])) if hidden else MEANING
    doubts = [line for one in verdicts for line in doubtful(one)]
    if not hidden:
        at = text.place(opened.targets[0])
        doubts += [LACKING.format(one.judge.name, at) for one in verdicts if not one.expected]
    return [text.in_columns(rows, left=1), *doubts, meaning]


def _counted(one: agreement.Verdict) -> str:
    numbers = one.expected or (one.most,)
    return " or ".join(one.named(number) for number in numbers[:2]) + ("..." * (len(numbers) > 2))


def doubtful(one: agreement.Verdict) -> list[str]:
    """Why a judge's say may mean nothing: it knows natural images of the class no better.

    A judge that takes other pixels, or has its classes in another order, looks like that.
    """
    nature = [share for kind, (share, _) in one.shares.items() if "random" not in kind][1:]
    if not one.expected or not nature or max(nature) >= 0.5:
        return []
    return [
        f"{one.judge.name} gives {100 * max(nature):.0f} % of natural images in the range to that "
        f"class: does it take other pixels (--pixels), or classes in another order "
        f"(--labels=FILE, --map)?"
    ]
