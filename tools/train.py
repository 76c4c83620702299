"""tf-inverse train: a classifier, a generator for any Keras classifier, and a judge of both."""

from __future__ import annotations


def train(
    kind: str,
    data: str,
    out: str,
    classifier: str | None = None,
    generator: str | None = None,
    smooth: float = 0.0,
    encoder: str | None = None,
    compare: str | None = None,
    teacher: str | None = None,
    teacher_layers: str | None = None,
    image: str | None = None,
    pixels: str = "0:255",
    size: str | None = None,
    fixed: str | None = None,
    weights: str | None = "imagenet",
    judge: str | None = None,
    map: str | None = None,
    n: int | None = None,
    neurons: int | None = None,
    labels: str | None = None,
    name: str | None = None,
    start: str | None = None,
    rate: float | None = None,
    epochs: int | None = None,
    plain: int = 5,
    epsilon: float = 0.25,
    code: int | None = None,
    width: float = 1.0,
    pooled: int = 0,
    average: float = 0.0,
    augment: str | None = None,
    disc_start: int = 0,
    appearance: int | None = None,
    precision: str = "auto",
    batch: int | None = None,
    seed: int = 0,
    description: str | None = None,
    licence: str = "",
    default: str | None = None,
    trust: bool = False,
    overwrite: bool = False,
    json: bool = False,
) -> int | None:
    """Trains networks on images; interrupted, the same command goes on where it was.

    Kinds: generator, to undo a layer of any Keras classifier: OUT is then a network's folder, and
    OUT.png shows images over what it makes of them; classifier, a small one (network.keras as it
    trains, classifier.keras without batch normalisation); judge, one of another architecture, to
    tell whether a sampler fools the first; pair, a folder out of a classifier and a generator, with
    weights in half precision; check, how honest a pair is.

    Examples:
        tf-inverse train generator --data=photos/ --classifier=my.keras --out=mine
        tf-inverse train classifier --data=photos/ --out=small --epochs=20

    Args:
        kind: generator, classifier, judge, pair or check.
        data: Folder of pictures (sub-folders are classes), or .h5 or .npz of images; in parts train
            and test, or a tenth is kept apart.
        out: Folder to write to; of check, the pair's folder.
        classifier: generator, pair: a .keras, .h5 or .onnx file, a SavedModel's folder,
            keras:MobileNetV2 or any other of keras.applications, or a network's folder.
        generator: pair: the generator; that of the classifier's folder by default, or
            generator.keras beside its file.
        smooth: pair: standard deviation, in pixels, of a Gaussian inside the generator's last
            convolution: classifiers that never met the generator notice its grain; 0 for none.
        encoder: generator, pair: layer whose output is the code; if left out, that of the
            classifier's folder, or the last one before the output that has no map.
        compare: generator: layers to compare features in, A,B; the last map by default.
        teacher: generator: another network whose features are compared too, in any form that
            classifier takes.
        teacher_layers: generator: layers of the teacher, A,B; the last map of each size by default.
        image: ROWS,COLUMNS of the images that are drawn, or classified; by default as the
            classifier takes them, 32,32 for a new one.
        pixels: generator, pair: LOW:HIGH of the pixels that the classifier takes, or three of them
            with commas for red, green and blue; or caffe, tf, torch, as Keras's preprocess_input
            has them.
        size: generator, pair: ROWS,COLUMNS,CHANNELS of its input, where it leaves them open or is a
            row of numbers; classifier, judge: SIDE of the images, or ROWS,COLUMNS.
        fixed: generator, pair: values of its further inputs, NAME=VALUE, several with commas.
        weights: generator, pair: of keras:NAME: imagenet, a file, or none for random ones; of a
            KerasHub preset none, or its own.
        judge: check: judges of the same classes, several with commas, .keras files or any other
            that adopt takes; strangers are better than one trained here.
        map: check: classes of judges that stand for classes of another name, OURS=THEIRS, several
            with commas; THEIRS is a label or a number, of one of several judges as 517@squeezenet.
        n: check: samples of a class neuron in each of two ranges of percentiles; 30 by default.
        neurons: check: how many class neurons are sampled, spread evenly over the classes; all by
            default, which takes seconds each.
        labels: generator, pair: names of the output's units, A,B, or a file with one a line; those
            of the classifier's folder or of the data by default.
        name: generator, pair: its name; that of the folder by default.
        start: classifier: network.keras of an earlier training, to train it further; or the folder
            OUT/network.training of one that was not finished, with its --code, --width, --pooled.
        rate: Peak learning rate; classifier and judge 2e-3, generator 5e-4.
        epochs: Passes over the images; classifier 11, judge 7, generator 6 or as many as make 5,000
            steps.
        plain: classifier: last epochs on unperturbed images.
        epsilon: classifier: largest perturbation, L2, as a share of one pixel's range.
        code: classifier: entries of the code; 12 for each row of its images by default.
        width: classifier, generator: factor of the channels of all convolutions.
        pooled: classifier: rows and columns of maps that stand beside the code, in layer `code`;
            they keep colours and places.
        average: generator: share that an exponential average of its weights keeps each step, as
            0.999; 0 for none.
        augment: generator: changes of what the discriminator sees, of color, translation, cutout.
        disc_start: generator: passes before the discriminator takes part, which take two thirds
            of the time of others; as many as --epochs for a training without one.
        appearance: generator: channels of maps that are learned with it and stand beside the layer
            in its code: they keep places, colours and textures, which the layer forgets, so that
            images are sharp; by default a quarter of an image's numbers and 48 at most, 0 for
            none.
        precision: of convolutions: float32, bfloat16, or auto, the quicker one on this device.
        batch: Images a step; classifier and judge 128, generator 64.
        seed: Of weights, order and augmentation.
        description: generator, pair: what the images are.
        licence: generator, pair: what its weights may be used for.
        default: generator, pair: targets of a run that names none.
        trust: Load a SavedModel, where it is not one that you adopted.
        overwrite: Replace what exists.
        json: generator, pair: print one JSON object instead of lines.
    """
    from tf_inverse.training import command

    options = {key: value for key, value in locals().items() if key not in ("kind", "command")}
    return command.run(kind, options)
