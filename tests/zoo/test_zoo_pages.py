"""The zoo of the repository: its rows are valid, and its pages are what results and rows give."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from benchmarks.zoo.pages import Pages
from benchmarks.zoo.results import read_results
from benchmarks.zoo.rows import Place, Row, Zoo
from zoo_files import ROWS, call_zoo, write_zoo

from transduce.config import load_config
from transduce.reference import find_recipe

ROOT = Path(__file__).parent.parent.parent
ZOO = Zoo.read(ROOT / "recipes" / "zoo.yaml")
PAGES = Pages(ROOT / "docs" / "zoo", ROOT / "recipes" / "README.md")
RESULTS = read_results(PAGES.results)


def commands(card: Path) -> list[list[str]]:
    """The words of the commands on a card."""
    blocks = re.findall(r"^```sh\n(.*?)^```", card.read_text(encoding="utf-8"), re.M | re.S)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines]


def test_pages_are_what_results_and_rows_give() -> None:
    """If not: python -m benchmarks.zoo --pages."""
    stale = [
        str(path)
        for path, text in PAGES.texts(ZOO)
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    assert stale == []


def test_results_are_of_the_keys_that_rows_have_now() -> None:
    rows = {row.name: row for row in ZOO.every_row()}
    assert [name for name, result in RESULTS.items() if not result.is_of(rows[name])] == []


def test_every_row_of_the_table_has_results_and_a_card_and_no_card_is_left_over() -> None:
    assert [row.name for row in ZOO.rows if row.shown and row.name not in RESULTS] == []
    cards = {path.stem for path in PAGES.cards.glob("*.md")} - {"README"}
    assert cards == {row.name for row in ZOO.rows if row.name in RESULTS}


@pytest.mark.parametrize("row", list(ZOO.every_row()), ids=lambda row: row.name)
def test_a_row_is_a_valid_recipe_that_measures_what_it_shows(row: Row) -> None:
    config = Place(Path("DATA"), Path("runs"), ROOT / "recipes" / "zoo.yaml").config(row)
    assert config.training.seed == row.seed
    if config.evaluation.metrics is not None:
        assert set(row.scores) <= set(config.evaluation.metrics)


@pytest.mark.parametrize("card", sorted(PAGES.cards.glob("[!R]*.md")), ids=lambda card: card.stem)
def test_the_commands_of_a_card_are_valid(card: Path) -> None:
    found = commands(card)
    train = next(words for words in found if words[:2] == ["transduce", "train"])
    recipe = find_recipe(train[2])
    assert recipe is not None
    load_config(recipe, [word for word in train[3:] if "=" in word])
    use = found[-1]
    assert use[:2] == ["transduce", "predict"] or "| transduce predict" in " ".join(use)
    assert f"runs/zoo/{card.stem}-int8" in use


def test_the_broken_baseline_is_told_as_such() -> None:
    table = PAGES.table.read_text(encoding="utf-8")
    assert "39.65 %, a run that went wrong" in table
    assert re.search(r"2022 tur, large.*\| 92.60 %", table)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "recipe: tiny.yaml",
            "recipe: tinny",
            "rows.reversal.recipe must be a recipe; got 'tinny'",
        ),
        ("data: [made]", "data: [mad]", "rows.reversal.data must name one of made; got 'mad'"),
        ("{exact_match: a", "{exact: a", "rows.reversal.scores must name one of loss"),
        ("[slow]", "[fast]", "rows.reversal.marks must name one of slow; got 'fast'"),
        ("[reversal]", "[student]", "rows.student.teachers must name one of reversal; got 'st"),
        (
            "begins_with: reversal",
            "begins_with: longer",
            "rows.longer.begins_with must name one of",
        ),
        ("name: student", "name: reversal", "rows.reversal must be there once; got it twice"),
        ("{train: words", "{trian: words", "rows.reversal.files must end in train, dev, test; got"),
        ("scores: {token", "scores: {} #", "rows.student.scores must name a metric"),
        ("published: 99", "publisht: 99", "rows.0.publisht must be a known key; did you mean pub"),
    ],
)
def test_wrong_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], before: str, after: str, message: str
) -> None:
    write_zoo(tmp_path, ROWS.replace(before, after, 1))
    assert call_zoo(tmp_path, "--pages") == 2
    assert f"error: {tmp_path}/zoo.yaml: {message}" in capsys.readouterr().err


def test_pages_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_zoo(tmp_path)
    (tmp_path / "table.md").write_text("No lines.\n")
    assert call_zoo(tmp_path, "--pages") == 2
    assert "table.md must have the lines <!-- written" in capsys.readouterr().err
    (tmp_path / "cards" / "results.json").write_text('{"gone": {"keys": []}}')
    assert call_zoo(tmp_path, "--pages") == 2
    assert (
        "results must be as written; gone.architecture: Field required" in capsys.readouterr().err
    )
    row = '{"gone": {"keys": [], "architecture": "", "parameters": 1}}'
    (tmp_path / "cards" / "results.json").write_text(row)
    assert call_zoo(tmp_path, "--pages") == 2
    assert "gone must be a row; got no row of that name" in capsys.readouterr().err
