"""tf-inverse convert: files of Caffe, PyTorch and MatConvNet to Keras models."""


def convert(
    kind: str,
    weights: str | None = None,
    prototxt: str | None = None,
    caffemodel: str | None = None,
    mat: str | None = None,
    mean: str | None = None,
    scale: float | None = None,
    channels: str = "bgr",
    size: str | None = None,
    input: str | None = None,
    role: str | None = None,
    code: str = "fc6",
    ignore: str | None = None,
    name: str | None = None,
    out: str | None = None,
    overwrite: bool = False,
) -> None:
    """Makes a Keras model, with network.json, from weights of Caffe, PyTorch or MatConvNet.

    The folder holds classifier.keras or generator.keras; `tf-inverse pair` joins two of them.

    Examples:
        tf-inverse convert caffenet --out=caffenet
        tf-inverse convert caffe --prototxt=deploy.prototxt --weights=net.caffemodel --out=net

    Args:
        kind: caffenet, places205, alexnet, generator, caffe (any prototxt) or matconvnet.
        weights: Weight file, .caffemodel, .pt, .safetensors or .mat; left out, the one that
            `tf-inverse fetch` brought.
        prototxt: Description of the network; needed by caffe, compared by the others.
        caffemodel: Another word for weights.
        mat: Another word for weights.
        mean: Mean in the file's order of channels, 104,117,123, or file .binaryproto, .npy or .mat;
            left out, the prototxt's.
        scale: What the network multiplies pixels by once the mean is off; the prototxt's, or 1.
        channels: Order of the network's channels, bgr or rgb.
        size: ROWS,COLUMNS,CHANNELS of the input, where the prototxt declares none or in its place.
        input: The size as CHANNELS,HEIGHT,WIDTH, the earlier form.
        role: classifier or generator; left out, told by the input.
        code: Codes of a generator, fc6, fc6_eucl, fc7, fc8, pool5, conv4, conv3, norm2 or norm1.
        ignore: Layers of the weight file that may stay unused, A,B,...
        name: Name of the network; the kind or the prototxt's name.
        out: Folder to write.
        overwrite: Replace an existing folder.
    """
    from tf_inverse.caffe import command
    from tf_inverse.errors import UsageError

    files = [file for file in (weights, caffemodel, mat) if file]
    if len(files) > 1:
        raise UsageError(f"expected one file of weights, got {', '.join(files)}")
    made, folder = command.convert(
        kind,
        files[0] if files else None,
        prototxt=prototxt,
        mean=mean,
        scale=scale,
        channels=channels,
        size=size,
        input=input,
        role=role,
        code=code,
        ignore=ignore,
        name=name,
        out=out,
        overwrite=overwrite,
    )
    print("\n".join((*made.report, *made.notes)))
    print(f"self-check: forward pass finite, output {made.outputs()}")
    print(f"licence: {made.licence}")
    print(folder)
