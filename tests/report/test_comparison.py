"""Archives of two yardsticks are compared with one, and it is said."""

import pytest
import specimen

from tf_inverse.report import comparison, page_data


def told(path, bandwidth, **more):
    """A specimen with a yardstick in its header."""
    entry = {"bandwidth": bandwidth, "source": "natural images", "count": 100}
    return specimen.write(path, yardstick=entry, **more)


def test_one_yardstick_serves_all_and_others_are_named(tmp_path):
    a = told(tmp_path / "a.h5", 3.0, n=9)
    b = told(tmp_path / "b.h5", 2.0, n=9, seed=1)
    old = specimen.write(tmp_path / "old.h5", n=9, summary={})
    columns, notes = page_data.compared([a, b, old], ["a", "b", "old"])
    assert {one["bandwidth"] for one in columns.values()} == {3.0}
    assert notes == [
        "Vendi scores by one yardstick: 3, half the mean distance of 100 natural images, which is "
        "that of a; b has 2 (100 natural images); old came without one"
    ]
    assert "common" not in columns["a"]
    # An archive of before has the bandwidth of its run.
    assert comparison.own(specimen.write(tmp_path / "older.h5")) == (3.0, "its own run")
    assert page_data.compared([a, b], ["a", "b"], 5.0)[0]["b"]["bandwidth"] == 5.0


def test_other_networks_are_told(tmp_path):
    a = told(tmp_path / "a.h5", 3.0)
    b = told(tmp_path / "b.h5", 3.0, checksums={"classifier.keras": "cd" * 32})
    assert "different networks" in page_data.compared([a, b], ["a", "b"])[1][1]


@pytest.mark.parametrize("bandwidth", ["3", None, -1, True])
def test_a_bandwidth_of_a_summary_that_is_none_counts_for_nothing(tmp_path, bandwidth):
    one = specimen.write(tmp_path / "a.h5", summary={"bandwidth": bandwidth})
    assert comparison.own(one) == (None, "unknown")
