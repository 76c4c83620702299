"""tf-inverse images: the images of an archive as PNG files."""

from tf_inverse.report import png


def images(archive: str, folder: str, overwrite: bool = False) -> None:
    """Writes every image as a PNG whose name and metadata hold its activations.

    Examples:
        tf-inverse images samples.h5 pictures
        tf-inverse images --archive=samples.h5 --folder=others

    Args:
        archive: Archive, A.h5, or the folder of a run in progress.
        folder: Folder to write to; a new or empty one.
        overwrite: Replace the PNG files of an earlier call; other files in the folder stay.
    """
    opened, _ = png.opened([archive])
    print(f"{png.images(opened[0], folder, overwrite)} images in {folder}")
