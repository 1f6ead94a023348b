from __future__ import annotations

import pytest

from transduce.errors import TrainingError
from transduce.training.selection import Selection


def offered(metric: str, values: list[float], patience: int | None = None) -> Selection:
    selection = Selection(metric, patience)
    for step, value in enumerate(values):
        selection.offer(step, {metric: value})
    return selection


@pytest.mark.parametrize("metric", ["loss", "perplexity", "wer", "cer", "per", "ter"])
def test_lower_is_better_for_losses_and_error_rates(metric: str) -> None:
    assert offered(metric, [3.0, 2.0, 2.5]).step == 1


@pytest.mark.parametrize("metric", ["exact_match", "bleu", "chrf", "rougeL", "token_accuracy"])
def test_higher_is_better_for_the_others(metric: str) -> None:
    assert offered(metric, [3.0, 2.0, 2.5]).step == 0


def test_a_tie_is_not_better() -> None:
    selection = offered("loss", [2.0, 2.0])
    assert (selection.step, selection.misses) == (0, 1)


def test_of_equal_scores_the_lower_loss_is_better() -> None:
    """All outputs wrong at each scoring: the last model is not the first one."""
    selection = Selection("exact_match", patience=2)
    for step, loss in enumerate([4.0, 3.0, 2.0, 2.5, 2.0]):
        selection.offer(step, {"exact_match": 0.0, "loss": loss})
    assert (selection.step, selection.metrics["loss"]) == (2, 2.0)
    assert selection.misses == 2
    assert selection.offer(5, {"exact_match": 1.0, "loss": 9.0})


def test_patience_counts_misses_in_a_row() -> None:
    assert not offered("loss", [3.0, 4.0, 2.0, 4.0], patience=2).exhausted
    assert offered("loss", [3.0, 4.0, 2.0, 4.0, 5.0], patience=2).exhausted
    assert not offered("loss", [3.0] * 100).exhausted


def test_not_a_number_is_never_the_best() -> None:
    selection = offered("loss", [float("nan"), 2.0, float("nan")])
    assert (selection.step, selection.metrics, selection.misses) == (1, {"loss": 2.0}, 1)


def test_unknown_metric_names_those_there_are() -> None:
    with pytest.raises(TrainingError, match=r"metric must be one of loss, bleu; got 'blue'"):
        Selection("blue").offer(1, {"loss": 1.0, "bleu": 2.0})


def test_nothing_to_score_is_an_error() -> None:
    with pytest.raises(TrainingError, match="dev must hold at least one pair"):
        Selection("loss").offer(1, {})
