"""tf-inverse site: pages of many archives, to look at a whole network."""

from __future__ import annotations

import functools
import sys


def site(
    folder: str,
    nature: str | None = None,
    store_nature: bool = False,
    network: str | None = None,
    trust: bool = False,
) -> int:
    """Writes FOLDER/site: an index of all units and a page of each, which open from disk.

    FOLDER is what `atlas` wrote, or any folder of archives: several archives of one neuron are the
    ladder of its ranges. The site is made of the archives alone and replaces the one that is there.

    Examples:
        tf-inverse site atlas
        tf-inverse site atlas --nature=remembered

    Args:
        folder: Folder of archives.
        nature: Folder or file of natural images, of which those in the range of each unit are shown
            beside its samples; or remembered, as of report. All of
            them are scored.
        store_nature: Keep those images in the file beside each archive, so that later sites show
            them without --nature.
        network: The network that the archives were drawn with, a shipped name or a folder, for
            --nature; found again where it was by default.
        trust: Load a SavedModel in the network, where it is not one that you adopted.
    """
    from tf_inverse.compute.progress import Counted
    from tf_inverse.errors import printable
    from tf_inverse.report import site as pages
    from tf_inverse.run import natures

    natures.expect_source(nature, store_nature)
    options = {"network": network, "trust": trust, "store": store_nature}
    find = functools.partial(natures.each, source=nature, **options) if nature else None
    with Counted("units") as progress:
        written = pages.write(folder, find, progress.show)
    for line in written.left_out:
        print(printable(f"left out: {line}"), file=sys.stderr)
    mib = f"{written.size / 2**20:.1f} MiB"
    told = f"{written.index}: {written.pages} of {written.units} units with samples, {mib}"
    print(printable(told))
    return 3 if written.left_out else 0
