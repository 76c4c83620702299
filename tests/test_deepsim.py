"""DeePSiM's generators and CaffeNet from PyTorch's files: the numbers that PyTorch computes."""

import numpy as np
import pytest
import thin
from oracles import deepsim_torch, torch_files

from tf_inverse.caffe import convert
from tf_inverse.errors import ConversionError

LIMIT = 1e-5
MEAN = np.float32([123, 117, 104])  # red first


def image(c, spatial):
    """The code as our models take it, [B, d], from PyTorch's [B, d] or [B, C, H, W]."""
    return c.transpose(0, 2, 3, 1).reshape(len(c), -1) if spatial else c


@pytest.mark.parametrize("code", deepsim_torch.GENERATORS)
def test_generators_compute_what_pytorch_does(code, tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    # Those without dense layers are small enough for their true size.
    narrower = 1 if code[:4] in ("conv", "norm") else thin.NARROWER
    if narrower > 1:
        thin.apply(monkeypatch)
    weights = deepsim_torch.random(deepsim_torch.shapes(code, narrower))
    torch.save({name: torch.from_numpy(a) for name, a in weights.items()}, tmp_path / "g.pt")
    made = convert.network("generator", tmp_path / "g.pt", code=code)
    channels, *sides = deepsim_torch.GENERATORS[code][0]
    channels //= 1 if code in deepsim_torch.WHOLE else narrower
    c = np.random.default_rng(2).standard_normal((2, channels, *sides), np.float32)
    with torch.no_grad():
        tensors = {name: torch.from_numpy(a) for name, a in weights.items()}
        raw = deepsim_torch.generate(torch, code, tensors, torch.from_numpy(c)).numpy()
    got = np.asarray(made.model(image(c, bool(sides)))) - MEAN
    expected = raw[:, ::-1].transpose(0, 2, 3, 1)
    assert got.shape == expected.shape and expected.std() > 1e-3
    assert np.abs(got - expected).max() <= LIMIT * max(np.abs(expected).max(), 123)
    side = 240 if code.startswith("norm") else 256
    assert made.model.output_shape == (None, side, side, 3)


def test_caffenet_computes_what_pytorch_does(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    thin.apply(monkeypatch)
    weights = thin.caffenet_weights()
    torch_files.write(tmp_path / "f.pt", {f"net.{name}": a for name, a in weights.items()})
    made = convert.network("caffenet", tmp_path / "f.pt")
    assert made.report[-1] == "nothing in it says whether pool1 or norm1 is first: as in caffenet"
    model = made.model
    rgb = np.random.default_rng(3).uniform(0, 255, (2, 227, 227, 3)).astype("f4")
    bgr = np.ascontiguousarray((rgb - MEAN)[..., ::-1].transpose(0, 3, 1, 2))
    tensors = {name: torch.from_numpy(a) for name, a in weights.items()}
    with torch.no_grad():
        expected = deepsim_torch.caffenet(torch, tensors, torch.from_numpy(bgr)).softmax(1).numpy()
    np.testing.assert_allclose(model(rgb), expected, rtol=1e-4, atol=1e-6)


def test_a_generator_of_other_codes_does_not_fit(tmp_path, monkeypatch):
    thin.apply(monkeypatch)
    torch_files.write(tmp_path / "g.pt", thin.generator_weights("fc8"))
    with pytest.raises(ConversionError, match="'defc7' .*expected blobs"):
        convert.network("generator", tmp_path / "g.pt", code="fc6")


def test_sizes_are_the_published_ones():
    """Megabytes as the pages of the files tell them; their headers take a few kilobytes."""
    for code, megabytes in (
        ("fc6", 224),
        ("fc8", 174),
        ("conv4", 32.3),
        ("norm2", 6.65),
        ("norm1", 4.14),
    ):
        size = sum(4 * np.prod(shape) for shape in deepsim_torch.shapes(code).values())
        assert size / 1e6 == pytest.approx(megabytes, rel=0.005)
