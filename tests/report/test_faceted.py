"""Facets beside an archive: kept, read again, and refused where they are none of it."""

import numpy as np
import pytest
import specimen

from tf_inverse import archive, diversity, facets
from tf_inverse.archive import side_file
from tf_inverse.errors import RefusedInput
from tf_inverse.report import faceted, html, page_data


@pytest.fixture
def two(tmp_path):
    return specimen.write(tmp_path / "a.h5", 12, groups=[8, 4])


def read(one):
    return faceted.read(one, side_file.sections(one.path))


def test_what_was_stored_is_shown_and_not_looked_for_again(two):
    assert read(two).found.shares == pytest.approx([8 / 12, 4 / 12])
    faceted.store(two, faceted.of(two, 3))
    again = read(two)
    for name, value in faceted.of(two, 3).found._asdict().items():
        assert np.array_equal(getattr(again.found, name), value), name
    shown = page_data.page([two], ["a.h5"])["archives"][0]["facets"]
    assert shown["medoids"] == again.found.medoids.tolist()
    assert np.bincount(shown["members"]).tolist() == (again.found.shares * 12).round().tolist()
    assert shown["words"] == faceted.words(again) and "3 facets" in html.render([two], ["a.h5"])


def test_polysemanticity_and_distance_are_by_the_archives_own_yardstick(two):
    """The bandwidth, 3.0, is half the mean distance of two natural images."""
    one, e = read(two), two.encodings[:].astype(float)
    medoids = e[one.found.medoids]
    assert one.apart == pytest.approx(np.linalg.norm(medoids[0] - medoids[1]) / 6)
    rows = [medoids[0]] * 8 + [medoids[1]] * 4
    assert one.polysemanticity == pytest.approx(diversity.vendi(np.array(rows), 3.0))
    assert f"Polysemanticity {one.polysemanticity:.3g} of 2" in faceted.words(one)


def test_without_a_yardstick_there_are_facets_alone(tmp_path):
    one = read(specimen.write(tmp_path / "a.h5", 12, groups=[8, 4], summary={"steps": 1}))
    assert one.polysemanticity is None and one.apart is None and len(one.found.medoids) == 2
    assert faceted.words(one).startswith("2 facets, silhouette")


def test_facets_of_a_run_in_progress_are_looked_for(tmp_path):
    done = specimen.write(tmp_path / "a.h5", 12, groups=[8, 4])
    running = archive.Archive(done.path, done.header, done.columns)
    assert faceted.read(running, {}).found.shares == pytest.approx([8 / 12, 4 / 12])


GOOD = {"medoids": [0, 1], "tried": {"2": 0.5}}


@pytest.mark.parametrize(
    ("members", "facts"),
    [
        ([0, 1] * 6, GOOD | {"medoids": [0, 2]}),  # a medoid of another facet
        ([0, 1] * 6, GOOD | {"medoids": [0, 12]}),  # no such row
        ([0, 1] * 6, GOOD | {"medoids": [0]}),  # a facet without a medoid
        ([0, 1] * 6, GOOD | {"medoids": "01"}),
        ([0, 1] * 6, GOOD | {"medoids": None}),
        ([0, 1] * 6, {"medoids": [0, 1], "tried": {"3": 0.5}}),
        ([0, 1] * 6, {"medoids": [0, 1], "tried": {"2": "nan"}}),
        ([0, 1] * 6, {"medoids": [0, 1], "tried": [0.5]}),
        ([0, 1] * 6, {}),
        ([0, -1] * 6, GOOD),
        ([[0, 1]] * 12, GOOD),
        ([0, 2**30] * 6, GOOD),
    ],
)
def test_what_is_no_set_of_facets_is_refused(two, members, facts):
    arrays = {"members": np.array(members, np.int32)}
    side_file.put(two.path, faceted.SECTION, arrays, facts)
    with pytest.raises(RefusedInput, match="expected facets as tf-inverse facets writes them"):
        read(two)


def test_facets_of_the_maths_are_those_of_the_table(two):
    found = faceted.of(two)
    lines = faceted.table(two, found).splitlines()
    first = facets.of(two.encodings[:]).medoids[0]
    z = f"{two.activations[int(first)][0]:.2f}"
    assert lines[1].split() == ["1", "8", "66.7", "%", "row", str(first), z]
