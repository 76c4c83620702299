"""What a `.keras` or `.h5` file must be before Keras loads it, and the loading.

Keras's safe_mode keeps code out, but not size: a file of a kilobyte may declare layers of
terabytes, and weights may be links to other files. Here the members, the weights' layout and the
shapes that the configuration declares are checked, the last in a model whose variables take no
memory until they are known to be as many numbers as are stored. Files of Keras 2, and every `.h5`
file, are put into Keras 3's words first (`keras2`).
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import re
import tempfile
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import h5py

from tf_inverse import private
from tf_inverse.archive import hdf5
from tf_inverse.errors import InverseSetError, RefusedInput, UsageError, reason
from tf_inverse.networks import npz
from tf_inverse.networks.keras_file import weights
from tf_inverse.networks.keras_file.stored_member import StoredMember
from tf_inverse.tensors import StrPath

if TYPE_CHECKING:
    import keras

WEIGHTS = "model.weights.h5"
MEMBERS = {"config.json", "metadata.json", WEIGHTS}
ASSETS = "assets/layers/"
MAX_CONFIG = 16 << 20  # bytes
MAX_WEIGHTS = 16 << 30


class Contents(NamedTuple):
    """What a file holds.

    Attributes:
        config: The model's configuration, as JSON.
        version: Of the Keras that wrote it, "" where it does not tell.
        stored: Numbers that its weights are.
        assets: Whether a SavedModel is among them.
    """

    config: str
    version: str
    stored: int
    assets: bool = False


def check(path: StrPath, trust: bool = False) -> None:
    """Passes a file that holds a model and nothing else, of the size that it declares.

    Args:
        path: Of a `.keras` or `.h5` file.
        trust: Whether a `.keras` file may hold a SavedModel as well, as `adopt` puts it there.

    Raises:
        RefusedInput: names the rule that it breaks.
    """
    _checked(path, trust)


def load(path: StrPath, trust: bool = False) -> keras.Model:
    """The Keras model of a `.keras` or `.h5` file, checked first, without any code from the file.

    Args:
        path: Of the file.
        trust: See `check`.

    Returns:
        `keras.Model`, not compiled.

    Raises:
        RefusedInput: It cannot be loaded safely, or not by Keras 3.
    """
    import keras

    contents, model, waiting = _checked(path, trust)
    try:
        if contents.assets:
            with private.fresh_names():
                return keras.models.load_model(path, compile=False, safe_mode=True)
        private.fill(waiting)
        _load_weights(model, path)
    except Exception as error:  # Keras raises almost anything for a damaged file
        raise _refused(path, contents.version, error) from error
    for layer in private.layers(model):
        # Keras does this for the layers of an .h5 file's model, not for those of a model within.
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    return model


def _checked(path: StrPath, trust: bool) -> tuple[Contents, keras.Model, list[keras.Variable]]:
    """What a file holds, the model that it declares, and those variables without memory yet."""
    from tf_inverse.networks.keras_file import config, keras2

    contents = _contents(path, trust)
    try:
        older = keras2.is_older(contents.version)
        entry = config.inspected(contents.config, older, _is_hdf5(path))
        return contents, *config.model(entry, contents.stored)
    except Exception as error:  # Keras raises almost anything for a forged configuration
        raise _refused(path, contents.version, error) from error


def _load_weights(model: keras.Model, path: StrPath) -> None:
    if not _is_hdf5(path):
        with _stored_weights(path) as member:
            return private.load_weights(model, member)
    if pathlib.Path(path).suffixes == [".h5"]:
        return model.load_weights(path)
    with tempfile.TemporaryDirectory() as folder:
        # Keras goes by a file's ending; before 2.13 it wrote HDF5 under .keras as well.
        named = pathlib.Path(folder) / "model.h5"
        named.symlink_to(pathlib.Path(path).resolve())
        return model.load_weights(named)


@contextlib.contextmanager
def _stored_weights(path: StrPath) -> Iterator[StoredMember]:
    with open(path, "rb") as whole, zipfile.ZipFile(whole) as archive:
        yield StoredMember(whole, archive.getinfo(WEIGHTS))


def _is_quantised(path: StrPath) -> bool:
    if _is_hdf5(path):
        return False  # older than any that Keras can quantise
    with _stored_weights(path) as member, h5py.File(member, "r") as file:
        return weights.quantised(file, path)


def _is_hdf5(path: StrPath) -> bool:
    return pathlib.Path(path).suffix != ".keras" or h5py.is_hdf5(path)


def _contents(path: StrPath, trust: bool) -> Contents:
    try:
        return _of_hdf5(path) if _is_hdf5(path) else _of_archive(path, trust)
    except InverseSetError:
        raise
    except Exception as error:  # zipfile, zlib and HDF5 raise almost anything for a damaged file
        kind = ".h5" if _is_hdf5(path) else ".keras"
        raise RefusedInput(f"{path}: damaged {kind} file ({reason(error)})") from error


def _of_archive(path: StrPath, trust: bool) -> Contents:
    with open(path, "rb") as whole, zipfile.ZipFile(whole) as archive:
        assets = _check_members(archive, path, trust)
        config, about = archive.read("config.json").decode(), archive.read("metadata.json")
        about = json.loads(about)
        version = about.get("keras_version") if isinstance(about, dict) else None
        info = archive.getinfo(WEIGHTS)
        with StoredMember(whole, info) as member:
            with h5py.File(member, "r") as file:
                stored = weights.count(file, path, info.file_size)
            member.verify()
    return Contents(config, _version(version), stored, bool(assets))


def _of_hdf5(path: StrPath) -> Contents:
    size = pathlib.Path(path).stat().st_size
    with hdf5.opened(path) as file:
        if _text(file, "format").startswith("tf_inverse"):
            raise RefusedInput(f"{path}: holds samples, expected the file of a model")
        weights.count(file, path, size)
        if "model_config" not in file.attrs:
            raise RefusedInput(
                f"{path}: holds weights alone; make the model in Python, model.load_weights them, "
                f"and save the whole of it: model.save('FILE.keras')"
            )
        config, version = (_text(file, name) for name in ("model_config", "keras_version"))
        if len(config) > MAX_CONFIG:
            raise RefusedInput(f"{path}: its configuration is longer than {MAX_CONFIG} bytes")
        return Contents(config, _version(version), weights.count(file["model_weights"], path, size))


def _text(file: h5py.File, name: str) -> str:
    value = file.attrs.get(name, "")
    return value.decode() if isinstance(value, bytes) else str(value)


def _version(value: object) -> str:
    """A version as it may be shown: what a file says of itself may be anything."""
    return value if isinstance(value, str) and re.fullmatch(r"\d[\w.+-]{0,30}", value) else ""


def _check_members(archive: zipfile.ZipFile, path: StrPath, trust: bool) -> set[str]:
    infos = {info.filename: info for info in archive.infolist()}
    assets = {name for name in infos if name.startswith(ASSETS) and ".." not in name}
    if assets and not trust:
        raise RefusedInput(
            f"expected --trust for {path}: it holds a SavedModel, whose graph can read and write "
            f"files; give it where you know who made the model"
        )
    if set(infos) - assets != MEMBERS or len(archive.infolist()) != len(infos):
        raise RefusedInput(f"{path}: holds {sorted(infos)!s:.200}, expected {sorted(MEMBERS)}")
    for name, info in infos.items():
        most = MAX_CONFIG if name.endswith(".json") else MAX_WEIGHTS
        if info.file_size > most:
            raise RefusedInput(f"{path}: {name} is {info.file_size} bytes, at most {most}")
        if info.compress_type not in npz.PACKING:
            raise RefusedInput(f"{path}: {name} is packed in a way that Keras does not use")
    if infos[WEIGHTS].compress_type != zipfile.ZIP_STORED:
        raise RefusedInput(f"{path}: weights are compressed, expected them as Keras stores them")
    return assets


def _refused(path: StrPath, version: str, error: Exception) -> InverseSetError:
    """The refusal of a model: why, who saved it where that is the reason, and the way out."""
    from tf_inverse.networks.keras_file import config, keras2

    if absent := re.search(r"parent module (keras_hub|keras_cv|keras_nlp)\b.*imported", str(error)):
        package = absent[1].replace("_", "-")
        return UsageError(f"expected {package} for the layers in {path}: pip install {package}")
    if isinstance(error, RefusedInput) and not isinstance(error, keras2.Unknown):
        return RefusedInput(f"{path}: {error}")
    if keras2.is_older(version):
        saved = f"Keras {version or '1 or 2'} saved it and Keras 3 cannot read it"
        return RefusedInput(f"{path}: {saved} ({reason(error)}); {config.WAY_OUT}")
    if "could not be loaded" in str(error) and _is_quantised(path):
        return RefusedInput(
            f"{path}: Keras saves quantised layers within other layers, as in attention, and does "
            f"not load them; make the network anew, quantize() it likewise, load_weights() this "
            f"file and export() a SavedModel, or give what it was before it was quantised"
        )
    if "Could not locate" in str(error):  # a class or a function of the user's own
        way_out = f"; {config.WAY_OUT}"
    elif "valid root scope name" in str(error) or "valid scope name" in str(error):
        way_out = (
            "; Keras on JAX and PyTorch takes any names, TensorFlow those of letters, digits, dots "
            "and lines: save it with such names of its layers"
        )
    else:
        way_out = "; save it as a .keras file where it was made" if _is_hdf5(path) else ""
    return RefusedInput(f"{path}: no model that Keras knows ({reason(error)}){way_out}")
