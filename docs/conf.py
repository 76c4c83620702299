"""The site's configuration: Sphinx with MyST for Markdown, and Furo for how it looks.

`python -m sphinx -W docs docs/_build` builds it, and stops at the first warning. Sphinx was chosen
because it is kept up and reads docstrings itself: Material for MkDocs had its last updates in
November 2026, MkDocs 1 has no maintainer, and their successor Zensical was at version 0.1.
"""

import re
import sys
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

project = "tf_inverse"
author = "the authors of tf_inverse"
version = release = (ROOT / "tf_inverse/version.py").read_text().split('"')[-2]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
# Markdown: equations between dollars, and links to headings.
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
# What docstrings have between single backticks is code, as in Markdown.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_use_ivar = True
napoleon_use_rtype = False
html_theme = "furo"
html_title = "tf_inverse"
html_copy_source = False
html_static_path = ["style"]
html_css_files = ["wide.css"]
html_math_renderer = "mathml"


def inline(self, node):
    """Writes an equation within a line as MathML, which browsers draw without any script."""
    self.body.append(tex2mathml(node.astext(), as_block=False))
    raise nodes.SkipNode


def displayed(self, node):
    """Writes an equation of its own."""
    self.body.append(f'<div class="equation">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def plain(app, what, name, obj, options, lines):
    """Keeps docstrings as their readers in an editor see them.

    Examples are code. Bars and stars are no markup: |e| is a length.
    """
    marked = re.compile(r"(?<!\\)([|*])")
    kept, example = [], False
    for line in lines:
        if line in ("Example:", "Examples:"):
            kept += [line + ":", ""]
            example = True
            continue
        example = example and (not line or line.startswith(" "))
        is_code = example or "`" in line or line.lstrip().startswith(">>>")
        kept.append(line if is_code else marked.sub(r"\\\1", line))
    lines[:] = kept


def setup(app):
    """Equations need no script from elsewhere: the site works from a disk without a network."""
    app.connect("autodoc-process-docstring", plain, priority=400)  # before napoleon
    app.add_html_math_renderer(
        "mathml", inline_renderers=(inline, None), block_renderers=(displayed, None)
    )
