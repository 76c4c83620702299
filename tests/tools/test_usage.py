"""Help, examples, letters and completion of all commands: what a newcomer reads and types first."""

import functools
import inspect
import pathlib
import shlex
import subprocess
import sys

import pytest
import specimen
from commands import run
from tf_inverse.tools import cli, flags, settings_flags, usage

from tf_inverse.errors import UsageError
from tf_inverse.method.settings import Settings

# Commands whose examples run here, on small archives of these names.
CHEAP = {"compare", "facets", "sheet", "images", "report", "board", "publish", "completion"}
ARCHIVES = ("samples.h5", "truck.h5", "both.h5")


def helps():
    """The help of every command, from one process; and what that process has imported."""
    code = (
        "import sys\n"
        "from tf_inverse.tools import cli\n"
        "for name in cli.COMMANDS:\n"
        "    try: cli.main([name, '--help'])\n"
        "    except SystemExit as ended: print('\\0', ended.code, end='\\0')\n"
        "print(' '.join(sys.modules))\n"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.fixture(scope="module")
def pages():
    told = helps()
    assert told.stderr == ""
    *parts, modules = told.stdout.split("\0")
    assert not {"tensorflow", "keras", "fire"} & set(modules.split())
    assert [code.strip() for code in parts[1::2]] == ["0"] * len(cli.COMMANDS)
    return dict(zip(cli.COMMANDS, parts[::2], strict=True))


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_tells_every_flag_in_plain_words(pages, name):
    text, parameters = pages[name], inspect.signature(cli.function(name)).parameters
    for internal in ("FIRE_METADATA", "Optional[", "INFO", "Union[", "None", "SYNOPSIS", "_="):
        assert internal not in text
    assert max(map(len, text.splitlines())) <= usage.WIDEST
    for parameter in parameters.values():
        free = parameter.kind is parameter.VAR_POSITIONAL
        shown = f"{parameter.name.upper()}..." if free else f"--{flags.written(parameter.name)}"
        lines = [line for line in text.splitlines() if line.startswith("  ")]
        assert any(shown in line.replace("[no]", "") for line in lines), shown
    assert "\nMore\n" not in text  # every flag has a group in usage.GROUPS
    assert len(usage.parts(cli.function(name))[1]) >= 2


@pytest.mark.parametrize("indented", [True, False])
def test_docstrings_with_and_without_the_indentation_of_the_source(indented, monkeypatch):
    """Python 3.13 takes it off: every command ended there in a KeyError."""
    own = "Does a thing.\n\nArgs:\n    out: Where to.\n    **settings: All.\n    trust: Unasked.\n"
    fields = "Settings.\n\nAttributes:\n    n: How many\n        samples.\n    K: Codes.\n"

    def command(out: str, *, trust: bool = False, **settings) -> None:
        raise NotImplementedError

    for thing, text in ((command, own), (Settings, fields)):
        monkeypatch.setattr(thing, "__doc__", text.replace("\n", "\n    ") if indented else text)
    settings_flags._texts.cache_clear()
    text = inspect.getdoc(settings_flags.taken("n")(command))
    settings_flags._texts.cache_clear()
    expected = own.replace("**settings: All.", "n: How many\n        samples.")
    assert text.strip() == expected.strip()


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_examples_are_taken_by_the_command(name, monkeypatch):
    made, calls = cli.function(name), []
    recorded = functools.wraps(made)(lambda *a, **k: calls.append((a, k)))
    monkeypatch.setattr(cli, "function", lambda _: recorded)
    examples = usage.parts(made)[1]
    for example in examples:
        assert shlex.split(example)[:2] == ["tf-inverse", name]
        assert run(*shlex.split(example)[1:]) == 0
    assert len(calls) == len(examples)


@pytest.mark.parametrize("name", sorted(CHEAP))
def test_cheap_examples_run(name, tmp_path, monkeypatch):
    if name == "board":
        pytest.importorskip("tensorboard")
    monkeypatch.chdir(tmp_path)
    for archive in ARCHIVES:
        specimen.write(archive, 12)
    for example in usage.parts(cli.function(name))[1]:
        assert run(*shlex.split(example)[1:]) == 0, example


def test_a_letter_means_one_flag_in_all_commands():
    meant = {}
    for name in cli.COMMANDS:
        made = cli.function(name)
        parameters = inspect.signature(made).parameters.values()
        needed = [f"--{p.name}=x" for p in parameters if p.default is p.empty and p.kind < 2]
        for letter in map(chr, [*range(65, 91), *range(97, 123)]):
            try:
                checked = flags.check(name, made, [*needed, f"-{letter}=1"])
            except UsageError as error:
                assert f"{name} has no flag -{letter}; " in str(error)
                continue
            meant.setdefault(letter, set()).update(w for w in checked if w.endswith("=1"))
    assert meant == {letter: {f"--{flag}=1"} for letter, flag in flags.SHORT.items()}


def test_help_of_one_command_by_its_name(capsys):
    assert run("help", "sheet") == 0
    first = capsys.readouterr().out
    assert run("sheet", "--help") == 0 and capsys.readouterr().out == first
    assert run("sheet", "a.h5", "-h") == 0 and capsys.readouterr().out == first
    assert run("help", "shet") == 2 and "did you mean sheet" in capsys.readouterr().err


def test_a_narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    lines = usage.page("sample", cli.function("sample")).partition("\nExamples")[0].splitlines()
    assert max(map(len, lines)) <= 60


COMPLETE = """\
source {script}
complete -p tf-inverse
answer() {{
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _tf_inverse 2>/dev/null; echo "${{COMPREPLY[*]}}"
}}
answer tf-inverse sh
answer tf-inverse sheet --o
answer tf-inverse sheet a.h5 --ov
answer tf-inverse fetch --fr
answer tf-inverse sheet samp
"""


def test_bash_completes(tmp_path, capsys):
    assert run("completion", "bash") == 0
    script = pathlib.Path(tmp_path, "script")
    script.write_text(capsys.readouterr().out)
    told = subprocess.run(
        ["bash", "--norc", "-c", COMPLETE.format(script=script)], capture_output=True, text=True
    )
    assert told.stderr == ""
    assert told.stdout.splitlines() == [
        "complete -o default -F _tf_inverse tf-inverse",
        "sheet",
        "--out= --order= --overwrite",
        "--overwrite",
        "--from=",
        "",  # a file: bash's own
    ]
    assert run("completion", "fish") == 2 and "expected bash, got 'fish'" in capsys.readouterr().err
