"""tf-inverse sheet: a contact sheet of an archive."""

import pathlib

from tf_inverse.report import png
from tf_inverse.run.natures import of_archives as natures_of


def sheet(
    archive: str,
    out: str | None = None,
    rows: int | None = None,
    columns: int | None = None,
    order: str = "activation",
    maps: str | None = None,
    nature: str | None = None,
    network: str | None = None,
    trust: bool = False,
    overwrite: bool = False,
) -> None:
    """Draws the images of an archive with their activations into one PNG.

    Examples:
        tf-inverse sheet samples.h5 --rows=4 --columns=8 --out=sheet.png
        tf-inverse sheet samples.h5 --order=similar --overwrite

    Args:
        archive: Archive, A.h5, or the folder of a run in progress.
        out: PNG to write; the archive's name with .png by default.
        rows: Lines of images; with it, the most different rows x columns samples are drawn,
            without it every one.
        columns: Images a line.
        order: activation, found, similar or different.
        maps: Draw the images again under the maps of this method, which `tf-inverse explain` made:
            integrated_gradients, smoothgrad or occlusion.
        nature: Folder or file of natural images, of which those in the range are drawn below; or
            remembered, for those that an adopted network's statistics were made of.
        network: The network to score them with; where the archive was drawn by default.
        trust: Load a SavedModel in the network, where it is not one that you adopted.
        overwrite: Replace an existing PNG.
    """
    out = out or pathlib.Path(archive).with_suffix(".png")
    png.expect_ending(out, ".png")
    opened, _ = png.opened([archive])
    (natures,) = natures_of(opened, nature, network, trust)
    png.save(out, png.contact(opened[0], rows, columns, order, natures, maps), overwrite)
    print(out)
