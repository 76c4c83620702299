"""Writes `.keras` files: without a second copy of the weights in memory, or in half precision."""

from __future__ import annotations

import io
import json
import pathlib
import tempfile
import time
import zipfile

import h5py
import keras

from tf_inverse import private
from tf_inverse.archive import hdf5
from tf_inverse.networks import half
from tf_inverse.tensors import Model, StrPath, Tensor

# Bytes of a weight that are copied at a time.
PIECE = 2**23


class Frugal:
    """A model that saves itself piece by piece; a stand-in wherever `model.save(path)` is called.

    Keras copies each weight twice, and all of them into memory, before it writes a `.keras` file.
    Here slices go to disk, then the file into the archive. The result is what Keras writes:
    metadata, configuration and weights, read back by `load_model`. Only for models whose layers
    hold their weights themselves, as all of ours do.
    """

    def __init__(self, model: keras.Model):
        self.model = model

    def save(self, path: StrPath) -> None:
        """Write the `.keras` file."""
        path = pathlib.Path(path)
        metadata = {
            "keras_version": keras.__version__,
            "date_saved": time.strftime("%Y-%m-%d@%H:%M:%S"),
        }
        config = keras.saving.serialize_keras_object(self.model)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".weights.") as folder:
            weights = pathlib.Path(folder) / "model.weights.h5"
            with hdf5.opened(weights, "w") as file:
                _write_weights(file, self.model)
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("metadata.json", json.dumps(metadata))
                archive.writestr("config.json", json.dumps(config))
                archive.write(weights, weights.name)


def _write_weights(file: h5py.File, model: Model) -> None:
    """Keras's layout: layers/KIND/vars/I, where the second layer of a kind is KIND_1."""
    counts: dict[str, int] = {}
    written = 0
    for layer in model.layers:
        kind = private.snake_case(type(layer).__name__)
        number = counts[kind] = counts.get(kind, -1) + 1
        variables: dict[str, keras.Variable] = {}
        layer.save_own_variables(variables)
        group = file.create_group(f"layers/{kind}{f'_{number}' if number else ''}/vars")
        group.attrs["name"] = layer.name
        for key, variable in variables.items():
            _write(group, key, variable.value)
            written += 1
    assert written == len(model.weights), "a layer keeps its weights in layers of its own"


def _write(group: h5py.Group, key: str, tensor: Tensor) -> None:
    data = group.create_dataset(key, tuple(tensor.shape), "float32")
    if not tensor.shape:
        data[()] = tensor.numpy()
        return
    rows = max(1, PIECE // (4 * max(1, tensor.shape[1:].num_elements())))
    for i in range(0, tensor.shape[0], rows):
        data[i : i + rows] = tensor[i : i + rows].numpy()


def rounded(model: Model) -> Model:
    """The model with every weight at its nearest half-precision value; changed in place."""
    model.set_weights([half.fitting(w).astype(w.dtype) for w in model.get_weights()])
    return model


def halve(path: pathlib.Path) -> None:
    """Rewrite a `.keras` file with its weights in half precision.

    Keras reads weights of any precision into variables of the model's own. Those that half
    precision does not hold, and whole numbers, stay as they are.
    """
    with zipfile.ZipFile(path) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    parts["model.weights.h5"] = _halved(parts["model.weights.h5"])
    with zipfile.ZipFile(path, "w") as smaller:
        for name, data in parts.items():
            smaller.writestr(zipfile.ZipInfo(name), data)


def _halved(data: bytes) -> bytes:
    out = io.BytesIO()
    with h5py.File(io.BytesIO(data)) as source, h5py.File(out, "w") as target:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                target.create_dataset(name, data=half.fitting(item[()]), track_times=False)
            else:
                target.require_group(name)
            target[name].attrs.update(item.attrs)

        source.visititems(copy)
        target.attrs.update(source.attrs)
    return out.getvalue()
