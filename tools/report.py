"""tf-inverse report: one HTML file to look at samples in."""

from tf_inverse.report import html, prints


def report(*archives: str, out: str = "report.html", overwrite: bool = False) -> None:
    """Writes a self-contained page with the images, map, histograms and figures of archives.

    Args:
        archives: Archives, A.h5 B.h5 ..., or folders of runs in progress.
        out: HTML file to write.
        overwrite: Replace an existing file.
    """
    opened, names = prints.opened(archives)
    prints.save(out, html.render(opened, names).encode("utf-8"), overwrite)
    print(out)
