"""What a `.keras` file must be before Keras loads it.

Keras's safe_mode keeps code out, but not size: a file of a kilobyte may declare layers of
terabytes, and weights may be links to other files. Here the members, the weights' layout and the
shapes that the configuration declares are checked, the last in a graph where no variable takes any
memory.
"""

from __future__ import annotations

import json
import math
import zipfile

import h5py

from tf_inverse.errors import RefusedInput

MEMBERS = {"config.json", "metadata.json", "model.weights.h5"}
ASSETS = "assets/layers/"
MAX_CONFIG = 64 << 20  # bytes
MAX_WEIGHTS = 16 << 30
SPARE = 4096  # numbers that a model may hold beside its stored weights, such as seeds' states


def check(path, trust: bool = False) -> None:
    """Passes a `.keras` file that holds a model and nothing else, of the size that it declares.

    Args:
        path: Of the file.
        trust: Whether it may hold a SavedModel as well, as `adopt` puts it there.

    Raises:
        RefusedInput: names the rule that it breaks.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path, trust)
            config = archive.read("config.json").decode()
            with archive.open("model.weights.h5") as member, h5py.File(member, "r") as weights:
                stored = _count(weights, path, archive.getinfo("model.weights.h5").file_size)
    except (zipfile.BadZipFile, OSError, ValueError, KeyError, NotImplementedError) as error:
        raise RefusedInput(f"{path}: damaged .keras file ({error!s:.120})") from error
    declared = _declared(config, path)
    if declared > stored + SPARE:
        raise RefusedInput(f"{path}: declares {declared} weights and stores {stored}")


def _check_members(archive: zipfile.ZipFile, path, trust) -> None:
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
    weights = infos["model.weights.h5"]
    if weights.compress_type != zipfile.ZIP_STORED:
        raise RefusedInput(f"{path}: weights are compressed, expected them as Keras stores them")


def _count(group: h5py.Group, path, size: int, depth: int = 0) -> int:
    """Numbers stored in a group, all of them in the file itself and not packed."""
    total = 0
    if depth > 64:
        raise RefusedInput(f"{path}: weights are nested more than 64 deep")
    for name in group:
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise RefusedInput(f"{path}: {group.name}/{name:.80} is a link, expected weights")
        item = group[name]
        total += _count(item, path, size, depth + 1) if isinstance(item, h5py.Group) else 0
        if isinstance(item, h5py.Dataset):
            total += _numbers(item, path, size)
    return total


def _numbers(item: h5py.Dataset, path, size: int) -> int:
    creation = item.id.get_create_plist()
    layouts = (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT)
    count = math.prod(int(side) for side in item.shape)
    if creation.get_layout() not in layouts or creation.get_external_count():
        raise RefusedInput(f"{path}: {item.name:.120} is packed or in another file")
    if item.dtype.kind in "OV" or count * item.dtype.itemsize > size:
        raise RefusedInput(f"{path}: {item.name:.120} declares more than the file holds")
    return count


def _declared(config: str, path) -> int:
    """Numbers in the variables of the model that a configuration declares."""
    import keras
    import tensorflow as tf

    import tf_inverse.models  # noqa: F401  registers the layers that Keras lacks

    try:
        if "Lambda" in _classes(json.loads(config)):
            raise RefusedInput(f"{path}: holds a Lambda layer, which is a program")
        with tf.Graph().as_default():
            model = keras.models.model_from_json(config)
            return sum(math.prod(variable.shape) for variable in model.variables)
    except RefusedInput:
        raise
    except Exception as error:  # Keras raises almost anything for a forged configuration
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise RefusedInput(f"{path}: no model that Keras knows ({lines[0]:.160})") from error


def _classes(value) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(_classes, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    own = value.get("class_name")
    return _classes(list(value.values())) | ({own} if isinstance(own, str) else set())
