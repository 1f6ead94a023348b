"""`transduce shrink` without a type: the smallest form that loses nothing measurable on dev."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

import transduce.ladder.choosing_weights as choosing
from command_line import call
from reversal_run import Run
from small_runs import words
from transduce.errors import ConfigError, ModelError
from transduce.evaluation.compare import Estimate, Significance
from transduce.ladder.choosing_weights import choose_weights, worse
from transduce.reading.pair_files import Example
from transduce.workflow.shrinking import shrink
from transduce.workflow.trained import TrainedModel


@pytest.fixture(scope="module")
def trained(run: Run) -> TrainedModel:
    return TrainedModel.load(run.folder, "cpu")


@pytest.fixture(scope="module")
def examples() -> dict[str, list[Example]]:
    short = [text for text in words(5, 200) if len(text) < 4]
    return {"": [Example(text, (text[::-1],)) for text in short[:60]]}


def test_the_smallest_that_is_not_worse_is_taken(
    trained: TrainedModel, examples: dict[str, list[Example]], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = choosing.shrink

    def spoilt(model: TrainedModel, number: str) -> TrainedModel:
        smaller = real(model, number)  # type: ignore[arg-type]
        if number == "int4":  # writes another length
            search = smaller.config.search.model_copy(update={"max_length": 1})
            smaller.config = smaller.config.model_copy(update={"search": search})
        return smaller

    monkeypatch.setattr(choosing, "shrink", spoilt)
    found = choose_weights(trained, examples, 60)
    assert [form.name for form in found.forms] == ["float32", "bfloat16", "int8", "int4"]
    assert [form.verdict for form in found.forms[1:]] == [
        "no measurable loss",
        "no measurable loss",
        "measurably worse",
    ]
    assert found.model is not None
    assert found.model.config.weights == "int8"
    sizes = [form.bytes or 0 for form in found.forms]
    assert sizes == sorted(sizes, reverse=True)
    assert "measurably worse" in found.table()
    assert json.loads(json.dumps(found.to_dict()))["forms"][3]["verdict"] == "measurably worse"


def test_what_there_is_no_time_for_is_not_tried(
    trained: TrainedModel, examples: dict[str, list[Example]]
) -> None:
    ticks = itertools.count(0, 10)  # ten seconds at each look
    found = choose_weights(trained, examples, 1, clock=lambda: float(next(ticks)))
    assert [form.verdict for form in found.forms[2:]] == ["not tried: no minutes left"] * 2
    assert "not tried" in found.table()


@pytest.mark.parametrize("spoilt", [False, True])
def test_fewer_weights_come_last(
    trained: TrainedModel, examples: dict[str, list[Example]], spoilt: bool
) -> None:
    given: list[float] = []

    def fewer(minutes: float) -> TrainedModel:
        given.append(minutes)
        most = trained.config.search.model_copy(update={"max_length": 1})
        config = trained.config.model_copy(update={"search": most} if spoilt else {})
        return TrainedModel(config, trained.source, trained.target_tokenizer, trained.model)

    found = choose_weights(trained, examples, 60, fewer=fewer)
    assert 50 < given[0] < 60
    assert found.model is not None
    last = found.forms[-1]
    assert last.name == f"pruned, {found.model.config.weights}"
    assert last.verdict == ("measurably worse" if spoilt else "no measurable loss")
    assert (found.model is last.model) is not spoilt


def test_why_no_weights_were_removed_is_said(
    trained: TrainedModel, examples: dict[str, list[Example]]
) -> None:
    def fewer(minutes: float) -> TrainedModel:
        raise ConfigError("there is nothing to prune")

    found = choose_weights(trained, examples, 60, fewer=fewer)
    assert found.forms[-1].verdict == "not tried: there is nothing to prune"
    assert found.model is not None
    short = choose_weights(trained, examples, 1, fewer=fewer)
    assert short.forms[-1].verdict == "not tried: no minutes left"


def test_a_shrunk_model_is_refused(
    trained: TrainedModel, examples: dict[str, list[Example]]
) -> None:
    with pytest.raises(ModelError, match="must have float32 weights to be shrunk; got int8"):
        choose_weights(shrink(trained, "int8"), examples, 1)


@pytest.mark.parametrize(
    ("difference", "p", "metric", "expected"),
    [
        (-1.0, 0.01, "bleu", True),
        (-1.0, 0.2, "bleu", False),
        (1.0, 0.01, "bleu", False),
        (1.0, 0.01, "wer", True),
        (-1.0, 0.01, "wer", False),
    ],
)
def test_worse_is_by_the_metrics_direction(
    difference: float, p: float, metric: str, expected: bool
) -> None:
    found = Estimate(30.0, 29.0, 31.0, Significance(difference, p, 0.5))
    assert worse(found, metric) is expected


def test_the_command(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small"
    assert call(monkeypatch, "shrink", run.folder, "-o", out) == 2
    assert "dev data must have at least 50 sources" in capsys.readouterr().err
    monkeypatch.setattr(choosing, "_FEWEST", 5)
    monkeypatch.setattr(choosing, "_TO_LEARN", 0.01)
    assert call(monkeypatch, "shrink", run.folder, "-o", out, "--minutes", 0.2) == 0
    said = capsys.readouterr().out
    assert "no measurable loss" in said
    assert "bytes a weight" in said
    small = TrainedModel.load(out)
    assert small.config.weights != "float32"
    forms = small.report["shrinking"]["forms"]
    assert len(forms) == 5
    assert forms[-1]["weights"].startswith("pruned, ")
    assert not (out / "training").exists()
    for given in (["--minutes", 0], ["--minutes", 1, "--weights", "int8"]):
        assert call(monkeypatch, "shrink", run.folder, "-o", tmp_path / "no", *given) == 2
        assert "--minutes must be" in capsys.readouterr().err
