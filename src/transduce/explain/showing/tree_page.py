"""A beam tree as one self-contained HTML file: a drawing, and all its numbers as a table.

No script, no style and no picture comes from another host. The drawing can be scrolled by
keyboard; a screen reader is led to the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import exp
from typing import Any, Protocol

from transduce.drawing.figures import FIRST, INK, OTHER, SOFT
from transduce.drawing.labels import readable
from transduce.drawing.tree import Twig, placed
from transduce.explain.records.tree_branch import TreeBranch
from transduce.explain.showing.html_file import html_file

__all__ = ["ShownTree", "tree_fragment", "tree_page"]

_COLUMN, _LINE = 108, 22  # pixels
_STYLE = f"""
.transduce-tree{{font:14px/1.5 system-ui,sans-serif;color:{INK};background:#fff;padding:1em}}
.transduce-tree h1{{font-size:1.1em;margin:.6em 0 .3em}}
.transduce-tree .scroll{{overflow:auto;max-width:100%;max-height:80vh}}
.transduce-tree .scroll:focus{{outline:2px solid {OTHER}}}
.transduce-tree summary:focus{{outline:2px solid {OTHER}}}
.transduce-tree table{{border-collapse:collapse;margin:.5em 0}}
.transduce-tree th,.transduce-tree td{{padding:.15em .6em;text-align:right;background:none}}
.transduce-tree thead th{{border-bottom:1px solid {SOFT}}}
.transduce-tree td.text{{text-align:left;white-space:pre-wrap}}
.transduce-tree tr.output{{color:{FIRST};font-weight:600}}
.transduce-tree tr.dropped{{color:{SOFT}}}
.transduce-tree svg text{{font:12px system-ui,sans-serif}}
"""


class ShownTree(Protocol):
    """What a page needs of a beam tree."""

    @property
    def source(self) -> str:
        """What was read; "" where it is no text."""

    @property
    def outputs(self) -> Sequence[str]:
        """Best first."""

    @property
    def search(self) -> Mapping[str, Any]:
        """The options of the search."""

    @property
    def branches(self) -> Sequence[TreeBranch]:
        """All of them."""

    @property
    def root(self) -> str:
        """What all begin with."""

    def twigs(self) -> list[Twig]:
        """The branches as they are drawn."""

    def to_json(self) -> str:
        """All as JSON."""


def tree_page(tree: ShownTree) -> str:
    """The whole file, with the tree as JSON in it for whoever reads it by program."""
    title = f"Beam tree: {tree.outputs[0] if tree.outputs else ''}"
    return html_file(title, tree_fragment(tree), tree.to_json(), "beam-tree")


def tree_fragment(tree: ShownTree) -> str:
    """What stands in a page or in a notebook's cell."""
    best = tree.outputs[0] if tree.outputs else ""
    options = ", ".join(f"{name}={value}" for name, value in tree.search.items()) or "greedy"
    given = f"<p>of <q>{escape(tree.source)}</q>, {escape(options)}</p>"
    outputs = "".join(f"<li>{escape(text)}</li>" for text in tree.outputs)
    said = (
        "Blue went on, red is an output with its place, grey was dropped. The percentage is the "
        "token's probability; all numbers stand in the table below."
    )
    return (
        f'<section class="transduce-tree" aria-label="beam tree"><style>{_STYLE}</style>'
        f"<h1>{escape(best)}</h1>{given}<ol>{outputs}</ol><p>{said}</p>"
        '<div class="scroll" tabindex="0" role="region" aria-label="the tree, drawn">'
        f"{_drawing(tree)}</div>{_table(tree)}</section>"
    )


def _drawing(tree: ShownTree) -> str:
    twigs = tree.twigs()
    places = placed(twigs)
    columns = max((column for column, _ in places), default=0)
    lines = 1 + int(max((line for _, line in places), default=0.0))
    width, height = (columns + 2) * _COLUMN, (lines + 1) * _LINE
    pieces = [_text(8, _LINE, INK, readable(tree.root, 12))]
    for twig, place in zip(twigs, places, strict=True):
        before = (0, 0.0) if twig.parent < 0 else places[twig.parent]
        pieces.append(_twig(twig, place, before))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img" '
        f'aria-label="beam tree, {len(twigs)} branches; the table has their numbers">'
        f"{''.join(pieces)}</svg>"
    )


def _twig(twig: Twig, place: tuple[int, float], before: tuple[int, float]) -> str:
    colour = {"kept": OTHER, "output": FIRST, "dropped": SOFT}[twig.kind]
    left, right = before[0] * _COLUMN + 92, place[0] * _COLUMN + 4
    start, end = (before[1] + 1) * _LINE - 4, (place[1] + 1) * _LINE - 4
    thick = 0.7 if twig.kind == "dropped" else 2
    line = (
        f'<path d="M{left} {start:g}h7V{end:g}H{right}" fill="none" '
        f'stroke="{colour}" stroke-width="{thick}"/>'
    )
    label = f"{readable(twig.name, 9)} {twig.note}"
    return line + _text(right + 3, int(end) + 4, colour, label)


def _text(left: int, foot: int, colour: str, text: str) -> str:
    return f'<text x="{left}" y="{foot}" fill="{colour}">{escape(text)}</text>'


def _table(tree: ShownTree) -> str:
    heads = ("branch", "goes on from", "step", "lane", "token", "probability",
             "log-probability", "sum", "what became of it", "score")  # fmt: skip
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    rows = []
    for number, (branch, twig) in enumerate(zip(tree.branches, tree.twigs(), strict=True)):
        fate = branch.fate if branch.rank is None else f"{branch.fate}, output {branch.rank + 1}"
        score = "" if branch.score is None else f"{branch.score:.4f}"
        parent = "begin" if branch.parent < 0 else str(branch.parent)
        rows.append(
            f'<tr class="{twig.kind}"><th scope="row">{number}</th><td>{parent}</td>'
            f'<td>{branch.step}</td><td>{branch.lane}</td><td class="text">'
            f"{escape(readable(branch.name, 60))}</td><td>{100 * exp(branch.log_probability):.2f} %"
            f"</td><td>{branch.log_probability:.4f}</td><td>{branch.total:.4f}</td>"
            f'<td class="text">{fate}</td><td>{score}</td></tr>'
        )
    return (
        "<details open><summary>All branches as a table</summary>"
        '<div class="scroll" tabindex="0" role="region" aria-label="all branches">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div></details>"
    )
