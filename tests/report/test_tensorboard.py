"""What TensorBoard reads back from our event files, and the Projector's files."""

import io
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import specimen
from PIL import Image

from tf_inverse.errors import UsageError
from tf_inverse.report import tensorboard

pytest.importorskip("tensorboard", reason="needs tensorboard: tf_inverse[tensorboard]")
from tensorboard.backend.event_processing import plugin_event_accumulator  # noqa: E402
from tensorboard.util import tensor_util  # noqa: E402


def read(folder):
    """The log as TensorBoard's pages get it."""
    events = plugin_event_accumulator.EventAccumulator(
        str(folder), size_guidance={plugin_event_accumulator.TENSORS: 0}
    )
    return events.Reload()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("board")
    archive = specimen.write(folder / "a.h5", 70)
    tensorboard.write(archive, folder / "log")
    return archive, folder / "log"


def test_tensorboard_reads_images_text_and_histograms(written):
    archive, folder = written
    events = read(folder)
    tags = {"sheet", "sample", "most different", "activations/fc8:8 (ship)"}
    assert tags <= set(events.Tags()["tensors"])
    assert len(events.Tensors("most different")) == tensorboard.IMAGES
    picture = tensor_util.make_ndarray(events.Tensors("most different")[0].tensor_proto)
    assert np.asarray(Image.open(io.BytesIO(picture[2]))).shape == (32, 32, 3)
    buckets = tensor_util.make_ndarray(events.Tensors("activations/fc8:8 (ship)")[0].tensor_proto)
    assert buckets[:, 2].sum() == pytest.approx(70)
    text = tensor_util.make_ndarray(events.Tensors("sample")[0].tensor_proto).item()
    assert b"Which inputs hold fc8:8 (ship) from 8 to 10" in text


def test_projector_files_agree(written):
    from google.protobuf import text_format
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    archive, folder = written
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    embedding = config.embeddings[0]
    assert np.loadtxt(folder / embedding.tensor_path).shape == archive.encodings.shape
    head, *rows = (folder / embedding.metadata_path).read_text().splitlines()
    assert head.split("\t")[3] == "fc8:ship@8:10" and len(rows) == 70
    sprite = np.asarray(Image.open(folder / embedding.sprite.image_path))
    assert list(embedding.sprite.single_image_dim) == [32, 32] and sprite.shape == (288, 288, 3)
    assert np.array_equal(sprite[32:64, 64:96], archive.images[9 + 2])


def test_sprites_stay_within_the_projectors_limit(monkeypatch):
    monkeypatch.setattr(tensorboard, "SPRITE", 100)
    picture, side = tensorboard.sprites(np.zeros((26, 32, 32, 3), np.uint8))
    assert side == 16 and max(picture.size) <= 100


def test_live_curves(tmp_path):
    info = SimpleNamespace(steps=40, found=7, acceptance=0.5, restarts=1, mu=12.0)
    with tensorboard.Board(tmp_path) as writer:
        tensorboard.live(writer, info, np.full((3, 1), 9.0), [specimen.TARGET])
        tensorboard.live(writer, info, np.zeros((0, 1)), [specimen.TARGET])
    events = read(tmp_path)
    point = events.Tensors("run/found")[0]
    assert (point.step, tensor_util.make_ndarray(point.tensor_proto)) == (40, 7)
    assert len(events.Tensors("activations/fc8:8 (ship)")) == 1


def test_no_tensorflow_is_imported(tmp_path):
    code = (
        "import sys; from tf_inverse.report import tensorboard; "
        f"tensorboard.Board({str(tmp_path)!r}).scalar('a', 1, 0); "
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.compat", None)
    with pytest.raises(UsageError, match=r"pip install 'tf_inverse\[tensorboard\]'"):
        tensorboard.tensorboard()
