"""Archives of the tiny networks, scored by loops in NumPy float64; then each kind of lie."""

import json

import numpy as np
import pytest
import worlds
from commands import Child
from oracles.archive_samples import header

from tf_inverse import archive
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.networks import storage
from tf_inverse.run import verify

N = 70  # more than one batch
UNIT = 2


def weights(networks, name):
    return [w.astype(np.float64) for w in networks.classifier.get_layer(name).get_weights()]


def score(networks, images):
    """e and z of the tiny classifier: convolution by loops, ReLU, tanh layer, linear layer."""
    kernel, bias = weights(networks, "conv1")
    x = np.pad(images / 64 - 2, ((0, 0), (1, 1), (1, 1), (0, 0)))
    h = np.zeros((len(images), 8, 8, 5))
    for i in range(8):
        for j in range(8):
            h[:, i, j] = np.einsum("nabc,abcd->nd", x[:, i : i + 3, j : j + 3], kernel) + bias
    w, b = weights(networks, "fc2")
    e = np.tanh(np.maximum(h, 0).reshape(len(images), -1) @ w + b)
    w, b = weights(networks, "fc3")
    return e, e @ w + b


@pytest.fixture(scope="module")
def networks():
    return worlds.tiny_networks(checksums={"classifier.keras": "0" * 64})


@pytest.fixture(scope="module")
def batch(networks):
    random = np.random.default_rng(0)
    codes = random.normal(size=(N, 6)).astype(np.float32)
    w, b = (a.astype(np.float64) for a in networks.generator.get_layer("fc").get_weights())
    images = np.clip(np.rint(60 * (codes @ w + b) + 128), 0, 255).astype(np.uint8)
    images = images.reshape(N, 8, 8, 3)
    e, z = score(networks, images)
    return archive.Samples(
        images,
        codes,
        e.astype(np.float32),
        z[:, [UNIT]].astype(np.float32),
        np.arange(N),
        np.zeros(N, np.int32),
    )


def stored(path, batch, networks, store="images", margin=0.01, **changes):
    z = batch.activations
    target = {"text": "t", "layer": "fc3", "unit": UNIT, "at": None, "label": None}
    target |= {"z1": float(z.min()) - margin, "z2": float(z.max()) + margin}
    head = header(N, targets=[target], checksums=networks.checksums, network="tiny")
    head["settings"]["store"] = store
    with archive.Writer(path, head | changes) as out:
        out.append(batch, {})
        out.finish({})
    return archive.open(path)


def test_all_holds(tmp_path, batch, networks):
    found = verify.verify(stored(tmp_path / "a.h5", batch, networks), networks)
    assert found.problems == ()
    assert found[:3] == (N, N, 1.0) and found.duplicates == 0
    assert found.deviation < 1e-5 and found.encoding_deviation < 1e-5


def test_codes_are_rendered(tmp_path, batch, networks):
    opened = stored(tmp_path / "a.h5", batch, networks, store="codes")
    opened.rendered(lambda codes: verify.render(networks, codes))
    assert (opened.images[:] != batch.images).mean() < 1e-3  # halves round either way
    assert verify.verify(opened, networks).samples == N


def lie_in_activations(batch):
    z = batch.activations.copy()
    z[66] += 0.01
    return {"activations": z}


def lie_in_encodings(batch):
    e = batch.encodings.copy()
    e[3, 2] += 0.01
    return {"encodings": e}


def lie_in_images(batch):
    x = batch.images.copy()
    x[5, 3, 3] = 255 - x[5, 3, 3]
    return {"images": x}


