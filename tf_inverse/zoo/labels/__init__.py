"""Names of the classes of ImageNet (1000 synsets) and Places205, in the order of the outputs.

A name may hold several words with commas between them, as ImageNet's do: "toilet tissue,
toilet paper, bathroom tissue"; any of them names the class. Sources: the synset_words list of
ILSVRC 2012, checked against 250 labelled photographs; the category index of Places205-CNN.
"""

import collections
import importlib.resources


def _lines(name: str) -> list[str]:
    text = importlib.resources.files(__name__).joinpath(name).read_text(encoding="utf-8")
    return text.splitlines()


def imagenet() -> list[str]:
    """Names of the 1000 ImageNet classes.

    Two classes are both "crane": their synset is added as one more word, so names are unique.

    >>> imagenet()[980]
    'volcano'
    """
    synsets, words = zip(*(line.split(" ", 1) for line in _lines("imagenet.txt")), strict=True)
    times = collections.Counter(words)
    return [
        f"{name}, {synset}" if times[name] > 1 else name
        for synset, name in zip(synsets, words, strict=True)
    ]


def places205() -> list[str]:
    """Names of the 205 Places205 categories.

    >>> places205()[125]
    'monastery, outdoor'
    """
    return _lines("places205.txt")


def for_classes(count: int) -> list[str] | None:
    """The list that has this many classes, or None."""
    known = {1000: imagenet, 205: places205}
    return known[count]() if count in known else None
