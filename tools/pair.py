"""tf-inverse pair: a classifier and a generator become one network to sample from."""


def pair(
    classifier: str,
    generator: str,
    encoder: str = "relu6",
    out: str | None = None,
    crop: int | None = None,
    codes: str | None = None,
    bounds: str | None = None,
    name: str | None = None,
    trust: bool = False,
    overwrite: bool = False,
) -> None:
    """Joins a converted classifier and generator, after checking that they fit.

    Examples:
        tf-inverse pair caffenet generator --out=mine
        tf-inverse pair net gan.keras --encoder=fc6 --out=mine --overwrite

    Args:
        classifier: Folder with a classifier, or a .keras file, or another form that adopt takes.
        generator: Folder with a generator, likewise.
        encoder: Layer of the classifier whose output is the encoding.
        out: Folder to write.
        crop: Side of the centre square cut from the generator's image; 0 for none, left out the
            classifier's side where the image is at most a quarter larger.
        codes: Starting codes, normal, uniform or noise; noise where the encoding fits the codes.
        bounds: Smallest and largest entry of a code, 0:30; that for noise.
        name: Name of the pair, the classifier's.
        trust: Load a SavedModel in either, where it is not one that you adopted.
        overwrite: Replace an existing folder.
    """
    from tf_inverse.adopt import command

    report, folder = command.pair(
        classifier,
        generator,
        encoder=encoder,
        out=out,
        crop=crop,
        codes=codes,
        bounds=bounds,
        name=name,
        trust=trust,
        overwrite=overwrite,
    )
    print("\n".join(report))
    print(folder)
