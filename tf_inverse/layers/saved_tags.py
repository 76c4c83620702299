"""Which graph of a SavedModel is meant: TensorFlow 1 may write one to train, another to use."""

from __future__ import annotations

import pathlib

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from tf_inverse.tensors import StrPath

SERVE, TRAIN = "serve", "train"


def chosen(folder: StrPath) -> list[str] | None:
    """The tags of the graph to load; None where there is one graph, or none that could be meant.

    Of several it is the one that serves, or that which is not there to be trained, as in modules
    of TensorFlow Hub of 2018, whose graph without tags infers.

    Args:
        folder: With saved_model.pb. One that cannot be read is left to TensorFlow to refuse.
    """
    model = saved_model_pb2.SavedModel()
    try:
        model.ParseFromString((pathlib.Path(folder) / "saved_model.pb").read_bytes())
    except (OSError, DecodeError):
        return None
    graphs = [sorted(one.meta_info_def.tags) for one in model.meta_graphs]
    serving = [tags for tags in graphs if SERVE in tags]
    used = serving or [tags for tags in graphs if TRAIN not in tags]
    return min(used, key=len) if len(graphs) > 1 and used else None
