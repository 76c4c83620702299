"""tf-inverse as a user meets it: flags are checked before anything runs, and exit codes tell."""

import inspect
import io
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from commands import run
from tf_inverse.tools import cli

from tf_inverse import archive, metrics
from tf_inverse.method.settings import Settings
from tf_inverse.networks import storage
from tf_inverse.report import png
from tf_inverse.run import command

SMALL = ["--n=6", "--K=4", "--precision=float32"]


@pytest.fixture
def network(tiny_loaded, tiny_folder, loaded_once, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return f"--network={tiny_folder}"


@pytest.fixture
def called(monkeypatch):
    """What `sample` would have been called with; nothing is sampled."""
    calls = []
    monkeypatch.setattr(command, "sample", lambda *a, **k: calls.append((a, k)) or 0)
    return calls


def test_sample_prints_a_table_and_writes_archive_and_sheet(network, capsys):
    assert run("sample", "out.h5", network, "--targets=fc3:cat@p70:p95", *SMALL) == 0
    text = capsys.readouterr().out
    opened = archive.open("out.h5")
    assert len(opened) == 6 and opened.complete and opened.network == "tiny"
    target = opened.targets[0]
    assert (target["layer"], target["unit"], target["label"]) == ("fc3", 0, "cat")
    first, varied, *_ = text.splitlines()
    assert first.startswith("6 of 6 images found with fc3:0 (cat) from ")
    assert varied.startswith("As varied as ") and "\nLook at out.png\n" in text
    for word in ("found", "asked", "steps", "seconds", "in range", "pair distance", "Vendi score"):
        assert word in text
    lines = [line for line in text.splitlines() if " .. " in line]  # the histogram
    assert len(lines) == 10 and sum(int(line.split()[-1]) for line in lines) == 6
    assert os.path.getsize("out.png") > 500


def test_json_is_one_object_with_the_figures(network, capsys):
    assert run("sample", "out.h5", network, "--json", *SMALL) == 0
    figures = json.loads(capsys.readouterr().out)
    keys = "found asked in_range steps seconds pair_distance nearest_distance vendi vendi_natural"
    assert set(keys.split()) <= set(figures)
    opened = archive.open("out.h5")
    assert figures["archive"] == "out.h5" and figures["found"] == figures["asked"] == len(opened)
    assert figures["in_range"] == 1 and figures["vendi_natural"] > 1
    e = opened.encodings[:].astype(float)
    pairs = [np.linalg.norm(a - b) for i, a in enumerate(e) for b in e[:i]]
    assert figures["pair_distance"] == pytest.approx(np.mean(pairs), rel=1e-4)
    assert figures["vendi"] == pytest.approx(metrics.vendi(e, figures["bandwidth"]))
    assert figures["steps"] > opened.steps[:].max() and figures["seconds"] > 0


def test_an_existing_archive_is_refused_without_overwrite(network, capsys):
    (open("out.h5", "w")).close()
    assert run("sample", "out.h5", network, *SMALL) == 2
    said = capsys.readouterr().err
    assert "searching" not in said
    assert "out.h5 exists; give --overwrite to replace it, or another name" in said
    assert os.path.getsize("out.h5") == 0
    assert run("sample", "out.h5", network, "--overwrite", *SMALL) == 0
    assert len(archive.open("out.h5")) == 6
    # A picture of that name which is not ours stays; the sheet of an archive that is gone does not.
    os.remove("out.h5")
    whole = pathlib.Path("out.png").read_bytes()
    pathlib.Path("out.png").write_bytes(whole.replace(png.OURS.encode(), b"an_other_1"))
    assert run("sample", "out.h5", network, *SMALL) == 2
    assert "out.png exists and is none of tf-inverse's" in capsys.readouterr().err
    pathlib.Path("out.png").write_bytes(whole)
    png.expect_ours("out.png")


def test_unreachable_is_exit_3_with_every_key(network, capsys):
    far = ["--targets=fc3:0@1e5:2e5", "--patience=3", "--json"]
    assert run("sample", "out.h5", network, *far, *SMALL) == 3
    said = capsys.readouterr()
    figures = json.loads(said.out)
    assert (figures["found"], figures["asked"], figures["archive"]) == (0, 6, None)
    assert figures["vendi"] is None and figures["seconds"] is None and "steps" in figures
    *progress, told = said.err.splitlines()  # on a slow machine, how far the search has come
    assert told.startswith("tf-inverse: no sample in")
    assert all(line.startswith("0/6 found, ") for line in progress)
    # Nothing is left in the way of another try.
    assert run("sample", "out.h5", network, *SMALL) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["smaple"], "expected a command, got 'smaple'; did you mean sample"),
        (["sample", "--sed=1"], "sample has no flag --sed; did you mean --seed"),
        (["sample", "--volcano"], "sample has no flag --volcano; there is --out, --network"),
        (["sample", "--noseed=1"], "sample has no flag --noseed"),
        (["sample", "-q", "5"], "sample has no flag -q"),
        (["sample", "--n"], "expected a value for --n, as in --n=VALUE"),
        (["sample", "--n", "--json"], "expected a value for --n"),
        (["sample", "--n=ten"], "expected a whole number for --n, got 'ten'"),
        (["sample", "--n=1e3"], "expected a whole number for --n, got '1e3'"),
        (["sample", "--n=2.0"], "expected a whole number for --n, got '2.0'"),
        (["sample", "--beta=big"], "expected a number for --beta, got 'big'"),
        (["sample", "--json=maybe"], "expected True or False for --json, got 'maybe'"),
        (["sample", *["x"] * 40], "sample takes at most"),
        (
            ["adopt", "a", "b", "c", "--labels=nofile"],
            "nofile: no such file or directory",
        ),
        (["verify"], "verify needs ARCHIVE: see tf-inverse verify --help"),
    ],
)
def test_refused_before_anything_runs(called, capsys, arguments, words):
    assert run(*arguments) == 2
    said = capsys.readouterr()
    assert words in said.err and said.err.startswith("tf-inverse: ") and called == []
    assert said.err.count("\n") == 1 and said.out == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["out.txt"], "expected an archive's name to end in .h5, got out.txt"),
        (["--n=0"], "expected n to be a whole number >= 1, got 0"),
        (["--K=--5"], "expected K to be a whole number >= 1, got '--5'"),
        (["--K=ten"], "expected K to be a whole number >= 1, got 'ten'"),
        (["--method=ppgn"], "expected method to be renewal or paper or langevin, got 'ppgn'"),
        (["--precision=float8"], "expected precision auto, float32, bfloat16, float16"),
        (["--store=nothing"], "expected --store=images or --store=codes, got 'nothing'"),
        (["--targets=fc3:9@1:2"], "expected a unit of fc3 from 0 to 3, got 9"),
        (["--targets=fc3:shop@1:2"], "did you mean ship"),
        # As of a shell's variable that is not set: the default neuron is not meant.
        (["--targets="], "expected targets of the form LAYER:UNIT@Z1:Z2"),
    ],
)
def test_refusals_of_sample(network, capsys, arguments, words):
    assert run("sample", network, *arguments) == 2
    said = capsys.readouterr().err
    assert words in said and len(said.splitlines()) == 1
    assert os.listdir() == []


