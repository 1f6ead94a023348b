"""What is longer than a model's positions is told by the doctor, as training would refuse it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from transduce.checks.beyond_positions import Positions
from transduce.checks.doctor import CheckReport, examine
from transduce.commands.check import check
from transduce.config import Config, DataConfig
from transduce.errors import DataError
from transduce.transducer import Transducer

TRAIN = [("abc", "x y"), ("a" * 7, "x y"), ("a" * 8, "x y"), ("ab", "x " * 9)]
DEV = [("abc", "x " * 8), ("c" * 8, "x"), ("b" * 20, "y")]
STACK = {"positions": "learned", "max_positions": 8}
MODEL = {"preset": "transformer-tiny", "encoder": STACK, "decoder": STACK}


def recipe(folder: Path, **options: Any) -> Config:
    for name, pairs in (("train", TRAIN), ("dev", DEV)):
        lines = "".join(f"{source}\t{target}\n" for source, target in pairs)
        (folder / f"{name}.tsv").write_text(lines)
    files = {name: str(folder / f"{name}.tsv") for name in ("train", "dev")}
    sections = {"data": files, "tokenizer": {"target": {"kind": "whitespace"}}, "model": MODEL}
    return Config.from_mapping(sections).updated(options)


def counts(report: CheckReport, split: str) -> tuple[int, int]:
    found = report.splits[split].findings
    names = (f"{side} longer than the model's positions" for side in ("sources", "targets"))
    return tuple(found[name] for name in names)  # type: ignore[return-value]


def test_longer_ones_are_counted_with_their_end(tmp_path: Path) -> None:
    config = recipe(tmp_path)
    report = examine(config.data, config, Positions(8, 8))
    assert counts(report, "train") == (1, 1)
    assert counts(report, "dev") == (2, 1)
    [shown] = report.splits["train"].examples["sources longer than the model's positions"]
    assert "train.tsv, line 3: aaaaaaaa" in shown
    said = report.render()
    for line in (
        "train has 1 sources that are longer than the 8 positions of model.encoder "
        "(max_positions): training refuses them, data.max_source_length=8 leaves them out",
        "train has 1 targets that are longer than the 8 positions of model.decoder "
        "(max_positions): training refuses them, data.max_target_length=8 leaves them out",
        "dev has 2 sources that are longer than the 8 positions of model.encoder "
        "(max_positions): scores are without them",
        "dev has 1 targets that are longer than the 8 positions of model.decoder "
        "(max_positions): losses are without them",
    ):
        assert f"warning: {line}" in said


def test_what_is_shortened_is_not_counted(tmp_path: Path) -> None:
    options = {"data.max_source_length": 8, "data.max_target_length": 5}
    config = recipe(tmp_path, **options, **{"search.max_source_length": 8})
    report = examine(config.data, config, Positions(8, 8))
    assert counts(report, "train") == (0, 0)
    assert counts(report, "dev") == (0, 1)


@pytest.mark.parametrize(
    ("kind", "source", "beyond"),
    [
        ("character", "é" * 7, 0),
        ("character", "e\u0301" * 7, 1),
        ("byte", "é" * 7, 1),
        ("bpe", "a" * 20, 0),  # one piece, for all that is known
        ("bpe", "a " * 8, 1),
        ("unigram", "⟪tag⟫" * 8, 1),
        ("character", "⟪tag⟫ab", 0),
    ],
)
def test_only_what_is_certain_is_told(tmp_path: Path, kind: str, source: str, beyond: int) -> None:
    (tmp_path / "a.tsv").write_text(f"{source}\tx\n")
    config = Config().updated(
        {"data.train": str(tmp_path / "a.tsv"), "tokenizer.source.kind": kind}
    )
    assert counts(examine(config.data, config, Positions(8, 8)), "train") == (beyond, 0)


def test_normalization_counts(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("e\u0301" * 7 + "\tx\n")
    options = {"data.train": str(tmp_path / "a.tsv"), "tokenizer.source.normalization": "nfc"}
    config = Config().updated(options)
    assert counts(examine(config.data, config, Positions(8, 8)), "train") == (0, 0)


def test_a_model_without_a_limit_has_no_such_finding(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a\tx\n")
    report = examine(DataConfig(train=str(tmp_path / "a.tsv")))
    assert not [name for name in report.splits["train"].findings if "positions" in name]


def test_the_command_asks_the_recipe_s_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "recipe.yaml").write_text(recipe(tmp_path).to_yaml())
    check([str(tmp_path / "recipe.yaml")])
    assert "longer than the 8 positions of model.encoder" in capsys.readouterr().out
    sources, targets = zip(*TRAIN, strict=True)
    options = {"tokenizer.target.kind": "whitespace"}
    model = Transducer(MODEL, max_steps=1, options=options, verbose=0)
    with pytest.raises(DataError, match=r"at most 8 .* got one of 9: data.max_source_length"):
        model.fit(sources, targets, dev=(sources, targets))
