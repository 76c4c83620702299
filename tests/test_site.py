"""The site of docs/, built as CONTRIBUTING says; skipped where its generator is not installed."""

import importlib.util
import re
import types

import book
import pytest
from commands import Child

import tf_inverse

PARTS = ("sphinx", "myst_parser", "furo")

pytestmark = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, PARTS)), reason="needs the extra [docs]"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Name of a page -> its HTML. A warning of the generator is an error."""
    out = tmp_path_factory.mktemp("site")
    from sphinx.cmd.build import main

    words = ("-q", "-W", "--keep-going", "docs", out)
    code, _, said = Child(*words, cwd=book.ROOT, main=main).ended()
    assert code == 0, said
    return {path.stem: path.read_text(encoding="utf-8") for path in out.glob("*.html")}


def test_every_page_is_built_and_works_without_a_network(site):
    assert {page.stem for page in book.PAGES[1:]} <= set(site)
    for name, text in site.items():
        assert (
            re.findall(r'<(?:script|img)[^>]+src="https?:|<link[^>]+href="https?:', text) == []
        ), name


def test_every_public_name_is_in_the_reference(site):
    there = set(re.findall(r'id="(tf_inverse\.[\w.]+)"', site["reference"]))
    for name in set(tf_inverse.__all__) - {"__version__", "callback"}:
        if isinstance(getattr(tf_inverse, name), types.ModuleType):
            assert any(one.startswith(f"tf_inverse.{name}.") for one in there), name
        else:
            assert f"tf_inverse.{name}" in there, name


def test_examples_of_docstrings_are_code(site):
    example = re.search(
        r"Example:</p>\s*<div class=\"highlight.*?</div>", site["reference"], re.DOTALL
    )
    assert re.sub("<.*?>", "", example[0]).count("\ndraw(") == 2  # a line each
    assert "::" not in re.sub(r"<(code|pre|script).*?</\1>", "", site["reference"], flags=re.DOTALL)


def test_equations_are_drawn_by_the_browser_itself(site):
    text = (book.ROOT / "docs/method.md").read_text(encoding="utf-8")
    displayed = text.count("$$") // 2
    assert site["method"].count('display="block"') == displayed > 5
    assert "$" not in re.sub(r"<code.*?</code>", "", site["method"], flags=re.DOTALL)
