"""tf-inverse judge: what other classifiers see in the samples of an archive."""

from __future__ import annotations


def judge(
    archive: str,
    by: str,
    images: str | None = None,
    map: str | None = None,
    labels: str | None = None,
    pixels: str = "0:255",
    size: str | None = None,
    weights: str | None = "imagenet",
    network: str | None = None,
    trust: bool = False,
    json: bool = False,
) -> None:
    """Asks classifiers that had no part in a run what its samples show, beside other images.

    What they say lies beside the archive, in ARCHIVE.extra.h5, where compare and report find it.

    Examples:
        tf-inverse judge samples.h5 --by=keras:MobileNetV2 --map=ship=liner
        tf-inverse judge samples.h5 --by=other.keras --labels=labels.txt --json

    Args:
        archive: Archive, OUT.h5.
        by: Judges, several with commas: .keras or .h5 files, SavedModels' folders (with --trust),
            keras:MobileNetV2 or any other of keras.applications, or networks' folders.
        images: Folder, .h5 or .npz of natural images: what judges say of those in the range.
        map: Classes of judges that stand for a neuron whose label they have not, OURS=THEIRS,
            several with commas; OURS is a label or LAYER:UNIT, THEIRS a label or a number, of one
            of several judges as 675@MobileNetV2.
        labels: File with a label a line, for the classes of the judges; those of their folders if
            left out, or those of the archive's network where they are as many.
        pixels: LOW:HIGH of the pixels that the judges take, three of them with commas for red,
            green and blue, or caffe, tf, torch, as Keras's preprocess_input has them; or as much
            for each judge, with commas.
        size: ROWS,COLUMNS,CHANNELS of their input, where they leave them open.
        weights: Of keras:NAME: imagenet, a file, or none for random ones; of a KerasHub preset
            none, or its own.
        network: The archive's network, a shipped name or a folder; found again where it was by
            default.
        trust: Load a SavedModel, where it is not one that you adopted.
        json: Print one JSON object instead of a table.
    """
    from tf_inverse.judging import command

    options = {k: v for k, v in locals().items() if k not in ("archive", "by", "command")}
    print("\n".join(command.run(archive, by, options)))