def test_refusals_of_networks(tmp_path, tiny, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken.h5").mkdir()
    for more in ([], ["--overwrite"]):
        assert run("sample", "taken.h5", *more) == 2
        assert "expected the name of an archive, taken.h5 is a folder" in capsys.readouterr().err
    assert run("sample", "--network=nowhere") == 2
    assert "or a folder with network.json; got 'nowhere'" in capsys.readouterr().err
    parts = {name: getattr(tiny, name) for name in ("classifier", "generator", "encoder", "codes")}
    storage.save("bare", name="bare", **parts)
    assert run("sample", "--network=bare") == 2
    assert "expected --targets=LAYER:UNIT@Z1:Z2" in capsys.readouterr().err
    with open("bare/generator.keras", "ab") as file:
        file.write(b"!")
    assert run("sample", "--network=bare", "--targets=fc3:0@0:1") == 4
    assert "the file was changed or damaged" in capsys.readouterr().err


def test_values_are_read_as_their_flag_says(called):
    flags = ["--out", "2e5.h5", "--targets=fc3:1@2:3", "--seed=7", "--beta=1", "--overwrite"]
    assert run("sample", *flags, "--samples-per-seed=2", "--nojson") == 0
    (out, network, targets, options), more = called[0]
    assert (out, network, targets) == ("2e5.h5", "cifar10", "fc3:1@2:3")
    assert options["seed"] == 7 and options["beta"] == 1.0 and isinstance(options["beta"], float)
    assert options["samples_per_seed"] == 2 and more["overwrite"] and more["as_json"] is False
    assert run("sample", "1.h5", "12", "--json=false", "--overwrite=True") == 0
    (out, network, _, options), more = called[1]
    assert (out, network) == ("1.h5", "12") and (more["overwrite"], more["as_json"]) == (
        True,
        False,
    )
    # A switch does not swallow what follows it, and single dashes and letters mean their flag.
    assert run("sample", "--json", "3.h5", "-n", "9", "-K=3", "-seed=4", "--nooverwrite") == 0
    (out, *_, options), more = called[2]
    assert (out, options["n"], options["K"], options["seed"]) == ("3.h5", 9, 3, 4)
    assert (more["as_json"], more["overwrite"]) == (True, False)


def test_the_flags_are_the_settings_with_their_defaults(called):
    """Nothing written twice may differ: what the command leaves out is what Settings leaves out."""
    assert run("sample") == 0
    options = called[0][0][3]
    defaults = {n: p.default for n, p in inspect.signature(Settings).parameters.items()}
    assert set(options) == set(defaults)
    # The command suits precision and pool to the machine and to n; the library says what it does.
    different = {name for name in defaults if options[name] != defaults[name]}
    assert different == {"K", "precision"}


def test_help_lists_every_command_and_flag(capsys):
    assert run("--help") == 0
    text = capsys.readouterr().out
    for name in cli.COMMANDS:
        line = next(line for line in text.splitlines() if line.startswith(f"  {name} "))
        assert line.rstrip().endswith(".")
    assert run() == 0 and capsys.readouterr().out == text
    assert run("--version") == 0
    assert capsys.readouterr().out.strip() == __import__("tf_inverse").__version__


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_documents_its_arguments(name):
    function = cli.function(name)
    text = inspect.getdoc(function)
    for parameter in inspect.signature(function).parameters:
        assert f"    {parameter}: " in text, parameter


def test_processes_exit_with_the_code(network):
    """The installed command, once for each way out; the interpreter passes the codes on."""
    command = [sys.executable, "-m", "tf_inverse.tools.cli"]
    refused = subprocess.run([*command, "sample", "--sed=1"], capture_output=True, text=True)
    assert (refused.returncode, refused.stdout) == (2, "")
    helped = subprocess.run([*command, "sample", "--help"], capture_output=True, text=True)
    assert helped.returncode == 0 and "--samples-per-seed=N" in helped.stdout
    assert helped.stderr == ""
    piped = subprocess.run(
        " ".join([*command, "--help"]) + " | head -1", shell=True, capture_output=True, text=True
    )
    assert piped.stdout.startswith("tf-inverse: sample") and piped.stderr == ""


def test_keyboard_interrupt_is_130(monkeypatch):
    def interrupted(*a, **k):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "sample", interrupted)
    assert run("sample") == 130


