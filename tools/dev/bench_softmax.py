"""Steps to samples of probabilities, beside those of the same neurons' logits.

The shipped pair with a softmax put after its last layer, plain and four times as steep; and an
intersection of two neurons.
"""

from __future__ import annotations

import dataclasses
import statistics

import keras

from tf_inverse.band import parse
from tf_inverse.errors import Unreachable
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import METHODS, Settings
from tf_inverse.networks import storage

LOGITS, PROBABILITIES = "fc8", "softmax"
UNITS = ("airplane", "cat", "ship")
BANDS = ("0.05:0.2", "0.4:0.6", "0.8:0.95", "0.9:1")
# Where natural images are common, for the logits; two neurons at a time meet lower down.
NATURAL, MEETING = "p90:p97", "p75:p90"
TOGETHER = (("cat", "dog"), ("0.2:0.35", "0.4:0.5"))


def steep(networks, factor: float):
    """The pair with a softmax of its last layer times a factor as one more output."""
    f = networks.classifier
    h = f.get_layer(LOGITS).output
    if factor != 1.0:
        h = keras.layers.Rescaling(factor, name="steep")(h)
    y = keras.layers.Softmax(name=PROBABILITIES)(h)
    labels = (PROBABILITIES, networks.labels.names)
    made = keras.Model(f.inputs[0], [*f.outputs, y], name=f.name)
    return dataclasses.replace(networks, classifier=made, labels=labels)


def steps(networks, targets: str, settings: Settings) -> tuple[int, int]:
    """Samples found, and the gradient steps that it took."""
    try:
        *_, last = sample(networks, parse(targets, networks), settings)
    except Unreachable as error:
        return error.found, error.steps
    return last.info.found, last.info.steps


def targets(layer: str, names: tuple[str, ...], band: str) -> str:
    """The text of targets: the same band for each of the labels."""
    return ", ".join(f"{layer}:{name}@{band}" for name in names)


def measure(n: int, network: str = "cifar10", factors=(1.0, 4.0)) -> dict:
    """Ratios of steps, softmax over logits, by method, steepness and number of neurons.

    Args:
        n: Samples of a run.
        network: With labels on its logits.
        factors: Of the logits before the softmax.

    Returns:
        Plain values by name: the median and the largest ratio, and in how many runs all n samples
        were found. Runs whose logits give no n samples themselves have no ratio.
    """
    plain = storage.load(network)
    figures = {}
    for method in METHODS:
        settings = Settings(n=n, method=method)
        logits = {
            names: steps(plain, targets(LOGITS, names, band), settings)
            for names, band in [((unit,), NATURAL) for unit in UNITS] + [(TOGETHER[0], MEETING)]
        }
        for factor in factors:
            networks = steep(plain, factor)
            singles = [((unit,), band) for unit in UNITS for band in BANDS]
            pairs = [(TOGETHER[0], band) for band in TOGETHER[1]]
            for kind, questions in (("single", singles), ("intersection", pairs)):
                told = {
                    one: steps(networks, targets(PROBABILITIES, *one), settings)
                    for one in questions
                }
                name = f"{method}_softmax_x{factor:g}_{kind}"
                figures |= {f"{name}_{key}": v for key, v in _compared(told, logits, n).items()}
        for names, (found, taken) in logits.items():
            figures[f"{method}_logits_{'_and_'.join(names)}"] = f"{found} in {taken} steps"
    return figures


def _compared(told, logits, n):
    ratios = [
        taken / logits[names][1]
        for (names, _), (found, taken) in told.items()
        if found == n == logits[names][0]
    ]
    whole = sum(found == n for found, _ in told.values())
    summary = {"runs_complete": f"{whole} of {len(told)}"}
    if ratios:
        summary |= {"median_ratio": statistics.median(ratios), "largest_ratio": max(ratios)}
    return summary
