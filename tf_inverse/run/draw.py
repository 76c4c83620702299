"""A whole sample in memory: for notebooks and small programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tf_inverse.archive import Samples
from tf_inverse.band import Bands, parse
from tf_inverse.caffe.published import load
from tf_inverse.method.normalization import measure
from tf_inverse.method.sampler import sample
from tf_inverse.method.settings import Settings
from tf_inverse.run import job


@dataclass(frozen=True)
class Result:
    """Samples with what they are of; shows itself as a sheet in a notebook.

    Attributes:
        samples: images [n, H, W, C] uint8, codes, encodings, activations [n, p], steps, chain.
        bands: Neurons and ranges.
        networks: What they were drawn from.
        summary: Figures of `metrics.summary`.
    """

    samples: Samples
    bands: Bands
    networks: Any
    summary: dict

    def _repr_html_(self):
        if self.samples.images.dtype != np.uint8:  # vectors are no pictures
            return None
        from tf_inverse.report.html import inline

        targets = [job.described(b, self.networks) for b in self.bands]
        return inline(self.samples, targets, self.networks.name)


def draw(network="cifar10", targets: str | None = None, **options) -> Result:
    """Sample until n are found and keep all of them in memory.

    Args:
        network: A shipped name, a folder, or `networks.Networks`.
        targets: As `band.parse` reads them; the network's own default where left out.
        **options: Fields of `settings.Settings`, as n=50.

    Raises:
        InverseSetError: As `sampler.sample` and `band.parse`.

    Example:
        draw("cifar10", "fc8:ship@9:11", n=50)
    """
    networks = network if hasattr(network, "look") else load(network)
    settings = Settings(**options)
    bands = parse(targets or networks.default or "", networks)
    scale = measure(networks, bands.neurons)
    batches = sample(networks, bands, settings, scale=scale)
    samples = Samples.joined(batch.samples for batch in batches)
    figures = job.summary(samples, bands, settings, scale, job.natural(networks, bands))
    return Result(samples, bands, networks, figures)
