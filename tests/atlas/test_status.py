"""What an atlas is said to be like: counts, the time left, and the names of what was not found."""

import os

import pytest

from tf_inverse.atlas import index, plan, status
from tf_inverse.atlas.targets import Target
from tf_inverse.errors import UsageError
from tf_inverse.method.settings import Settings


def planned(folder, targets):
    """The plan of an atlas of one layer, written."""
    told = {"layer": "fc", "at": None, "label": None, "z1": 0.0, "z2": 1.0}
    each = [
        Target(told | {"unit": i, "text": f"fc:{i}@0:1"}, None, 0, f"fc/{i}.h5")
        for i in range(targets)
    ]
    made = plan.Plan({}, "none", {}, None, Settings(n=5), "images", tuple(each), {}, {"fc": 99})
    plan.write(folder, made)
    return made


def test_the_first_plan_of_a_request_holds(tmp_path):
    """Machines that begin at once may find percentiles that differ in their last digits."""
    first = planned(tmp_path, 3)
    other = first._replace(targets=first.targets[:2])
    assert plan.settle(tmp_path, other) == first
    with pytest.raises(UsageError, match="n: absent there, 4 now"):
        plan.settle(tmp_path, other._replace(asked={"n": 4}))


def test_time_left_is_by_the_pace_of_the_last_groups_and_reasons_are_named(tmp_path):
    made = planned(tmp_path, 4 * plan.SIZE)
    assert plan.read(tmp_path) == made
    entry = {"state": "unreachable", "reason": "too far", "steps": 3, "seconds": 2.0, "found": 0}
    for group, ended in ((0, 1000), (1, 1032), (2, 1160)):
        numbers = made.groups[group]
        index.write_record(tmp_path, group, 9.0, dict.fromkeys(numbers, entry))
        os.utime(index.record_path(tmp_path, group), (ended, ended))
    records = index.Records(tmp_path, made)
    found = index.build(tmp_path, records, {3: "its group killed its worker"})
    told = status.figures(tmp_path, found, records)
    assert (told["targets"], told["unreachable"], told["failed"]) == (64, 48, 16)
    assert told["seconds"] == 96.0 and told["left"] == 0.0
    found = index.build(tmp_path, records, {})
    told = status.figures(tmp_path, found, records)
    # 32 targets in 160 seconds, and 16 are left.
    assert told["waiting"] == 16 and told["left"] == 80.0
    lines = status.lines(found, told)
    assert lines[1].split() == ["fc", "64", "0", "16", "48"]
    assert lines[2] == "16 targets wait: 1:20 left"
    assert lines[3] == "unreachable fc:0@0:1: too far"
    assert len(lines) == 3 + status.MOST + 1 and "28 more" in lines[-1]
