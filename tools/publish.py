"""tf-inverse publish: an archive as a data set for other people's tools."""

from __future__ import annotations

import sys


def publish(
    archive: str,
    to: str,
    as_: str = "imagefolder",
    name: str | None = None,
    licence: str | None = None,
    creator: str | None = None,
    url: str | None = None,
    date: str | None = None,
    network: str | None = None,
    trust: bool = False,
    overwrite: bool = False,
) -> None:
    """Writes an archive as a data set, with its card and Croissant metadata.

    The folder is what the Hugging Face hub takes (hf upload REPO FOLDER --repo-type=dataset), and
    what the libraries datasets, webdataset, mlcroissant, pandas and safetensors read.

    Examples:
        tf-inverse publish truck.h5 --to=trucks --licence=cc-by-4.0 --creator="Your Name"
        tf-inverse publish samples.h5 --to=tars --as=webdataset

    Args:
        archive: Archive, A.h5, or the folder of a run in progress.
        to: Folder to write.
        as_: imagefolder (PNG files and a table), parquet (one table), webdataset (tar files) or
            safetensors (arrays); --as=FORM. Parquet and safetensors need the extra [publish].
        name: Title; made of the neurons by default.
        licence: Of the samples, an identifier as cc-by-4.0, or free text; what the network's folder
            says of its weights by default.
        creator: Who publishes it.
        url: Page where it will be.
        date: Day of publication, YYYY-MM-DD; today by default.
        network: The network it was drawn with, a name or a folder; found again where it was by
            default. It says where the weights come from, and draws what --store=codes left out.
        trust: Load a SavedModel in the network, where it is not one that you adopted.
        overwrite: Replace an earlier data set in the folder.
    """
    from tf_inverse import publish as library
    from tf_inverse.report import png
    from tf_inverse.run import origin, redrawn

    opened = png.opened([archive])[0][0]
    redrawn.proven(opened, network, trust)
    described, trouble = origin.described(opened, network)
    told = library.about(
        opened, described, name=name, licence=licence, creator=creator, url=url, date=date
    )
    print(library.write(opened, to, as_, told, overwrite))
    for line in (*trouble, *library.lacking(told)):
        print(line, file=sys.stderr)
