"""An explanation as one self-contained HTML file, and as what a notebook shows.

Every number stands in a table, as a screen reader and a keyboard need it; colours lie behind it.
No script, no style and no picture comes from another host.
"""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import NDArray

from transduce.drawing.labels import readable
from transduce.explain.records.weighed import Weighed
from transduce.explain.showing.html_file import html_file
from transduce.explain.showing.lines import heading
from transduce.explain.showing.panels_of_cells import cell_figures
from transduce.explain.showing.shades import hexadecimal, row_name, scaled, shade
from transduce.explain.showing.what_if import WHAT_IF_STYLE, what_if

__all__ = ["fragment", "page"]

_STYLE = """
.transduce{font:14px/1.5 system-ui,sans-serif;color:#1f2933;background:#fff;padding:1em}
.transduce h1,.transduce h2{font-size:1.1em;margin:.6em 0 .3em}
.transduce .sides{display:flex;flex-wrap:wrap;gap:1.5em}
.transduce .scroll{overflow-x:auto;max-width:100%}
.transduce .scroll:focus{outline:2px solid #2b6cb0}
.transduce table{border-collapse:separate;border-spacing:1px;margin:0}
.transduce caption{text-align:left;color:#52606d;padding:.2em 0}
.transduce th{font-weight:600;padding:.1em .4em;white-space:nowrap;background:none;color:inherit}
.transduce th[scope=row]{text-align:right}
.transduce td{font-size:.72em;text-align:right;padding:.4em;min-width:2.8em;color:#1f2933}
.transduce td.dark{color:#fff}
.transduce td.plain{background:none}
.transduce figure{margin:0 0 1em;display:inline-block;vertical-align:top;max-width:100%}
.transduce figure svg{max-width:100%;height:auto}
.transduce figcaption{font-weight:600}
.transduce .note{color:#52606d}
"""


def page(explanation: Weighed, data: str) -> str:
    """The whole file; ``data`` is the explanation as JSON, for whoever reads it by program."""
    return html_file(f"Why: {explanation.output}", fragment(explanation), data, "explanation")


def fragment(explanation: Weighed) -> str:
    """What stands in a page or in a notebook's cell."""
    output, *rest = heading(explanation).splitlines()
    sides = (
        "Red speaks for what is explained, blue against it."
        if explanation.signed
        else "The redder, the more it has to do with it."
    )
    blocks = [f"<style>{_STYLE}{WHAT_IF_STYLE}</style><h1>{escape(output)}</h1>"]
    if explanation.given:
        blocks.append(f"<p>of <q>{escape(explanation.given)}</q></p>")
    blocks += [f'<p class="note">{escape(line)}</p>' for line in rest]
    blocks.append(f'<p class="note">{sides} Each row has its own scale.</p>')
    if explanation.canvas is None:
        source = _table("Source", explanation, list(explanation.source), explanation.weights)
    else:
        source = cell_figures(explanation)
    before = ""
    if explanation.prefix_weights is not None:
        names = list(explanation.prefix)
        before = _table("Written before", explanation, names, explanation.prefix_weights)
    blocks.append(f'<div class="sides">{source}{before}</div>{_probabilities(explanation)}')
    blocks.append(what_if(explanation))
    return f'<section class="transduce" aria-label="explanation">{"".join(blocks)}</section>'


def _table(title: str, explanation: Weighed, names: list[str], weights: NDArray[np.float64]) -> str:
    head = "".join(f'<th scope="col">{escape(readable(name))}</th>' for name in names)
    lines = []
    for row, own, strength in zip(explanation.rows, weights, scaled(weights), strict=True):
        cells = "".join(
            _cell(weight, size)
            for weight, size in zip(own.tolist(), strength.tolist(), strict=True)
        )
        lines.append(f'<tr><th scope="row">{escape(row_name(row))}</th>{cells}</tr>')
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(title)}">'
        f"<table><caption>{escape(title)}</caption>"
        f"<thead><tr><td class=plain></td>{head}</tr></thead><tbody>{''.join(lines)}</tbody>"
        "</table></div>"
    )


def _cell(weight: float, strength: float) -> str:
    colour = hexadecimal(shade(strength))
    dark = ' class="dark"' if abs(strength) > 0.75 else ""
    return f'<td{dark} style="background:{colour}">{weight:.3g}</td>'


def _probabilities(explanation: Weighed) -> str:
    """The output token by token."""
    names = "".join(f'<th scope="col">{escape(readable(n, 60))}</th>' for n in explanation.target)
    numbers = "".join(
        f'<td class="plain">{100 * np.exp(value):.1f} %</td>'
        for value in explanation.log_probabilities
    )
    return (
        '<h2>What the model gave each token</h2><div class="scroll" tabindex="0" role="region" '
        'aria-label="probabilities"><table><thead><tr>'
        f"{names}</tr></thead><tbody><tr>{numbers}</tr></tbody></table></div>"
    )
