"""tf-inverse report: one HTML file to look at samples in."""

from __future__ import annotations

from tf_inverse.report import html, png
from tf_inverse.run import redrawn
from tf_inverse.run.natures import of_archives as natures_of


def report(
    *archives: str,
    out: str = "report.html",
    nature: str | None = None,
    store_nature: bool = False,
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
        nature: Folder or file of natural images, of which those in the range of each archive are
            shown beside its samples; or remembered, for those that an adopted network's statistics
            were made of.
        store_nature: Keep those images in the file beside each archive, so that later reports show
            them without --nature. Mind whose images they are before you pass that file on.
        network: The network that the archives were drawn with, a shipped name or a folder, for
            --nature and for archives without images (--store=codes); found again where it was by
            default.
        trust: Load a SavedModel in the network, where it is not one that you adopted.
        overwrite: Replace an existing file.
    """
    png.expect_ending(out, ".html", ".htm")
    opened, names = png.opened(archives)
    redrawn.images(opened, network, trust)
    natures = natures_of(opened, nature, network, trust, store_nature)
    png.save(out, html.render(opened, names, natures).encode("utf-8"), overwrite)
    print(out)
