"""Every layer of a Caffe network as OpenCV computes it, or as it did when it was last asked.

`python tests/oracles/caffe_cv2.py` writes caffe_golden.json: for each layer its largest absolute
value and its values at 16 places, so that the tests hold without OpenCV.
"""

import json
import pathlib
import sys
import tempfile

import numpy as np
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from oracles import caffe_files  # noqa: E402  runs as a script too

MEAN = np.float32([104, 117, 123])
LIMIT = 1e-5  # largest error of a layer, as `error` measures it
GOLDEN = pathlib.Path(__file__).with_name("caffe_golden.json")
FOLDERS = {
    "lenet": (1, 28, 28),
    "lenet_v1": (1, 28, 28),
    "cifar10_quick_v1": (3, 32, 32),
    "mtcnn_det1": (3, 12, 12),
    "squeezenet_v1.0": (3, 227, 227),
}


def files(shared, name):
    """(prototxt, caffemodel) of one of the real networks."""
    folder = shared / "caffe" / name
    return next(folder.glob("*.prototxt")), next(folder.glob("*.caffemodel"))


def image(name):
    """A random input [1, C, H, W] in the range that the network knows."""
    scale = 1.0 if name.startswith(("lenet", "mtcnn")) else 50.0
    return np.random.default_rng(7).normal(0, scale, (1, *FOLDERS[name])).astype(np.float32)


def available():
    """Whether an OpenCV that reads Caffe's files is installed."""
    try:
        import cv2
    except ImportError:
        return False
    return hasattr(cv2.dnn, "readNetFromCaffe")


def forward(prototxt, caffemodel, x):
    """{layer: output in Caffe's order} for every layer that OpenCV keeps."""
    import cv2

    network = cv2.dnn.readNetFromCaffe(str(prototxt), str(caffemodel))
    network.setInput(x)
    names = list(network.getLayerNames())
    return dict(zip(names, network.forward(names), strict=True))


def probes(array):
    """Places of an array that are compared: 16, the same for every array of a size."""
    return np.random.default_rng(array.size).integers(0, array.size, 16)


def error(array, expected):
    """Largest difference from OpenCV's array or its golden digest, relative to its largest value.

    Args:
        array: Of one layer, in Caffe's order.
        expected: OpenCV's array, or an entry of the golden file.
    """
    array = np.asarray(array, np.float64).ravel()
    if isinstance(expected, dict):
        difference = np.abs(array[probes(array)] - expected["values"]).max()
        return max(difference, abs(np.abs(array).max() - expected["largest"])) / expected["largest"]
    expected = np.asarray(expected, np.float64).ravel()
    return np.abs(array - expected).max() / np.abs(expected).max()


def digest(array):
    """What the golden file keeps of an array."""
    flat = np.asarray(array, np.float64).ravel()
    values = [float(f"{v:.9g}") for v in flat[probes(flat)]]
    return {"largest": float(np.abs(flat).max()), "values": values}


def expected(name, prototxt, caffemodel, x):
    """OpenCV's outputs for a network, computed now or golden."""
    if available():
        return forward(prototxt, caffemodel, x)
    return json.loads(GOLDEN.read_text())[name]


FULL_SIZE = {"caffenet": 1, "places205": 0, "alexnet": 2, "generator": 2}


def full_size(name, folder):
    """Write a network of true size with random weights, in the version of `FULL_SIZE`.

    Returns:
        (table, prototxt, caffemodel).
    """
    if name == "generator":
        table, inputs = caffe_files.generator_table(), {"feat": (1, 4096)}
    else:
        classes = 205 if name == "places205" else 1000
        table = caffe_files.alexnet_table(classes, norm_first=name == "alexnet")
        inputs = {"data": (1, 3, 227, 227)}
    paths = folder / f"{name}.prototxt", folder / f"{name}.caffemodel"
    paths[0].write_text(caffe_files.prototxt(table, inputs))
    caffe_files.write(paths[1], table, caffe_files.weights(table), FULL_SIZE[name])
    return (table, *paths)


def full_size_input(name):
    """(what our model takes, what Caffe takes): a code, or RGB and BGR minus the mean."""
    rng = np.random.default_rng(1)
    if name == "generator":
        code = rng.standard_normal((1, 4096), np.float32)
        return code, code
    rgb = rng.integers(0, 256, (1, 227, 227, 3)).astype(np.float32)
    return rgb, (rgb[..., ::-1] - MEAN).transpose(0, 3, 1, 2)


def outputs(model, names, x):
    """{layer: output} of our model in Caffe's order; x as the model takes it."""
    import keras

    several = keras.Model(model.input, {n: model.get_layer(k).output for n, k in names.items()})
    found = {name: np.asarray(y) for name, y in several(x).items()}
    return {n: y.transpose(0, 3, 1, 2) if y.ndim == 4 else y for n, y in found.items()}


def photographs(shared):
    """All 250 at 227 x 227, RGB float32, and their classes."""
    paths = sorted((shared / "natural_images").glob("*.jpg"))
    images = [Image.open(p).convert("RGB").resize((227, 227), Image.BILINEAR) for p in paths]
    return np.stack(images).astype(np.float32), np.array([int(p.stem[:4]) for p in paths])


def _squeezenet_on_photographs(shared):
    """The class that OpenCV gives to each photograph, and 16 of its logits."""
    import cv2

    network = cv2.dnn.readNetFromCaffe(*map(str, files(shared, "squeezenet_v1.0")))
    classes, logits = [], []
    for image in photographs(shared)[0]:
        network.setInput((image[..., ::-1] - MEAN).transpose(2, 0, 1)[None])
        found = network.forward("pool_final").ravel()
        classes.append(int(found.argmax()))
        logits.append([float(f"{v:.6g}") for v in found[probes(found)]])
    return {"classes": classes, "logits": logits}


def write_golden(shared):
    """Write the golden file."""
    arrays = {name: forward(*files(shared, name), image(name)) for name in FOLDERS}
    with tempfile.TemporaryDirectory() as folder:
        for name in FULL_SIZE:
            _, prototxt, caffemodel = full_size(name, pathlib.Path(folder))
            if FULL_SIZE[name] == 0:
                # OpenCV does not read V0: the same weights as V1.
                table = caffe_files.alexnet_table(205)
                caffe_files.write(caffemodel, table, caffe_files.weights(table), 1)
            arrays[name] = forward(prototxt, caffemodel, full_size_input(name)[1])
    golden = {n: {layer: digest(a) for layer, a in found.items()} for n, found in arrays.items()}
    golden["photographs"] = _squeezenet_on_photographs(shared)
    GOLDEN.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    write_golden(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data"))
