"""The time that is left, by a clock of the test's own."""

import pytest

from tf_inverse.compute import progress


@pytest.fixture
def clock(monkeypatch):
    """Seconds since the epoch, as a list whose last entry is now."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[-1])
    return now


@pytest.mark.parametrize(
    ("before", "done", "told"),
    [
        (0, 0, "0/12 units"),
        (0, 0.5, "0/12 units, 40 seconds each, 7:40 left"),
        (0, 4, "4/12 units, 5 seconds each, 0:40 left"),
        (8, 8, "8/12 units"),
        (8, 10, "10/12 units, 10 seconds each, 0:20 left"),
        (8, 12, "12/12 units, 5 seconds each"),
    ],
)
def test_no_time_is_told_before_something_is_done(clock, capsys, before, done, told):
    """The rate is that of what was done since the beginning: parts count, earlier runs do not."""
    with progress.Counted("units", before) as shown:
        clock.append(120.0)
        shown.show(done, 12)
        if done == 12:  # told again, and not shown
            shown.show(done, 12)
    assert capsys.readouterr().err == told + "\n"
