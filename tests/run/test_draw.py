"""A whole sample in memory."""

import numpy as np
import pytest
import worlds

from tf_inverse import draw, load, metrics
from tf_inverse.band import parse
from tf_inverse.errors import UsageError
from tf_inverse.method import sampler
from tf_inverse.method.settings import Settings

TARGET = "fc3:ship@p40:p90"


@pytest.fixture(scope="module")
def drawn(tiny_folder):
    return draw(str(tiny_folder), TARGET, n=7, K=4, seed=2)


def test_draw_is_sample_and_keeps_everything(drawn, tiny_folder):
    networks = load(tiny_folder)
    bands = parse(TARGET, networks)
    batches = sampler.sample(networks, bands, Settings(n=7, K=4, seed=2))
    parts = zip(*(b.samples for b in batches), strict=True)
    for mine, theirs in zip(drawn.samples, map(np.concatenate, parts), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert drawn.bands == bands and len(drawn.samples.images) == 7
    z = worlds.activation(networks, drawn.samples.images, bands[0].neuron)
    assert ((z >= bands[0].z1) & (z <= bands[0].z2)).all()


def test_summary_is_of_these_samples(drawn):
    e = drawn.samples.encodings.astype(float)
    assert drawn.summary["found"] == drawn.summary["asked"] == 7
    assert drawn.summary["in_range"] == 1
    others = [np.delete(e, i, axis=0) for i in range(7)]
    nearest = [
        np.linalg.norm(rest - one, axis=1).min() for one, rest in zip(e, others, strict=True)
    ]
    assert drawn.summary["nearest_distance"] == pytest.approx(np.mean(nearest), rel=1e-4)
    assert drawn.summary["vendi_natural"] is not None
    assert drawn.summary["vendi"] == pytest.approx(metrics.vendi(e, drawn.summary["bandwidth"]))


def test_notebooks_show_a_sheet(drawn):
    page = drawn._repr_html_()
    assert page.lstrip().startswith("<") and "ship" in page and "data:image/" in page


def test_networks_and_defaults(tiny, tiny_folder):
    assert draw(load(tiny_folder), n=2, K=4).bands[0].neuron.unit == 1  # the folder's own default
    with pytest.raises(UsageError, match="expected targets of the form"):
        draw(tiny, n=2)
    with pytest.raises(TypeError, match="volcano"):
        draw(tiny, "fc3:0@0:1", volcano=1)
