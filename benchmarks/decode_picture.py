"""The picture of the first two tables of docs/measurements/speed.md, drawn anew from the page.

    python -m benchmarks.decode_picture

A measurement draws its own (``benchmarks.decode --plot``). The page keeps of older ones the medians
and how many times as fast Transduce was in each round, so the ranges here are those of the ratios,
from Transduce's median on.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from transduce.drawing.figures import save
from transduce.drawing.point_chart import Point, PointPanel, PointRow, points_figure

__all__ = ["draw", "main", "panels"]

_DOCS = Path(__file__).parents[1] / "docs"
_RATIO = re.compile(r"([\d,.]+) \(([\d.]+), ([\d.]+)–([\d.]+)\)")
_NOTE = (
    "Medians; the lines are from the smallest to the largest ratio to Transduce in five rounds.\n"
    "2 threads of AMD EPYC, avx2 avx512f avx512_vnni avx512_bf16"
)


def panels(page: str) -> list[PointPanel]:
    """One for each table whose columns are systems and whose rows are settings."""
    found = []
    for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in
                          table.splitlines()]  # fmt: skip
        if head[1] != "Transduce" or not _RATIO.fullmatch(rows[0][2]):
            continue
        shown = [PointRow(row[0], _points(head[1:], row[1:])) for row in rows]
        title = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", head[0])
        found.append(PointPanel(title, "tokens a second (further right is faster)", shown))
    return found


def _points(systems: list[str], cells: list[str]) -> list[Point]:
    own = float(cells[0].replace(",", ""))
    points = [Point(systems[0], own)]
    for system, cell in zip(systems[1:], cells[1:], strict=True):
        if (found := _RATIO.fullmatch(cell)) is None:
            raise ValueError(f"cell must be RATE (RATIO, LEAST–MOST); got {cell!r}")
        rate, _, least, most = (float(text.replace(",", "")) for text in found.groups())
        points.append(Point(system, rate, own / most, own / least))
    return points


def draw(path: Path) -> None:
    """PNG."""
    page = (_DOCS / "measurements" / "speed.md").read_text(encoding="utf-8")
    save(points_figure(panels(page)[:2], title="Decoding speed", note=_NOTE), path)


def main() -> None:
    """Into the docs, or where the first argument says."""
    draw(Path(sys.argv[1]) if sys.argv[1:] else _DOCS / "decode.png")


if __name__ == "__main__":
    main()
