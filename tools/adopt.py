"""tf-inverse adopt: your own classifier and generator as a network to sample from."""

from __future__ import annotations


def adopt(
    classifier: str,
    generator: str,
    out: str,
    encoder: str | None = None,
    range: str | None = None,
    pixels: str = "0:255",
    codes: str | None = None,
    bounds: str | None = None,
    crop: int | None = None,
    fixed: str | None = None,
    labels: str | None = None,
    images: str | None = None,
    size: str | None = None,
    code_size: int | None = None,
    weights: str | None = "imagenet",
    trust: bool = False,
    name: str | None = None,
    licence: str = "",
    overwrite: bool = False,
    json: bool = False,
    sae: str | None = None,
    sae_layer: str | None = None,
) -> None:
    """Checks any Keras classifier and generator and joins them to a network's folder.

    A model is a .keras, .h5 or .onnx file, a SavedModel's folder (with --trust), keras:MobileNetV2
    or any other of keras.applications (with its preprocessing), or a network's folder.

    Examples:
        tf-inverse adopt my.keras gan.keras ours --images=photos/
        tf-inverse adopt keras:MobileNetV2 gan.keras ours --range=-1:1

    Args:
        classifier: Classifier of images.
        generator: Generator of images from codes.
        out: Folder to write.
        encoder: Layer of the classifier whose output is the encoding, or another model of images;
            if left out, that of the classifier's folder, or the last one before the output that
            has no map.
        range: LOW:HIGH of the generator's images, as -1:1; told from its images if left out.
        pixels: LOW:HIGH of the pixels that the classifier takes, or three of them with commas for
            red, green and blue; or caffe, tf, torch, as Keras's preprocess_input has them.
        codes: Starting codes, normal, uniform or noise; normal, or as the generator's folder says.
        bounds: Smallest and largest entry of a code, 0:30; 0: where there is no largest.
        crop: Side of the centre square cut from the generator's image; 0 for none, also where the
            generator's folder has one.
        fixed: Values of further inputs, NAME=VALUE, several with commas: a number, which stands for
            the one-hot row of a label; numbers with blanks between; or a file, a picture or .npy.
        labels: File with a label a line, for the units of the output; the classes of the images,
            where they are as many, if left out.
        images: Folder, .h5 or .npz of natural images: percentiles in targets, and what is natural
            beside every sample; sub-folders are classes.
        size: ROWS,COLUMNS,CHANNELS of the classifier's input, where it leaves them open or is a
            row of numbers.
        code_size: Entries of a code, where the generator leaves them open.
        sae: A sparse autoencoder of what --sae-layer gives, a file like the others: its features
            become units of the layer SAE-LAYER_sae.
        sae_layer: Layer of the classifier that it reads.
        weights: Of keras:NAME: imagenet, a file, or none for random ones; of a KerasHub preset
            none, or its own.
        trust: Load a SavedModel; its graph can read and write files. What was adopted so is
            remembered by its checksum, and needs no flag again.
        name: Of the network; the classifier's by default.
        licence: What the weights may be used for.
        overwrite: Replace a folder that exists.
        json: Print one JSON object instead of lines.
    """
    from tf_inverse.adopt import command

    options = {k: v for k, v in locals().items() if k != "command"}
    print("\n".join(command.run(**options)))
