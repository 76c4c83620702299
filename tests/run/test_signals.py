"""The first signal waits for the batch, the second does not; in processes of their own."""

import pathlib
import signal
import subprocess
import sys
import time

import pytest

from tf_inverse import archive

BUSY = """
import lzma, os, sys, time
from oracles.archive_samples import header, samples, state
from tf_inverse import archive
from tf_inverse.run import signals
with archive.Writer(sys.argv[1], header(4000)) as out, signals.deferred(print) as stop:
    print("ready", flush=True)
    while not stop:
        if sys.argv[2] == "deaf":
            lzma.compress(os.urandom(1 << 26))  # compiled code that takes half a minute
        out.append(samples(4), state(0))
        time.sleep(0.05)
sys.exit(stop.exit_code)
"""


def start(path, kind):
    command = [sys.executable, "-u", "-c", BUSY, str(path), kind]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=pathlib.Path(__file__).parents[1]
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_first_finishes_the_batch(tmp_path, number, code):
    process = start(tmp_path / "a.h5", "quick")
    time.sleep(0.3)
    process.send_signal(number)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == code
    assert said == f"{number.name}: finishing the batch; once more stops at once\n"
    assert len(archive.open(tmp_path / "a.h5")) % 4 == 0


def test_second_stops_at_once_even_in_compiled_code(tmp_path):
    process = start(tmp_path / "a.h5", "deaf")
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert "finishing the batch" in process.stdout.readline()
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 143
    assert time.monotonic() - began < 10  # compiled code alone takes longer
    process.stdout.close()
    archive.Writer(tmp_path / "a.h5", archive.open(tmp_path / "a.h5").header, resume=True).close()


def test_handlers_are_put_back():
    from tf_inverse.run import signals

    before = [signal.getsignal(number) for number in signals.STOPPING]
    with signals.deferred() as stop:
        assert not stop and stop.exit_code == 0
        assert [signal.getsignal(number) for number in signals.STOPPING] != before
    assert [signal.getsignal(number) for number in signals.STOPPING] == before
