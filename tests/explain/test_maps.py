"""Maps of an archive: beside it, gone on with after a stop, and only of its own network."""

import dataclasses
import json

import h5py
import keras
import numpy as np
import pytest

import tf_inverse
from tf_inverse import archive
from tf_inverse.archive import side_file
from tf_inverse.errors import RefusedInput, UsageError
from tf_inverse.explain import attribution, maps
from tf_inverse.method.settings import Settings
from tf_inverse.networks import codes
from tf_inverse.run import job

TARGETS = "fc3:2@0.1:0.4, fc3:1@-1:1"


@pytest.fixture(scope="module")
def drawn(tiny, tmp_path_factory):
    path = tmp_path_factory.mktemp("explain") / "two.h5"
    job.run(tiny, tf_inverse.parse(TARGETS, tiny), Settings(n=4, K=4), path)
    return path


@pytest.fixture
def question(drawn, tiny):
    neurons = tuple(band.neuron for band in tf_inverse.parse(TARGETS, tiny))
    side_file.beside(drawn).unlink(missing_ok=True)
    return archive.open(drawn), tiny, neurons


def test_maps_are_the_attributions_of_the_stored_images(question):
    opened, tiny, neurons = question
    before = opened.path.read_bytes()
    told = []
    outcome = maps.explain(*question, seed=3, progress=lambda *done: told.append(done))
    assert outcome[:2] == (4, 4) and outcome.incomplete == 0 and told[-1] == (4, 4)
    assert outcome.residual <= attribution.TOLERANCE and opened.path.read_bytes() == before
    section = side_file.sections(opened.path)[side_file.ATTRIBUTION]
    grey = np.full((8, 8, 3), 127.5, np.float32)
    reader = attribution.Reader(tiny, neurons)
    for i in range(4):
        image = opened.images[i].astype(np.float32)
        expected = attribution.occlusion(reader, image, grey).maps
        np.testing.assert_array_equal(section.arrays["occlusion"][i], expected)
        noise = codes.generator(3, 9, i)
        expected = attribution.smoothgrad(reader, image, grey, noise).maps
        np.testing.assert_array_equal(section.arrays["smoothgrad"][i], expected)
        z0, z = reader.activations(np.stack([grey, image]))
        sums = section.arrays["integrated_gradients"][i].sum(axis=(1, 2))
        np.testing.assert_allclose(sums, z - z0, rtol=0.01)
    assert section.arrays["smoothgrad"].shape == (4, 2, 8, 8)


def test_a_stopped_explanation_goes_on_to_the_same_numbers(question):
    opened = question[0]
    maps.explain(*question)
    whole = {
        k: v[:] for k, v in side_file.sections(opened.path)[side_file.ATTRIBUTION].arrays.items()
    }
    side_file.beside(opened.path).unlink()
    asked = iter([False, False, True])
    assert maps.explain(*question, stopped=lambda: next(asked)).done == 2
    computed = []
    assert maps.explain(*question, progress=lambda done, n: computed.append(done)).done == 4
    assert computed == [3, 4]
    for name, rows in side_file.sections(opened.path)[side_file.ATTRIBUTION].arrays.items():
        np.testing.assert_array_equal(rows[:], whole[name])
    # Another question starts from the beginning and leaves nothing of the first.
    maps.explain(*question, methods=["occlusion"], baseline="black")
    section = side_file.sections(opened.path)[side_file.ATTRIBUTION]
    assert set(section.arrays) == {"occlusion", "residual"} and section.facts["done"] == {
        "occlusion": 4
    }
    # Another method of the same question is put beside it.
    maps.explain(*question, methods=["smoothgrad"], baseline="black")
    both = side_file.sections(opened.path)[side_file.ATTRIBUTION]
    np.testing.assert_array_equal(both.arrays["occlusion"][:], section.arrays["occlusion"][:])
    assert both.facts["done"] == {"occlusion": 4, "smoothgrad": 4}
    assert (section.arrays["occlusion"][:] != whole["occlusion"]).any()


def test_a_stop_takes_nothing_from_a_method_that_was_further_on(question):
    maps.explain(*question, methods=["occlusion"])
    asked = iter([False, True])
    maps.explain(*question, methods=["occlusion", "smoothgrad"], stopped=lambda: next(asked))
    section = side_file.sections(question[0].path)[side_file.ATTRIBUTION]
    assert section.facts["done"] == {"occlusion": 4, "smoothgrad": 1}
    assert all(section.arrays["occlusion"][i].any() for i in range(4))


def test_another_network_is_refused(question):
    opened, tiny, neurons = question
    blind = dataclasses.replace(tiny)
    object.__setattr__(blind, "activations", lambda x, *_, **__: np.full((len(x), 2), np.nan))
    with pytest.raises(RefusedInput, match="the network gives nan, nan"):
        maps.explain(opened, blind, neurons)
    other = keras.models.clone_model(tiny.classifier)
    with pytest.raises(RefusedInput, match="expected row 0 to score .* as it is stored"):
        maps.explain(opened, dataclasses.replace(tiny, classifier=other), neurons)
    assert not side_file.beside(opened.path).exists()
    assert not list(opened.path.parent.glob(".explain-*"))


def test_bad_questions_are_refused(question, tmp_path):
    opened, tiny, neurons = question
    with pytest.raises(UsageError, match="expected --methods of .*, got saliency"):
        maps.explain(*question, methods=["occlusion", "saliency"])
    with pytest.raises(UsageError, match="expected --baseline=grey or black or white, got 'red'"):
        maps.explain(*question, baseline="red")
    maps.explain(*question, methods=["occlusion"])
    with h5py.File(side_file.beside(opened.path), "r+") as file:
        attributes = file[side_file.ATTRIBUTION].attrs
        facts = json.loads(attributes["facts"])
        attributes["facts"] = np.bytes_(json.dumps(facts | {"done": {"occlusion": 9}}))
    with pytest.raises(RefusedInput, match="expected maps of shape .* and how many|no text"):
        maps.explain(*question, methods=["occlusion"])
