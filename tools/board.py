"""tf-inverse board: an archive for TensorBoard."""

from tf_inverse.report import png


def board(archive: str, logdir: str) -> None:
    """Writes images, histograms, text and the Embedding Projector of an archive for TensorBoard.

    Examples:
        tf-inverse board samples.h5 log
        tf-inverse board truck.h5 --logdir=log/truck

    Args:
        archive: Archive, A.h5, or the folder of a run in progress.
        logdir: Folder for `tensorboard --logdir`.
    """
    from tf_inverse.report import tensorboard

    opened, _ = png.opened([archive])
    tensorboard.write(opened[0], logdir)
    print(f"tensorboard --logdir {logdir}")
