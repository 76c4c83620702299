"""tf-inverse compare: the metrics of several archives side by side."""

import json as json_module

from tf_inverse.report import figure_table, page_data, png, standing


def compare(*archives: str, bandwidth: float | None = None, json: bool = False) -> None:
    """Prints the metrics of archives side by side, measured again from what they hold.

    Examples:
        tf-inverse compare truck.h5 both.h5
        tf-inverse compare truck.h5 both.h5 --json

    Args:
        archives: Archives, A.h5 B.h5 ..., or folders of runs in progress.
        bandwidth: Bandwidth of the Vendi score, in units of the encoding, for all archives; by
            default that of the network's yardstick, as the first archive tells it.
        json: Print one JSON object, archive name to figures.
    """
    opened, names = png.opened(archives)
    columns, notes = page_data.compared(opened, names, bandwidth)
    if json:
        print(json_module.dumps(columns))
        return
    print(figure_table.table(columns))
    print(*notes, sep="\n")
    for archive, name in zip(opened, names, strict=True):
        print(f"\n{name}: {png.heading(archive)} in {archive.network}")
        for line in standing.lines(archive):
            print(line)
