"""What a run hands back: its samples, its figures, and what stopped it."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tf_inverse import archive as archives
from tf_inverse.band import Bands
from tf_inverse.errors import Unreachable, UsageError
from tf_inverse.run import record

if TYPE_CHECKING:
    import pandas

    from tf_inverse.archive import Samples
    from tf_inverse.method.settings import Settings
    from tf_inverse.networks.networks import Networks


@dataclass(frozen=True, repr=False)
class Result:
    """Samples with all that is known of them: a table in a console, a sheet in a notebook.

    Attributes:
        bands: Neurons and ranges.
        networks: The pair that was sampled.
        settings: What was asked for, with everything settled that was left open.
        summary: Figures of `metrics.summary`, steps, and seconds of wall time; of an archive whose
            run was interrupted only what was found and asked for.
        trouble: Why there are fewer samples than asked for: `Stalled` or another `Unreachable`, or
            KeyboardInterrupt where the run was stopped; None where all were found.
        samples: images [n, H, W, C] uint8, codes, encodings, activations [n, p], steps, chain.
        archive: Path of the archive, or None for a run in memory.
    """

    bands: Bands
    networks: Networks
    settings: Settings
    summary: dict
    trouble: Unreachable | KeyboardInterrupt | None = None
    archive: pathlib.Path | None = None
    kept: dataclasses.InitVar[Samples | None] = None

    def __post_init__(self, kept: Samples | None) -> None:
        if kept is not None:
            self.__dict__["samples"] = kept

    @functools.cached_property
    def samples(self) -> Samples:
        """All samples in memory; those of an archive are read when they are first asked for."""
        from tf_inverse.run import verify

        assert self.archive is not None, "what is in no archive is kept in memory"
        with archives.open(self.archive) as opened:
            opened.rendered(lambda codes: verify.render(self.networks, codes))
            columns = {name: getattr(opened, name) for name in archives.Samples._fields}
            arrays: dict[str, Any] = {k: v if v is None else v[:] for k, v in columns.items()}
            return archives.Samples(**arrays)

    @property
    def targets(self) -> list[dict]:
        """The bands with their labels, as an archive tells them."""
        return [record.described(band, self.networks) for band in self.bands]

    def to_frame(self) -> pandas.DataFrame:
        """A pandas frame with a row for each sample.

        The columns are each neuron's activation under the neuron's name (`fc8:8`, as in targets),
        `steps` (the gradient step at which the sample was found) and `chain` (its row of the pool).

        Raises:
            UsageError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise UsageError("to_frame needs pandas: pip install pandas") from error
        columns = {
            str(band.neuron): z
            for band, z in zip(self.bands, self.samples.activations.T, strict=True)
        }
        columns |= {"steps": self.samples.steps, "chain": self.samples.chain}
        return pandas.DataFrame(columns).rename_axis("sample")

    def __len__(self) -> int:
        return self.summary["found"]

    def __repr__(self) -> str:
        from tf_inverse.report import figure_table, text

        lines = [
            text.question(self.targets, self.networks.name),
            figure_table.table({"": self.summary}),
        ]
        if self.trouble is not None:
            lines.append(f"not all were found: {self.trouble}")
        return "\n".join(lines)

    def _repr_html_(self) -> str | None:
        if self.samples.images.dtype != np.uint8:  # vectors are no pictures
            return None
        from tf_inverse.report.html import inline

        return inline(self.samples, self.targets, self.networks.name)
