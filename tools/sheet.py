"""tf-inverse sheet: a contact sheet of an archive."""

import pathlib

from tf_inverse.report import png


def sheet(
    archive: str,
    out: str | None = None,
    rows: int | None = None,
    columns: int | None = None,
    order: str = "activation",
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
        overwrite: Replace an existing PNG.
    """
    out = out or pathlib.Path(archive).with_suffix(".png")
    opened, _ = png.opened([archive])
    png.save(out, png.contact(opened[0], rows, columns, order), overwrite)
    print(out)