def repeat(batch):
    return {
        name: np.concatenate([a[:1], a[:-1]])
        for name, a in batch._asdict().items()
        if a is not None
    }


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lie_in_activations, r"activations differ by up to 0.01"),
        (lie_in_encodings, r"encodings differ by up to 0.01"),
        (lie_in_images, r"activations differ by up to"),
        (repeat, r"1 images are stored more than once"),
    ],
)
def test_lies(tmp_path, batch, networks, change, line):
    changed = batch._replace(**change(batch))
    found = verify.verify(stored(tmp_path / "a.h5", changed, networks), networks)
    assert any(problem.startswith(line) for problem in found.problems)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_that_are_no_numbers_do_not_hold(tmp_path, batch, networks, monkeypatch, value):
    """Whatever a stored number is compared with, the comparison must not pass for lack of one."""
    honest = type(networks).score

    def broken(self, *args, **options):
        e, z = honest(self, *args, **options)
        return np.where(np.arange(e.shape[1]) == 1, np.float32(value), e), z

    opened = stored(tmp_path / "a.h5", batch, networks)
    monkeypatch.setattr(type(networks), "score", broken)
    with np.errstate(invalid="ignore"):
        (problem,) = verify.verify(opened, networks).problems
    assert problem == f"encodings differ by up to {value}"


def test_out_of_range(tmp_path, batch, networks):
    opened = stored(tmp_path / "a.h5", batch, networks, margin=-1e-3)
    found = verify.verify(opened, networks)
    z = score(networks, batch.images)[1][:, UNIT]
    low, high = opened.targets[0]["z1"], opened.targets[0]["z2"]
    outside = int(((z < low) | (z > high)).sum())
    assert outside >= 2 and found.in_range == 1 - outside / N
    assert found.problems == (f"{outside} of {N} images are out of range",)


def test_other_weights(tmp_path, batch, networks):
    opened = stored(tmp_path / "a.h5", batch, networks, checksums={"classifier.keras": "1" * 64})
    (problem,) = verify.verify(opened, networks).problems
    assert problem == "classifier.keras: sha256 111111111111 in the archive, 000000000000 in tiny"


def test_does_not_fit(tmp_path, batch, networks):
    other = worlds.tiny_networks(size=6)
    with pytest.raises(RefusedInput, match=r"images of shape \[8, 8, 3\], not \[6, 6, 3\]"):
        verify.verify(stored(tmp_path / "a.h5", batch, networks), other)
    other = worlds.tiny_networks(encoder="conv1", checksums={"classifier.keras": "1" * 64})
    with pytest.raises(RefusedInput, match=r"got 'tiny': .*encodings of shape .*, not .320"):
        verify.verify(stored(tmp_path / "e.h5", batch, networks), other)
    target = {"layer": "fc9", "unit": 0, "z1": -9.0, "z2": 9.0}
    opened = stored(tmp_path / "b.h5", batch, networks, targets=[target])
    with pytest.raises(UsageError, match="expected a layer"):
        verify.verify(opened, networks)
    # Another network's missing layer is no fault of the target: its checksums say why.
    more = {"targets": [target], "checksums": {"classifier.keras": "1" * 64}}
    with pytest.raises(RefusedInput, match="drawn with, got 'tiny': classifier.keras: sha256 1111"):
        verify.verify(stored(tmp_path / "c.h5", batch, networks, **more), networks)
    # Of many other files the first is named, in a line that can be read.
    more["checksums"] |= {f"other{i}.h5": "2" * 64 for i in range(9)}
    with pytest.raises(RefusedInput, match="1111[^;]*, and 9 more files"):
        verify.verify(stored(tmp_path / "d.h5", batch, networks, **more), networks)


def test_command(tmp_path, batch):
    made = worlds.tiny_networks()
    parts = {name: getattr(made, name) for name in ("classifier", "generator", "encoder", "codes")}
    storage.save(tmp_path / "tiny", name="tiny", **parts)
    networks = storage.load(tmp_path / "tiny")
    stored(tmp_path / "a.h5", batch, networks)

    (tmp_path / "b.h5").write_bytes((tmp_path / "a.h5").read_bytes()[:-9])
    words = ("verify", "a.h5", "--network=tiny", "--untrusted", "--json")
    whole, cut = (Child(*one, cwd=tmp_path) for one in (words, ("verify", "b.h5")))
    code, told, said = whole.ended()
    assert code == 0, said
    assert json.loads(told)["problems"] == []
    assert cut.ended() == (4, "", "tf-inverse: b.h5: truncated HDF5 file\n")
