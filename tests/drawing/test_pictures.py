"""Pictures are drawn for symbols of any script, without a warning, whole or not at all."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.image import imread

from transduce.drawing.attention_matrix import draw_attention
from transduce.drawing.labels import readable, with_fonts
from transduce.drawing.speed import draw_quality_against_speed
from transduce.errors import DataError
from transduce.evaluation.compare import Comparison, ComparisonRow, Estimate

SCRIPTS = ["ა", "ʃ", "tɕ͈", "안", "我", "مر", "$x$", "$\\no$", " ", "\u0301", "\ue000", "<eos>"]


def uniform(rows: int, columns: int) -> np.ndarray:
    return np.full((rows, columns), 1.0 / columns)


def row(name: str, score: float, speed: float | None, size: int | None = None) -> ComparisonRow:
    scores = {"exact_match": Estimate(score, score - 2, score + 2), "wer": Estimate(9, 8, 10)}
    return ComparisonRow(name, size, speed, speed, scores)


def comparison(*rows: ComparisonRow) -> Comparison:
    return Comparison(rows, ("exact_match", "wer"), 100, 1000, 1, 0.95, {})


def test_output_runs_down_and_source_runs_right(tmp_path: Path) -> None:
    places = {}
    for name, cell in {"last of source": (0, 3), "last of output": (2, 0)}.items():
        weights = np.zeros((3, 4))
        weights[cell] = 1.0
        draw_attention(weights, list("abcd"), list("xyz"), tmp_path / "a.png")
        pixels = imread(tmp_path / "a.png")[:, :-150, :3]  # without the colour bar
        dark = (pixels[..., 0] < 0.1) & (pixels[..., 2] > 0.35)  # the darkest of the blues
        places[name] = np.argwhere(dark).mean(axis=0)
    (first_y, first_x), (second_y, second_x) = places.values()
    assert first_y < second_y - 50
    assert first_x > second_x + 50


def test_all_scripts_are_drawn_without_a_word(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "scripts.png"
    draw_attention(uniform(12, 12), SCRIPTS, SCRIPTS[::-1], path, title="我 → $\\alpha$ ა")
    assert imread(path).std() > 0.01
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 60), (60, 1), (60, 50)])
def test_any_size(tmp_path: Path, shape: tuple[int, int]) -> None:
    path = tmp_path / "a.png"
    draw_attention(uniform(*shape), ["w"] * shape[1], ["longer"] * shape[0], path)
    height, width = imread(path).shape[:2]
    assert 300 <= height <= 4500
    assert 400 <= width <= 4500


def test_symbols_without_a_glyph_become_their_code() -> None:
    (text, plain), families = with_fonts(["\U0010fffd", "ə"])
    assert (text, plain) == ("U+10FFFD", "ə")
    assert families[0] == "DejaVu Sans"


def test_another_font_is_taken_where_it_has_the_glyph(monkeypatch: pytest.MonkeyPatch) -> None:
    glyphs = {"DejaVu Sans": "abc", "Noto Sans CJK": "我你", "Other": "我ㄅ"}
    monkeypatch.setattr(
        "transduce.drawing.labels._glyphs", lambda family: frozenset(glyphs[family])
    )
    monkeypatch.setattr("transduce.drawing.labels._others", lambda: ("Noto Sans CJK", "Other"))
    assert with_fonts(["我a"]) == (["我a"], ["DejaVu Sans", "Noto Sans CJK"])
    assert with_fonts(["我ㄅ"])[1] == ["DejaVu Sans", "Noto Sans CJK", "Other"]
    assert with_fonts(["a"])[1] == ["DejaVu Sans"]
    assert with_fonts(["我X"])[0] == ["我U+0058"]


def test_a_font_file_that_cannot_be_read_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    entry = font_manager.FontEntry(fname=str(broken), name="Broken Sans")
    monkeypatch.setattr(
        font_manager.fontManager, "ttflist", [*font_manager.fontManager.ttflist, entry]
    )
    monkeypatch.setattr("transduce.drawing.labels._others", lambda: ("Broken Sans",))
    assert with_fonts(["\U0010fffc"])[0] == ["U+10FFFC"]


@pytest.mark.parametrize(
    ("symbol", "label"),
    [
        (" ", "␣"),
        ("a b", "a␣b"),
        ("\u0301", "◌\u0301"),
        ("e\u0301", "e\u0301"),
        ("\n", "U+000A"),
        ("\u200b", "U+200B"),
        ("x" * 40, "x" * 23 + "…"),
        ("", ""),
    ],
)
def test_labels_can_be_seen(symbol: str, label: str) -> None:
    assert readable(symbol) == label


def test_log_level_is_as_before(tmp_path: Path) -> None:
    before = logging.getLogger("matplotlib").level
    draw_attention(uniform(1, 1), ["a"], ["b"], tmp_path / "a.png")
    assert logging.getLogger("matplotlib").level == before


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (uniform(2, 3), r"= \[2, 2\], none of them 0; got \[2, 3\]"),
        (np.ones(2), r"= \[2, 2\], none of them 0; got \[2\]"),
        (np.array([[1.0, np.nan], [0.0, 1.0]]), "must be finite numbers"),
    ],
)
def test_weights_that_do_not_fit(tmp_path: Path, weights: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        draw_attention(weights, ["a", "b"], ["x", "y"], tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of them 0"):
        draw_attention(np.ones((0, 1)), ["a"], [], tmp_path / "a.png")


def test_quality_against_speed(tmp_path: Path) -> None:
    path = tmp_path / "s.png"
    rows = (
        row("first $x$", 70, 1000.0, 1_200_000),
        row("我", 72, 900.0, 999),
        row("slow", 80, 10.0, 3_000_000_000),
        row("unmeasured", 50, None),
    )
    draw_quality_against_speed(comparison(*rows), path)
    first = path.read_bytes()
    draw_quality_against_speed(comparison(*rows), path, metric="wer")
    assert first != path.read_bytes()
    assert first.startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == [path]


def test_one_system_alone(tmp_path: Path) -> None:
    draw_quality_against_speed(comparison(row("only", 70, 5.0)), tmp_path / "s.png")
    assert (tmp_path / "s.png").stat().st_size > 1000


def test_unknown_metric_or_speed(tmp_path: Path) -> None:
    path = tmp_path / "s.png"
    with pytest.raises(DataError, match="must be among exact_match, wer; got bleu"):
        draw_quality_against_speed(comparison(row("a", 70, 5.0)), path, metric="bleu")
    with pytest.raises(DataError, match="must be known of at least one system; got none"):
        draw_quality_against_speed(comparison(row("a", 70, None)), path)


def test_a_picture_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "a.png"
    with pytest.raises(DataError, match=r"a\.png: picture must be a writable file; got No such"):
        draw_attention(uniform(1, 1), ["a"], ["b"], path)


def test_a_failed_write_leaves_the_old_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def full(_: Path, __: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError, match="got No space left on device"):
        draw_attention(uniform(1, 1), ["a"], ["b"], path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
