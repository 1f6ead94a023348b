"""Lines, points and axes as all pictures have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks import decode_picture, decode_results, train_results
from benchmarks.decode_results import Spread
from benchmarks.train_protocol import Ready

from transduce.drawing import figures
from transduce.drawing.attention_matrix import attention_figure
from transduce.drawing.line_chart import Line, LinePanel, lines_figure
from transduce.drawing.point_chart import Point, PointPanel, PointRow, points_figure
from transduce.drawing.speed import speed_figure
from transduce.errors import DataError
from transduce.evaluation.compare import Comparison, ComparisonRow, Estimate


def marks(low: float, high: float) -> list[str]:
    drawn = figures.figure(6, 3)
    axes = drawn.add_subplot()
    figures.logarithmic(axes, low, high)
    drawn.draw_without_rendering()
    shown = axes.get_xticks()
    labels = [label.get_text() for label in axes.get_xticklabels()]
    return [t for t, value in zip(labels, shown, strict=True) if low <= value <= high]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (7, 120, ["10", "20", "50", "100"]),
        (900, 60_000, ["1,000", "2,000", "5,000", "10,000", "20,000", "50,000"]),
        (0.04, 0.6, ["0.05", "0.1", "0.2", "0.5"]),
        (3, 2_000_000, ["10", "100", "1,000", "10,000", "100,000", "1,000,000"]),
    ],
)
def test_marks_are_round_numbers(low: float, high: float, expected: list[str]) -> None:
    assert marks(low, high) == expected


def contrast(colour: str) -> float:
    """To white, by WCAG 2."""
    parts = np.array([int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return 1.05 / (float(linear @ [0.2126, 0.7152, 0.0722]) + 0.05)


def test_all_that_is_written_or_drawn_can_be_seen() -> None:
    assert contrast("#767676") == pytest.approx(4.54, abs=0.01)
    colours = {figures.INK, figures.SOFT, *(figures.series(n)[0] for n in range(6))}
    assert min(map(contrast, colours)) >= 4.5
    assert len({figures.series(n) for n in range(6)}) == 6


def test_lines_have_one_axis_a_key_and_a_title() -> None:
    losses = [Line("train", [(1, 3.0), (9, 1.0)], dense=True), Line("dev", [(9, 1.5)], series=1)]
    panels = [LinePanel("loss", losses), LinePanel("rate", [Line("", [(1, 0.1)]), Line("", [])])]
    drawn = lines_figure(panels, across="step", title="Training $x$")
    first, second = drawn.axes
    assert drawn.get_suptitle() == "Training $x$"
    assert [text.get_text() for text in first.get_legend().get_texts()] == ["train", "dev"]
    assert second.get_legend() is None
    assert (first.get_xlabel(), second.get_xlabel()) == ("", "step")
    assert [line.get_xdata().tolist() for line in first.lines] == [[1, 9], [9]]
    figures.png(drawn)


def test_rates_are_points_with_their_ranges_and_no_bars() -> None:
    rows = [PointRow("beam 4", [Point("ours", 200, 150, 260), Point("theirs", 20)], "10 times")]
    drawn = points_figure([PointPanel("large", "tokens a second", rows)], title="T", note="N")
    key, axes = drawn.axes
    assert [text.get_text() for text in key.get_legend().get_texts()] == ["ours", "theirs"]
    assert axes.get_xscale() == "log"
    assert axes.containers == []
    # a band behind the row, a range and a point of ours, a point of theirs
    assert [list(map(float, line.get_xdata())) for line in axes.lines] == [[150, 260], [200], [20]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["beam 4"]
    low, high = axes.get_xlim()
    assert low < 20 < 260 < high
    figures.png(drawn)


def test_benchmarks_are_drawn(tmp_path: Path) -> None:
    machine = {"processor": "some processor", "features": "avx2"}
    spread = Spread(100.0, 90.0, 120.0)
    decoded = [
        decode_results.Row("large", 2, beam, 32, system, spread, spread, 0.1, 0.2, 1.0)
        for beam in (1, 4)
        for system in ("ours auto", "ctranslate2 int8")
        if (beam, system) != (4, "ctranslate2 int8")  # a system may lack a setting
    ]
    decode_results.draw(tmp_path / "decode.png", decoded, machine)
    ready = Ready(1, {})
    trained = [
        train_results.Row("g2p", "words", 1, name, ready, [1.0], spread, [], ratio, [1.0], 5.0)
        for name, ratio in (("ours", None), ("theirs", spread))
    ]
    train_results.draw(tmp_path / "train.png", trained, machine)
    for name in ("decode.png", "train.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_the_picture_of_decoding_is_that_of_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "measurements" / "speed.md").read_text()
    large, trained = decode_picture.panels(page)[:2]
    assert trained.title == "translate-en-de, trained"
    assert [len(panel.rows) for panel in (large, trained)] == [4, 4]
    table = "| model | Transduce | theirs |\n|---|---:|---:|\n"
    table += "| greedy | 1,200 | 400 (3.00, 2.00–4.00) |\n"
    [panel] = decode_picture.panels(f"text\n\n{table}\n| a | b |\n|---|---|\n| c | d |\n")
    assert panel.rows == [
        PointRow("greedy", [Point("Transduce", 1200.0), Point("theirs", 400.0, 300.0, 600.0)])
    ]
    with pytest.raises(ValueError, match="cell must be RATE"):
        decode_picture.panels(table + "| beam 4 | 1,200 | 400 |\n")


def test_names_of_systems_stand_in_the_picture_apart_from_each_other() -> None:
    def row(name: str, score: float, speed: float) -> ComparisonRow:
        scores = {"exact_match": Estimate(score, score - 1, score + 1)}
        return ComparisonRow(name, None, speed, speed, scores)

    rows = tuple(row(f"runs/system-{n}", 70 + n / 10, 5000 + n) for n in range(9))
    drawn = speed_figure(Comparison(rows, ("exact_match",), 100, 1000, 1, 0.95, {}))
    drawn.draw_without_rendering()
    axes = drawn.axes[0]
    boxes = [text.get_window_extent() for text in axes.texts if text.get_text()]
    assert len(boxes) == 9
    area = axes.get_window_extent()
    for number, box in enumerate(boxes):
        assert area.x0 <= box.x0
        assert box.x1 <= area.x1
        assert not any(box.overlaps(other) for other in boxes[:number])


def test_weights_that_are_none_are_not_drawn() -> None:
    with pytest.raises(DataError, match=r"must be from 0 to 1; got 0.5 to 3"):
        attention_figure([[0.5, 3.0]], ["a", "b"], ["c"])
    with pytest.raises(DataError, match=r"must be from 0 to 1; got -0.5 to 0.5"):
        attention_figure([[0.5, -0.5]], ["a", "b"], ["c"])
