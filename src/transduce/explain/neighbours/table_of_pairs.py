"""Nearest pairs in a terminal."""

from __future__ import annotations

from transduce.evaluation.tables import render_table
from transduce.explain.neighbours.nearest_pairs import NearestPairs

__all__ = ["table_of_pairs"]

_SHOWN = 40  # characters of a text


def table_of_pairs(found: NearestPairs) -> str:
    """A few lines for each token: what stood there in the pairs, nearest first."""
    rows = []
    for token, own in zip(found.tokens, found.neighbours, strict=True):
        for rank, near in enumerate(own):
            texts = (_short(near.source), _short(near.target))
            rows.append(("" if rank else token, near.token, *texts, f"{near.distance:.3g}"))
    columns = ("token", "went on with", "source", "target", "distance")
    return render_table(found.output, columns, rows, texts=4)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
