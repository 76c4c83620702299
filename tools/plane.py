"""tf-inverse plane: the plane of two neurons, a sample or several in each of its cells."""

from __future__ import annotations

from tf_inverse.tools import settings_flags


@settings_flags.taken(
    "n",
    "K",
    "seed",
    "starts",
    "patience",
    n=3,
    K=50,
    patience=1500,
    kinds={"patience": int},
    texts={
        "n": "Samples of each cell.",
        "patience": "Steps of one code that a cell is tried without a sample; they count anew when "
        "a cell\n            nearer to it is reached.",
    },
)
def plane(
    out: str = "plane.h5",
    network: str = "cifar10",
    targets: str | None = None,
    rows: int = 10,
    columns: int = 10,
    *,
    device: str = "auto",
    trust: bool = False,
    json: bool = False,
    overwrite: bool = False,
    **settings,
) -> int:
    """Fills the plane of two neurons: cells of a range of one and a range of the other.

    The first target goes across, the second up. Codes that reached a cell are where the search for
    those beside it begins. It writes an archive, OUT.png with one image a cell, and OUT.html.

    Stopped, it keeps what it found, and `tf-inverse resume` goes on.

    Examples:
        tf-inverse plane --targets="fc8:ship, fc8:airplane"
        tf-inverse plane both.h5 --targets="fc8:ship@5:12, fc8:truck@0:10" --rows=6 --n=1

    Args:
        out: Archive to write, ending in .h5; the picture and the page take its name.
        network: A name, as cifar10 or caffenet, a folder with network.json, or hf://user/repo.
        targets: Two neurons, LAYER:UNIT, from the natural median to the 99.8th percentile; or
            LAYER:UNIT@Z1:Z2 for other ends.
        rows: Cells from bottom to top.
        columns: Cells from left to right.
        **settings: Fields of `Settings`, as `settings_flags.taken` fills them in.
        device: auto, cpu, gpu, or gpu:1 and the like; auto is the first GPU where there is one.
        trust: Load a SavedModel in the network, where it is not one that you adopted.
        json: Print one JSON object in place of the table.
        overwrite: Replace an archive, or an unfinished run, that is there.
    """
    from tf_inverse.run import plane_command

    return plane_command.command(
        out,
        network,
        targets,
        rows=rows,
        columns=columns,
        each=settings.pop("n"),
        patience=settings.pop("patience"),
        options=settings,
        device=device,
        trust=trust,
        as_json=json,
        overwrite=overwrite,
    )
