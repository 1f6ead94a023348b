from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from transduce.drawing.panels import SheetEntry, draw_contact_sheet, draw_picture_attention
from transduce.errors import DataError

PAPER = np.full((16, 32), 255, np.uint8)


def redness(path: Path) -> np.ndarray:
    """How much redder than blue each pixel is, below the key of colours."""
    pixels = imread(path)[60:]
    return np.clip(pixels[..., 0] - pixels[..., 2], 0, 1)


def centre(values: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(values.shape)
    return np.array([(values * rows).sum(), (values * columns).sum()]) / values.sum()


def attention(*cells: tuple[int, int], rows: int = 2, columns: int = 4) -> np.ndarray:
    """All weight at one cell, a symbol each."""
    weights = np.zeros((len(cells), rows, columns))
    for symbol, cell in enumerate(cells):
        weights[symbol][cell] = 1.0
    return weights


def test_weights_lie_where_their_cell_is(tmp_path: Path) -> None:
    places = {}
    for cell in ((0, 0), (0, 3), (1, 0)):
        draw_picture_attention(attention(cell), PAPER, ["a"], tmp_path / "a.png", cell_width=8)
        places[cell] = centre(redness(tmp_path / "a.png"))
    across, down = places[0, 3] - places[0, 0], places[1, 0] - places[0, 0]
    panel = np.sqrt(1.6 * 2) * 150  # pixels across: 1.6 square inches, twice as wide as high
    np.testing.assert_allclose(across, [0, panel * 3 / 4], atol=2)
    np.testing.assert_allclose(down, [panel / 2 / 2, 0], atol=2)


def test_a_last_column_beyond_the_picture_is_cut_there(tmp_path: Path) -> None:
    areas = {}
    for column in (0, 2):  # columns of 12 pixels: the third has 8 of the 32
        weights = attention((0, column), rows=1, columns=3)
        draw_picture_attention(weights, PAPER, ["a"], tmp_path / "a.png", cell_width=12)
        areas[column] = (redness(tmp_path / "a.png") > 0.1).sum()
    assert areas[2] / areas[0] == pytest.approx(8 / 12, abs=0.05)


def test_all_panels_have_one_scale(tmp_path: Path) -> None:
    weights = attention((0, 0), (0, 0))
    weights[1] = 1 / 8  # looks everywhere
    draw_picture_attention(weights, PAPER, ["a", "b"], tmp_path / "a.png", cell_width=8)
    red = redness(tmp_path / "a.png")
    half = red.shape[1] // 2
    assert red[:, :half].max() / red[:, half:].max() == pytest.approx(8**0.5, rel=0.1)


def test_the_scale_ends_at_one_whatever_is_drawn(tmp_path: Path) -> None:
    shown = []
    for weight in (0.25, 1.0):
        weights = np.full((1, 1, 4), weight)
        draw_picture_attention(weights, PAPER, ["a"], tmp_path / "a.png", cell_width=8)
        shown.append(redness(tmp_path / "a.png").max())
    assert shown[0] / shown[1] == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize("count", [1, 9, 120])
@pytest.mark.parametrize("shape", [(16, 32), (16, 600), (200, 8, 3), (1, 1, 1)])
def test_any_size(tmp_path: Path, count: int, shape: tuple[int, ...]) -> None:
    if count == 120 and shape != (16, 600):
        return  # one large one is enough
    weights = np.full((count, 1, -(-shape[1] // 8)), 0.1)
    path = tmp_path / "a.png"
    picture = np.zeros(shape, np.uint8)
    symbols = ["ა", "$x$", "<eos>"] * 40
    draw_picture_attention(weights, picture, symbols[:count], path, cell_width=8, title="我 $x$")
    height, width = imread(path).shape[:2]
    assert 60 <= height <= 24.2 * 150
    assert 400 <= width <= 24.2 * 150


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones((2, 3)), r"with 1 output symbols, none of them 0; got \[2, 3\]"),
        (np.ones((2, 1, 3)), r"with 1 output symbols, none of them 0; got \[2, 1, 3\]"),
        (np.ones((1, 0, 3)), r"got \[1, 0, 3\]"),
        (np.full((1, 1, 3), np.nan), "must be finite numbers"),
    ],
)
def test_weights_that_do_not_fit(tmp_path: Path, weights: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        draw_picture_attention(weights, PAPER, ["a"], tmp_path / "a.png", cell_width=8)
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- the contact sheet


def entry(output: str, *references: str) -> SheetEntry:
    return SheetEntry(np.full((20, 20, 3), 200, np.uint8), output, references)


def test_what_is_right_is_blue_and_what_is_wrong_is_red(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    draw_contact_sheet([("best", [entry("a frog", "a toad", "a frog")])], path)
    assert redness(path).max() < 0.1
    draw_contact_sheet([("worst", [entry("a frog", "a toad")])], path)
    assert redness(path).max() > 0.4
    draw_contact_sheet([("outputs", [entry("a frog")])], path)  # nobody knows
    assert redness(path).max() < 0.1


def test_a_sheet_grows_with_its_pictures_and_groups(tmp_path: Path) -> None:
    heights = []
    for best, worst in ((1, 0), (30, 0), (30, 1)):
        groups = [("best", [entry("a", "b")] * best), ("worst", [entry("a", "b")] * worst)]
        draw_contact_sheet(groups, tmp_path / "a.png")
        heights.append(imread(tmp_path / "a.png").shape[0])
    assert heights[0] < heights[1] < heights[2]


def test_long_and_empty_outputs_of_any_script(tmp_path: Path) -> None:
    entries = [entry("", "青蛙。"), entry("word " * 200, "x" * 500), entry("$\\no$ \n b", "ა")]
    draw_contact_sheet([("worst", entries)], tmp_path / "a.png")
    assert imread(tmp_path / "a.png").std() > 0.01


def test_pictures_of_other_shapes_keep_them(tmp_path: Path) -> None:
    black = [SheetEntry(np.zeros((h, w), np.uint8), "a") for h, w in ((10, 40), (40, 10), (20, 20))]
    draw_contact_sheet([("best", black)], tmp_path / "a.png")
    dark = imread(tmp_path / "a.png")[..., :3].max(axis=2) < 0.05
    panel = 1.6 * 150**2  # pixels; the first two have a quarter of theirs each
    assert dark.sum() == pytest.approx(1.5 * panel, rel=0.03)


def test_an_empty_sheet(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at least one picture; got none"):
        draw_contact_sheet([("best", [])], tmp_path / "a.png")


def test_a_sheet_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="picture must be a writable file; got No such file"):
        draw_contact_sheet([("best", [entry("a")])], tmp_path / "missing" / "a.png")
