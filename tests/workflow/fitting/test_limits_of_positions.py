"""Learned positions: what a model has none for is found before training, not at a scoring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from small_runs import tiny, train_tiny, write_lines, write_reversals
from transduce.config import Config
from transduce.errors import DataError, SearchError

TEXTS = ["ab", "abc", "dca", "bd", "cab", "dd", "bca", "ac"] * 3
LONG = "abcdabcdab"  # 11 with its end
SAID = "as many as model.{} learns positions for"


def recipe(folder: Path, dev: list[str], **sections: Any) -> Config:
    stack = {"kind": "transformer", "layers": 1, "width": 16, "feedforward": 16, "heads": 2}
    learned = {**stack, "positions": "learned", "max_positions": 9, "dropout": 0.0}
    data = {
        "train": write_reversals(folder / "train.tsv", TEXTS),
        "dev": write_lines(folder / "dev.tsv", dev),
    }
    model = {"encoder": learned, "decoder": learned}
    return tiny(data, model=model, **{"search": {"max_length": 256}, **sections})


def test_dev_pairs_beyond_them_are_left_out_and_told(tmp_path: Path, caplog: Any) -> None:
    config = recipe(tmp_path, ["abd\tdba", f"{LONG}\tba", f"ab\t{LONG}"])
    trained, _ = train_tiny(config, tmp_path / "run")
    assert "losses are without 2 of 3 pairs, which are longer than the model's positions" in (
        caplog.text
    )
    # outputs end with the positions, each long source is answered for by itself
    [short], [long] = trained.predict(["abd", LONG], config.search, keep_going=True)
    assert len(short.tokens) <= 8
    assert not short.error
    assert "source must have at most 9 tokens" in long.error


def test_of_only_such_nothing_can_be_scored(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="pairs to score on must hold one that the model has"):
        train_tiny(recipe(tmp_path, [f"{LONG}\tba"]), tmp_path / "run")
    assert not (tmp_path / "run" / "log.jsonl").exists()


@pytest.mark.parametrize(
    ("pair", "stack"), [(f"{LONG}\tba", "encoder"), (f"ab\t{LONG}", "decoder")]
)
def test_pairs_to_learn_from_are_refused_before(tmp_path: Path, pair: str, stack: str) -> None:
    config = recipe(tmp_path, ["abd\tdba"])
    with (tmp_path / "train.tsv").open("a") as file:
        file.write(f"{pair}\n")
    with pytest.raises(DataError, match=SAID.format(stack)):
        train_tiny(config, tmp_path / "run")
    side = "source" if stack == "encoder" else "target"
    limited = config.updated({f"data.max_{side}_length": 9})
    train_tiny(limited, tmp_path / "limited")


@pytest.mark.parametrize(
    ("search", "model", "message"),
    [
        ({"ctc_weight": 0.3}, {}, "ctc_weight must be 0 for a model without model.ctc"),
        (
            {"coverage_penalty": 0.3},
            {"encoder": {"kind": "gru", "width": 8}, "decoder": {"kind": "gru", "width": 8,
             "attention": "none"}},
            "coverage_penalty must be 0 for a model without attention",
        ),
        ({"required": ["a" * 20]}, {}, "required phrase must have at most max_length"),
    ],
    ids=["ctc", "coverage", "required"],
)  # fmt: skip
def test_a_search_that_the_model_cannot_make_is_refused_before(
    tmp_path: Path, search: dict[str, Any], model: dict[str, Any], message: str
) -> None:
    config = recipe(tmp_path, ["abd\tdba"], search={"max_length": 6, **search})
    if model:
        config = tiny(
            {"train": tmp_path / "train.tsv", "dev": tmp_path / "dev.tsv"},
            model=model,
            search={"max_length": 6, **search},
        )
    with pytest.raises(SearchError, match=message):
        train_tiny(config, tmp_path / "run")
    assert not (tmp_path / "run" / "log.jsonl").exists()
