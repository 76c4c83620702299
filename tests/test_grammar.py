"""Values on the command line: what each form gives, and the one line where it is another."""

import doctest

import pytest

from tf_inverse import grammar
from tf_inverse.errors import RefusedInput, UsageError


def test_what_the_docstrings_show():
    assert doctest.testmod(grammar).attempted >= 5
    assert doctest.testmod(grammar).failed == 0


@pytest.mark.parametrize("read", [grammar.span, grammar.ends])
@pytest.mark.parametrize(
    "text", ["", ":", "1", "2:1", "1:1", "1:2:3", "a:b", "nan:1", "-inf:inf", "0:inf", "1e999:"]
)
def test_no_range_is_refused_with_the_form_that_is_expected(read, text):
    with pytest.raises(UsageError, match="expected --flag=LOW:HIGH") as error:
        read("flag", text)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize("text", ["nan:", ":inf", "x:", "-inf:"])
def test_a_range_of_one_end_needs_a_number_there(text):
    with pytest.raises(UsageError, match="LOW: or :HIGH"):
        grammar.ends("flag", text)


def test_lines_of_a_file(tmp_path, monkeypatch):
    path = tmp_path / "labels.txt"
    path.write_bytes("\ufeffship\r\nb\u00e4r\n".encode())
    assert grammar.lines("labels", path) == ["ship", "b\u00e4r"]
    path.write_bytes(b"\x89PNG\r\n")
    with pytest.raises(RefusedInput, match="expected a text file of labels in UTF-8, .*is none"):
        grammar.lines("labels", path)
    monkeypatch.setattr(grammar, "MOST_TEXT", 5)
    with pytest.raises(RefusedInput, match="expected at most 5 bytes of labels in"):
        grammar.lines("labels", path)
