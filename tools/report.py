"""tf-inverse report: one HTML file to look at samples in."""

from __future__ import annotations

from tf_inverse.report import html, png
from tf_inverse.run import redrawn


def report(
    *archives: str,
    out: str = "report.html",
    network: str | None = None,
    trust: bool = False,
    overwrite: bool = False,
) -> None:
    """Writes a self-contained page with the images, map, histograms and figures of archives.

    Examples:
        tf-inverse report samples.h5
        tf-inverse report truck.h5 both.h5 --out=both.html

    Args:
        archives: Archives, A.h5 B.h5 ..., or folders of runs in progress.
        out: HTML file to write.
        network: The network that archives without images (--store=codes) were drawn with, a shipped
            name or a folder; found again where it was by default.
        trust: Load a SavedModel in the network, where it is not one that you adopted.
        overwrite: Replace an existing file.
    """
    opened, names = png.opened(archives)
    redrawn.images(opened, network, trust)
    png.save(out, html.render(opened, names).encode("utf-8"), overwrite)
    print(out)
