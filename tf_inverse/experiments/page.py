"""An experiment's outcome for people: a Markdown page, an HTML page that needs nothing, a sheet."""

from __future__ import annotations

import html
import io
import string
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tf_inverse.experiments import paper
from tf_inverse.report import encode, ordering, page_data, sheet, text
from tf_inverse.version import __version__

if TYPE_CHECKING:
    from tf_inverse.experiments.recipes import Claim, Outcome


COLUMNS = {
    "neuron": "neuron and range",
    "method": "method",
    "kept": "images",
    "in_range_of_kept": "in range",
    "steps": "steps",
    "passes": "network passes",
    "seconds": "seconds",
    "pair_distance": "pair distance",
    "pair_distance_per_dimension": "per dimension",
    "ratio": "ratio to PPGN",
    "ratio_in_range": "ratio to PPGN in range",
    "nearest_distance": "nearest distance",
    "vendi": "Vendi score",
    "vendi_natural": "Vendi of nature",
    "coverage": "unevenness",
    "extreme": "extreme entries",
    "code_norm": "norm of codes",
    "saturated": "values 0 or 255",
    "judge": "judge agrees",
    "seconds_per_step": "seconds a step",
    "seconds_of_485_steps": "seconds of 485 steps",
}
"""Key of a row -> heading; a column that no row has is left out."""

SHARES = ("in_range_of_kept", "extreme", "saturated", "judge")
MOST = 10
"""Images a row of the sheet."""

NOTES = (
    "Pair and nearest distances are between encodings; the Vendi score is the effective number of "
    "different images; unevenness is the Kolmogorov-Smirnov distance of the activations from an "
    "even spread over the range; a network pass is one code there and back; extreme entries of "
    "codes are more than 3 standard deviations (the entry's own, or that over all entries if it is "
    "larger) from their mean over random codes, whose norm is 1 in its column."
)

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:90rem;margin:2rem auto;padding:0 1rem;"
    "color:light-dark(#181a1f,#e8eaee);background:light-dark(#fff,#15171c)}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "th,td{border-bottom:1px solid light-dark(#d8dae0,#353a45);padding:.3rem .6rem;"
    "text-align:right}"
    "th:first-child,td:first-child,th:nth-child(2),td:nth-child(2){text-align:left}"
    # All columns of figures fit into a window of 1,280 pixels; in a narrower one they are pushed.
    ".wide{overflow-x:auto}.wide td:first-child{min-width:6rem}"
    ".wide td+td+td{white-space:nowrap}.wide th{hyphens:auto;vertical-align:bottom}"
    ".wide th,.wide td{padding:.25rem}"
    ".wide table{font-size:.7rem;line-height:1.3}img{max-width:100%}"
    "code span{display:inline-block;max-width:100%;overflow-wrap:anywhere}"
    # On paper nothing can be pushed aside: the table has to fit, on a wide sheet in small letters.
    "@media print{@page{size:landscape}:root{color-scheme:light}.wide{overflow:visible}"
    ".wide table{font-size:.6rem}.wide th,.wide td{padding:.2rem .3rem}"
    "h2{break-after:avoid}img{max-height:90vh}}"
)
_PAGE = string.Template(
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width">'
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
    "style-src 'unsafe-inline'\"><title>$title</title><style>$style</style></head><body>"
    "<h1>$title</h1><p>$text</p><p><code>$command</code></p>"
    '$claims$sheet<h2>Figures</h2><div class="wide">$table</div><p>$notes</p>'
    '<h2>What the paper says</h2><div class="wide">$paper</div>'
    "<p>tf_inverse $version, network $network</p></body></html>\n"
)


def cells(rows: list[dict]) -> list[list[str]]:
    """The table of the rows as texts, headings first."""
    keys = [key for key in COLUMNS if any(row.get(key) is not None for row in rows)]
    return [[COLUMNS[key] for key in keys], *([_cell(row, key) for key in keys] for row in rows)]


def _cell(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if value is None or isinstance(value, str):
        return value or "-"
    if key in SHARES:
        return f"{100 * value:.3g} %"
    return text.number(value, 3)


def told(claim: Claim) -> str:
    """A claim in a line."""
    verdict = {True: "holds", False: "does NOT hold", None: "not measured"}[claim.holds]
    return f"{verdict}: {claim.text} ({claim.figures})"


def markdown(outcome: Outcome, name: str, command: str, network: str) -> str:
    """The page as Markdown.

    Args:
        outcome: `recipes.Outcome`.
        name: Of the recipe.
        command: That made it.
        network: Name of the pair.
    """
    parts = [f"# {outcome.title}", outcome.text, f"```sh\n{command}\n```", f"Network: {network}."]
    if outcome.claims:
        parts += ["## What holds", "\n".join(f"- {told(claim)}" for claim in outcome.claims)]
    parts += ["## Figures", _piped(cells(outcome.rows)), *_troubles(outcome.rows)]
    parts += ["## What the paper says", _piped([["what", "paper"], *paper.GIVEN[name]]), NOTES]
    return "\n\n".join(parts) + "\n"


def _piped(rows: Sequence[Sequence[str]]) -> str:
    safe = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    lines = ["| " + " | ".join(row) + " |" for row in safe]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def _troubles(rows: list[dict[str, Any]]) -> list[str]:
    return [
        f"{row['neuron']}, {row['method']}: {row['trouble']}" for row in rows if "trouble" in row
    ]


def page(outcome: Outcome, name: str, command: str, network: str, png: bytes | None) -> str:
    """The page as HTML, with the sheet in it; every text is escaped."""
    picture = ""
    if png is not None:
        picture = f'<h2>Images</h2><img alt="a row a run" src="{encode.data_address(png)}">'
    lines = [told(claim) for claim in outcome.claims] + _troubles(outcome.rows)
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return _PAGE.substitute(
        title=html.escape(outcome.title),
        text=html.escape(outcome.text),
        # A browser would break a flag after its hyphens.
        command=" ".join(f"<span>{html.escape(word)}</span>" for word in command.split(" ")),
        table=_tagged(cells(outcome.rows)),
        claims=f"<h2>What holds</h2><ul>{items}</ul>" if items else "",
        paper=_tagged([["what", "paper"], *paper.GIVEN[name]]),
        sheet=picture,
        notes=html.escape(NOTES),
        style=_STYLE,
        version=__version__,
        network=html.escape(network),
    )


def _tagged(rows: Sequence[Sequence[str]]) -> str:
    def line(row: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(c))}</{tag}>" for c in row) + "</tr>"

    return f"<table>{line(rows[0], 'th')}{''.join(line(row, 'td') for row in rows[1:])}</table>"


def rows_sheet(outcome: Outcome, opened: dict) -> bytes | None:
    """The most different images of every run in a row each, by activation: a PNG file's contents.

    Args:
        outcome: `recipes.Outcome`.
        opened: Archives by file name.

    Returns:
        None where no run has images.
    """
    lines = []
    for row in outcome.rows:
        if not row.get("archive"):
            continue
        one = opened[row["archive"]]
        chosen = ordering.most_different(one.encodings[:], MOST)
        z = one.activations[:]
        chosen = chosen[ordering.by_activation(z[chosen])]
        images = page_data.shown_images(one)[chosen]
        heading = f"{row['method']}: {row['neuron']}"
        lines.append(sheet.Row(heading, images, text.captions(z[chosen], one.targets)))
    if not lines:
        return None
    buffer = io.BytesIO()
    sheet.row_sheet(lines, [outcome.title], MOST).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
