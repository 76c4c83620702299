"""Which layers are in the net of the phase TEST, by the rules of Caffe's Net::FilterNet."""

from collections.abc import Sequence

from tf_inverse.caffe.message import Message
from tf_inverse.errors import RefusedInput

PHASES = ("TRAIN", "TEST")


def state(message: Message) -> tuple[int, list[str]]:
    """(level, stages) that the file itself sets for its net."""
    if message.choice("phase", PHASES, "TEST") != "TEST":
        raise RefusedInput("the network: expected state of phase TEST, got TRAIN")
    return message.integer("level", 0, -(2**31), 2**31), message.all("stage", str)


def included(layer: Message, level: int, stages: Sequence[str]) -> bool:
    """Whether Caffe puts a layer into the net of the phase TEST.

    A layer without rules to include it is in unless a rule excludes it; one with such rules is in
    if it meets any of them.
    """
    layer.where = f"layer {layer.word('name')!r}"
    include, exclude = layer.messages("include"), layer.messages("exclude")
    if include and exclude:
        raise RefusedInput(f"{layer.where}: expected include or exclude, got both")
    met = [_meets(rule, level, stages) for rule in include or exclude]
    return any(met) if include else not any(met)


def _meets(rule: Message, level: int, stages: Sequence[str]) -> bool:
    # A list, so that every part is read: what is not read counts as unknown.
    parts = [
        rule.choice("phase", PHASES, "TEST") == "TEST",
        rule.integer("min_level", level, -(2**31), 2**31) <= level,
        rule.integer("max_level", level, -(2**31), 2**31) >= level,
        set(rule.all("stage", str)) <= set(stages),
        not set(rule.all("not_stage", str)) & set(stages),
    ]
    return all(parts)
