"""What is kept from the terminal, and what is not."""

import os
import shlex
import subprocess
import sys

import pytest
from tf_inverse.tools import quiet

UNITS = [sys.executable, "-m", "tf_inverse.tools.cli", "units", "--layer=fc8"]


def told(command, **levels):
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(command, env=environment | levels, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_a_command_says_nothing_but_its_own():
    code, out, errors = told(UNITS)
    assert code == 0 and "ship" in out and errors == ""


def test_whoever_wants_the_log_gets_it():
    assert told(UNITS, TF_CPP_MIN_LOG_LEVEL="0")[2] != ""


@pytest.mark.parametrize(
    ("level", "quietly"), [(None, True), ("3", True), ("1", True), ("0", False)]
)
def test_a_level_that_the_user_chose_stays(monkeypatch, level, quietly):
    """What the import says of any level is kept back unless all is asked for."""
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    if level is not None:
        monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
    others = [one for one in sys.meta_path if not isinstance(one, quiet.Finder)]
    monkeypatch.setattr(sys, "meta_path", others)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    quiet.start()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == (level or "3")
    assert sys.meta_path[0].quiet == quietly


def test_a_closed_stream_takes_what_is_written_and_lends_its_number_to_no_file(tmp_path):
    code = (
        "import sys; from tf_inverse.tools import quiet; quiet.complete(); "
        "print('out'); print('err', file=sys.stderr); print(sys.stderr.isatty());"
        f"print(open({str(tmp_path / 'a')!r}, 'w').fileno() > 2, file=sys.__stdout__)"
    )
    command = f"{sys.executable} -c {shlex.quote(code)}"
    told = subprocess.run(["bash", "-c", f"{command} 2>&-"], capture_output=True, text=True)
    assert (told.returncode, told.stdout) == (0, "out\nFalse\nTrue\n")
    told = subprocess.run(["bash", "-c", f"{command} >&-"], capture_output=True, text=True)
    assert told.returncode == 0 and told.stderr == "err\n"


def test_an_import_that_fails_is_told(tmp_path):
    (tmp_path / "tensorflow.py").write_text(
        "import os; os.write(2, b'no such library\\n'); raise ImportError('broken')"
    )
    code = "from tf_inverse.tools import quiet; quiet.start(); import tensorflow"
    status, _, errors = told([sys.executable, "-c", code], PYTHONPATH=str(tmp_path))
    assert status == 1 and "no such library" in errors and "ImportError: broken" in errors


def test_other_modules_are_not_its_business():
    assert quiet.Finder(True).find_spec("h5py") is None


def test_what_no_command_uses_is_imported_by_none_but_who_asks_for_it(tmp_path):
    """Keras does import it, and so did each command."""
    for name in quiet.UNUSED:
        (tmp_path / f"{name}.py").write_text(f"print('{name} is imported')")
    code = "from tf_inverse.tools import quiet; quiet.start(); import keras, tensorflow; print('.')"
    code += "".join(f"; import {name}" for name in quiet.UNUSED)
    status, out, errors = told([sys.executable, "-c", code], PYTHONPATH=str(tmp_path))
    lines = [".", *(f"{name} is imported" for name in quiet.UNUSED)]
    assert (status, out.splitlines(), errors) == (0, lines, "")


def test_what_is_written_after_it_is_seen(capfd):
    with quiet.silent():
        os.write(2, b"hidden")
    os.write(2, b"seen")
    assert capfd.readouterr().err == "seen"
    with pytest.raises(ValueError), quiet.silent():
        os.write(2, b"why")
        raise ValueError
    assert capfd.readouterr().err == "why"
