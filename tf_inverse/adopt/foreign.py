"""What files of other programs hold, and how their owner makes a model of them that is taken."""

from __future__ import annotations

import pathlib
from typing import NamedTuple


class Foreign(NamedTuple):
    """A form of files that no model can be taken from.

    Attributes:
        holds: What such a file is.
        way: What its owner does instead.
    """

    holds: str
    way: str


_PYTORCH = "load it in PyTorch, where the model is defined, and write an ONNX file with {}"
_EXPORT = _PYTORCH.format("torch.onnx.export")
_BUILD = "make the model in Python, load them into it, and save the whole of it: {}"
_COMPILED = "made for devices, without gradients"
_FIRST = "give the model that it was made of"

TORCH = Foreign("PyTorch's weights or a pickle, which is a program", _EXPORT)
WEIGHTS = Foreign(
    "weights without layers",
    f"{_EXPORT}, or into Keras's model and write that (model.save('FILE.keras'))",
)
CHECKPOINT = Foreign(
    "a checkpoint of TensorFlow's, weights without layers",
    _BUILD.format(
        "model.load_weights or tf.train.Checkpoint(model=model).restore, and then "
        "model.save('FILE.keras')"
    ),
)
JAX = Foreign(
    "a checkpoint of JAX's, weights without layers",
    "restore it in JAX and write the function of images as a SavedModel (jax2tf)",
)
TRANSFORMERS = Foreign(
    "a model of Hugging Face's for PyTorch",
    _PYTORCH.format("torch.onnx.export or optimum-cli export onnx"),
)
PICKLE = Foreign(
    "a pickle, which is a program", "load it where it was made, and write model.save('FILE.keras')"
)
LAYERS = Foreign(
    "layers without weights or settings",
    _BUILD.format("keras.models.model_from_json, load_weights, model.save('FILE.keras')"),
)
CAFFE = Foreign("a network of Caffe's or MatConvNet's", "tf-inverse convert reads those")
LITE = Foreign(f"a model of LiteRT's, {_COMPILED}", _FIRST)
CORE = Foreign(f"a model of Core ML's, {_COMPILED}", _FIRST)
TENSORRT = Foreign(f"an engine of TensorRT's, {_COMPILED}", f"{_FIRST}, mostly an ONNX file")
OPENVINO = Foreign("a model of OpenVINO's", f"{_FIRST}, or that as an ONNX file")
PADDLE = Foreign("a model of PaddlePaddle's", "write an ONNX file there (paddle2onnx)")

SUFFIXES = {
    **dict.fromkeys((".pt", ".pth", ".pt2", ".ckpt", ".mar", ".t7", ".torchscript"), TORCH),
    **dict.fromkeys((".safetensors", ".bin", ".npz", ".npy", ".gguf"), WEIGHTS),
    **dict.fromkeys((".index", ".meta"), CHECKPOINT),
    **dict.fromkeys((".msgpack", ".orbax"), JAX),
    **dict.fromkeys((".pkl", ".pickle", ".joblib", ".dill"), PICKLE),
    **dict.fromkeys((".json", ".yaml", ".yml"), LAYERS),
    **dict.fromkeys((".caffemodel", ".prototxt", ".mat"), CAFFE),
    **dict.fromkeys((".tflite", ".lite"), LITE),
    **dict.fromkeys((".mlmodel", ".mlpackage"), CORE),
    **dict.fromkeys((".engine", ".plan", ".trt"), TENSORRT),
    ".xml": OPENVINO,
    **dict.fromkeys((".pdmodel", ".pdparams"), PADDLE),
}

FOLDERS = {
    "checkpoint": CHECKPOINT,
    "_CHECKPOINT_METADATA": JAX,
    "manifest.ocdbt": JAX,
    "model.safetensors": TRANSFORMERS,
    "pytorch_model.bin": TRANSFORMERS,
}
"""Files by which a folder is known."""


def form(path: pathlib.Path) -> Foreign | None:
    """The form of a file or folder that is no model as it is taken; None for one that nobody knows.

    Nothing is read: names alone tell, and TensorFlow's checkpoints go by the beginning of theirs.

    Args:
        path: What the user gave for a model.
    """
    if path.is_dir():
        found = [one for name, one in FOLDERS.items() if (path / name).exists()]
        found += [SUFFIXES[path.suffix]] if path.suffix in SUFFIXES else []
        return found[0] if found else None
    if path.with_name(f"{path.name}.index").is_file() or ".data-0" in path.name:
        return CHECKPOINT
    return SUFFIXES.get(path.suffix.lower()) if path.is_file() else None
