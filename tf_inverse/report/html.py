"""The report: one HTML file that holds everything it needs and asks no network for anything."""

from __future__ import annotations

import base64
import hashlib
import html
import importlib.resources
import io
import json
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tf_inverse.report import encode, ordering, page_data, sheet, text
from tf_inverse.version import __version__

if TYPE_CHECKING:
    from tf_inverse.archive import Archive
    from tf_inverse.report.beside import Nature


SCRIPTS = (
    *(
        "elements",
        "picture",
        "model",
        "judges",
        "facets",
        "nature",
        "layers",
        "grid",
        "sheet",
        "range",
    ),
    *("large", "map", "pointer", "figures", "theme", "start"),
)

_INLINE = string.Template(
    '<figure style="margin:0"><img alt="$question" src="$image" style="max-width:100%">'
    "<figcaption>$line</figcaption></figure>"
)


def render(
    archives: Sequence[Archive],
    names: Sequence[str],
    natures: Sequence[Nature | None] | None = None,
) -> str:
    """The report of one or several archives.

    Text of archives enters the page as JSON, from which its script makes text nodes, or escaped;
    a content security policy lets no other script, style or address through.

    Args:
        archives: archive.Archive list, at least one.
        names: A name for each, as shown.
        natures: For each, natural images of its bands as `explain.nature.beside` gives them, or
            None; where the file beside an archive holds some, they are shown unasked.

    Returns:
        Text of a self-contained HTML page.
    """
    data = page_data.page(archives, names, natures)
    return filled("page.html", ("style.css",), SCRIPTS, data["title"], data)


def filled(
    page: str, styles: Iterable[str], scripts: Iterable[str], title: str, data: Mapping[str, Any]
) -> str:
    """A page of the folder `page`, with everything in it.

    Args:
        page: File of the page.
        styles: Files of its style.
        scripts: Names of the files of its script.
        title: Of the page.
        data: What its script reads, as JSON.

    Returns:
        Text of a self-contained HTML page.
    """
    style, script = joined_styles(styles), joined_scripts(scripts)
    parts = {
        "image_source": "data:",
        "style": f"<style>{style}</style>",
        "style_source": f"'{_hash(style)}'",
        "script": f"<script>{script}</script>",
        "script_source": f"'{_hash(script)}'",
    }
    return _filled(page, title, data, parts)


def linked(
    page: str, style: str, scripts: Iterable[str], title: str, data: Mapping[str, Any]
) -> str:
    """A page of the folder `page` that shares its style and its scripts with other pages.

    Args:
        page: As of `filled`.
        style: Address of the style, relative to the page.
        scripts: Addresses of the scripts, likewise.
        title: As of `filled`.
        data: As of `filled`.
    """
    # To some browsers a page that is opened from disk has no `self`.
    own = "'self' file:"
    parts = {
        "image_source": f"data: {own}",
        "style": f'<link rel="stylesheet" href="{html.escape(style)}">',
        "style_source": own,
        "script": "".join(f'<script src="{html.escape(one)}"></script>' for one in scripts),
        "script_source": own,
    }
    return _filled(page, title, data, parts)


def _filled(page: str, title: str, data: Mapping[str, Any], parts: Mapping[str, str]) -> str:
    # A text of JSON may hold half of a pair of surrogates, which no file can hold.
    title = html.escape(title.encode("utf-8", "replace").decode("utf-8"))
    parts = {**parts, "title": title, "version": __version__, "data": script_json(data)}
    body = string.Template(_part(page)).substitute(parts).rstrip("\n")
    return string.Template(_part("shell.html")).substitute(parts, body=body)


def joined_styles(names: Iterable[str]) -> str:
    """The text of files of the folder `page`, one after the other."""
    return "\n".join(map(_part, names))


def joined_scripts(names: Iterable[str]) -> str:
    """The text of scripts of the folder `page`, by their names without .js."""
    return joined_styles(f"{name}.js" for name in names)


def script_json(data: object) -> str:
    r"""JSON that may stand inside a script element: no text in it can end the element.

    >>> script_json({"label": "</script>"})
    '{"label":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def inline(
    samples: Any, targets: Sequence[Mapping[str, Any]] = (), network: str = "", most: int = 60
) -> str:
    """A small piece of HTML for notebooks: the most different samples as a sheet.

    Args:
        samples: An archive, or anything with arrays images, encodings and activations.
        targets: Target dictionaries; those of the archive by default.
        network: Name of the network; that of the archive by default.
        most: Largest number of images shown.

    Returns:
        HTML text with everything in it.
    """
    targets = targets or getattr(samples, "targets", ())
    network = network or getattr(samples, "network", "")
    question, n = text.question(targets, network), len(samples.images)
    if not n:
        return string.Template("<p>$question No samples.</p>").substitute(
            question=html.escape(question)
        )
    images, z = samples.images[:], np.asarray(samples.activations[:])
    chosen = ordering.most_different(samples.encodings[:], most)
    chosen = chosen[ordering.by_activation(z[chosen])]
    buffer = io.BytesIO()
    picture = sheet.contact_sheet(images[chosen], text.captions(z[chosen], targets), tile=64)
    picture.save(buffer, "PNG")
    line = f"{question} {len(chosen)} of {n} samples, by activation."
    return _INLINE.substitute(
        question=html.escape(question),
        image=encode.data_address(buffer.getvalue()),
        line=html.escape(line),
    )


def _part(name: str) -> str:
    folder = importlib.resources.files("tf_inverse.report") / "page"
    return (folder / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
