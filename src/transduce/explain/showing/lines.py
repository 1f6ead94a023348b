"""An explanation in a terminal: in colour, or as numbers where there is none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.text import Text

from transduce.drawing.labels import readable
from transduce.evaluation.tables import render_table
from transduce.explain.records.weighed import Weighed
from transduce.explain.showing.shades import hexadecimal, row_name, scaled, shade

__all__ = ["heading", "print_explanation", "tables"]

_ACROSS = 16  # columns of numbers side by side
_LONGEST = 14  # characters of a symbol


def print_explanation(explanation: Weighed, console: Console | None = None) -> None:
    """Coloured symbols on a terminal that has colours, tables of numbers elsewhere."""
    console = console or Console(highlight=False)
    if console.is_terminal and console.color_system is not None:
        _print_coloured(explanation, console)
    else:
        console.file.write(f"{heading(explanation)}\n\n{tables(explanation)}")


def heading(explanation: Weighed) -> str:
    """What was explained, how, and what the method says of itself, in a few lines."""
    asked = {
        "token": "the log-probability of each token",
        "output": "the log-probability of the whole output",
        "entropy": "the entropy at each step",
    }[explanation.quantity]
    if explanation.against is not None:
        asked = f"why this and not {explanation.against}"
    options = ", ".join(f"{name} {value}" for name, value in explanation.options.items())
    lines = [
        explanation.output,
        f"{asked}, by {explanation.method}{f' ({options})' if options else ''}, "
        f"{explanation.seconds:.2f} s",
    ]
    if "completeness_gap" in explanation.figures:
        gap = 100 * explanation.figures["completeness_gap"]
        lines.append(f"completeness gap {gap:.2f} %")
    return "\n".join(lines)


def tables(explanation: Weighed) -> str:
    """Weights as numbers: a line for each thing explained, a column for each unit."""
    names, weights, title = _across(explanation)
    blocks = [_table(title, explanation, names, weights)]
    if explanation.prefix_weights is not None:
        prefix = [readable(name, _LONGEST) for name in explanation.prefix]
        blocks.append(_table("written before", explanation, prefix, explanation.prefix_weights))
    return "\n".join(blocks)


def _across(explanation: Weighed) -> tuple[list[str], NDArray[np.float64], str]:
    """Names, weights ``[Q, some]`` and a title; of cells the sum of each column."""
    canvas = explanation.canvas
    if canvas is None:
        return (
            [readable(name, _LONGEST) for name in explanation.source],
            explanation.weights,
            "source",
        )
    unit = "s" if canvas.across == "seconds" else "px"
    names = [f"{edge:.4g} {unit}" for edge in canvas.column_edges[:-1]]
    return names, explanation.grid.sum(1), f"source, all {canvas.down} together, from"


def _table(title: str, explanation: Weighed, names: list[str], weights: NDArray[np.float64]) -> str:
    blocks = []
    for first in range(0, max(len(names), 1), _ACROSS):
        rows = [
            [row_name(row, 2 * _LONGEST), f"{score:.3f}", *(_number(w) for w in own)]
            for row, score, own in zip(
                explanation.rows, explanation.scores,
                weights[:, first : first + _ACROSS], strict=True,
            )
        ]  # fmt: skip
        columns = ["", "nats", *names[first : first + _ACROSS]]
        blocks.append(render_table(title, columns, rows))
    return "".join(blocks)


def _number(weight: float) -> str:
    return "0" if weight == 0 else f"{weight:.3f}" if abs(weight) >= 0.0005 else f"{weight:.0e}"


def _print_coloured(explanation: Weighed, console: Console) -> None:
    console.print(Text(heading(explanation)))
    names, weights, title = _across(explanation)
    if explanation.canvas is not None:
        names = ["  "] * len(names)
    _print_rows(title, explanation, names, weights, console)
    if explanation.prefix_weights is not None:
        prefix = [readable(name, _LONGEST) for name in explanation.prefix]
        _print_rows("written before", explanation, prefix, explanation.prefix_weights, console)
    sides = "red speaks for it, blue against" if explanation.signed else "red: how much"
    console.print(Text(f"{sides}; each line has its own scale", style="dim"))


def _print_rows(
    title: str,
    explanation: Weighed,
    names: list[str],
    weights: NDArray[np.float64],
    console: Console,
) -> None:
    console.print(Text(f"\n{title}", style="bold"))
    labels = [row_name(row, 2 * _LONGEST) for row in explanation.rows]
    wide = max(map(len, labels))
    for label, score, own in zip(labels, explanation.scores, scaled(weights), strict=True):
        line = Text(f"{label:<{wide}} {score:8.3f}  ")
        for name, weight in zip(names, own, strict=True):
            line.append(name, style=f"#000000 on {hexadecimal(shade(float(weight)))}")
            line.append(" " if name.strip() and len(name) > 1 else "")
        console.print(line)
