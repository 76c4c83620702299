"""What README and docs tell a reader to type: blocks of code in Markdown, and the lines in them."""

import pathlib
import re
import shlex

ROOT = pathlib.Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page, language):
    """Code of every block of a language, in order."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def lines(page):
    """The words of every shell line, in order; `&&` parts two lines, a comment says nothing."""
    found = []
    for block in blocks(page, "sh"):
        line = ""
        for more in block.replace("\\\n", " ").splitlines():
            line += more
            try:
                found += [shlex.split(part, comments=True) for part in line.split("&&")]
            except ValueError:  # a quotation goes on in the next line
                line += "\n"
                continue
            line = ""
    return [words for words in found if words]


def commands(page):
    """Arguments of every tf-inverse line; installation and tests are other commands."""
    return [words[1:] for words in lines(page) if words[0].endswith("tf-inverse")]