def test_anything_else_is_a_bug_and_shows_its_traceback(monkeypatch):
    monkeypatch.setattr(command, "sample", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["sample"])


def test_an_error_is_one_line_that_a_terminal_does_not_obey(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["units", "--network=a\n\x1b[31mb"])
    said = capsys.readouterr().err
    assert ended.value.code == 2 and said.count("\n") == 1 and "\x1b" not in said


def test_names_that_a_system_cannot_look_up_are_refused_in_one_line(tmp_path, capsys):
    (tmp_path / "loop.h5").symlink_to("loop.h5")
    for words in (["sheet", "x" * 300 + ".h5"], ["verify", str(tmp_path / "loop.h5")]):
        assert run(*words) in (2, 4)
        said = capsys.readouterr().err
        assert said.startswith("tf-inverse: ") and said.count("\n") == 1 and words[1] in said


def test_a_letter_that_the_locale_lacks_is_shown_otherwise(monkeypatch):
    """Standard error shows it so by itself; a label on standard output ended in a traceback."""
    shown = io.TextIOWrapper(io.BytesIO(), encoding="latin-1", write_through=True)
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setattr(cli, "_run", lambda argv: print("br\u00fbl\u00e9e \u732b \udce9.h5"))
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert not ended.value.code
    assert shown.buffer.getvalue() == b"br\xfbl\xe9e \\u732b \\udce9.h5\n"


def test_a_label_does_not_command_the_terminal(monkeypatch, capsys):
    """Names in files from elsewhere are printed by many commands, which all print through this."""
    said = "cat\x1b]0;title\x07\x9b2J\tof \u202etxt\u2069 \u200d br\u00fbl\u00e9e\r\nnext"
    monkeypatch.setattr(cli, "_run", lambda argv: print(said))
    with pytest.raises(SystemExit):
        cli.main([])
    shown = "cat?]0;title??2J\tof ?txt? \u200d br\u00fbl\u00e9e?\nnext\n"
    assert capsys.readouterr().out == shown
