"""Measuring: references, Unicode forms, options, prediction that knows no neighbours."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from reversal_run import Run
from small_runs import tiny, train_tiny, words, write_reversals
from transduce.config import Config, SearchConfig
from transduce.errors import ConfigError, DataError, ModelError, SearchError
from transduce.reading.pair_files import Example
from transduce.workflow.evaluate import DevScorer, evaluate, normalizer, score_outputs
from transduce.workflow.predicting.predictor import Output
from transduce.workflow.trained import TrainedModel


def outputs_of(*texts: str) -> list[Output]:
    return [Output(text, tuple(text), 0.0, 0.0, ()) for text in texts]


def with_form(form: str) -> Config:
    return Config.from_mapping({"tokenizer": {"target": {"normalization": form}}})


def exact(form: str, output: str, references: Sequence[str]) -> float:
    scores = score_outputs(
        with_form(form), [Example("s", tuple(references))], outputs_of(output), ["exact_match"]
    )
    return scores.values["exact_match"]


def test_any_reference_counts(run: Run) -> None:
    trained = TrainedModel.load(run.folder)
    examples = [Example("abc", ("x", "cba")), Example("ab", ("x", "y"))]
    evaluation = evaluate(trained, examples, worst=1)
    assert evaluation.report.metrics["exact_match"] == 50.0
    assert evaluation.report.counts["references"] == 4
    assert evaluation.report.worst[0].source == "ab"


@pytest.mark.parametrize("form", ["nfc", "nfd"])
def test_the_same_letters_in_other_code_points_are_no_fault(form: str) -> None:
    composed, decomposed = "\u00e9", "e\u0301"
    assert exact(form, decomposed, [composed]) == 100.0
    assert exact(form, composed, [decomposed]) == 100.0
    assert exact("none", decomposed, [composed]) == 0.0


def test_only_nfkc_joins_compatible_letters() -> None:
    assert exact("nfkc", "1", ["①"]) == 100.0
    assert exact("nfc", "1", ["①"]) == 0.0


def test_systems_are_compared_in_the_coarsest_form() -> None:
    text = "e\u0301①"
    assert normalizer([with_form("none")])(text) == text
    assert normalizer([with_form("none"), with_form("nfd")])(text) == "é①"
    assert normalizer([with_form("nfd"), with_form("nfkc")])(text) == "é1"
    shared = Config.from_mapping(
        {"tokenizer": {"shared": True, "source": {"normalization": "nfd"}}}
    )
    assert normalizer([shared])(text) == unicodedata.normalize("NFC", text)


def test_metrics_of_the_model_alone_need_no_worst_cases(run: Run) -> None:
    trained = TrainedModel.load(run.folder)
    trained.config = trained.config.updated({"evaluation.metrics": ["loss", "perplexity"]})
    metrics = evaluate(trained, [Example("ab", ("ba",))]).report.metrics
    assert metrics.keys() >= {"loss", "perplexity"}
    assert "exact_match" not in metrics


def test_an_empty_test_set(run: Run) -> None:
    with pytest.raises(DataError, match="test set must hold at least one pair; got none"):
        evaluate(TrainedModel.load(run.folder), [])


def test_dev_scoring_sees_the_dev_set_from_end_to_end(run: Run) -> None:
    trained = TrainedModel.load(run.folder)
    trained.config = trained.config.updated({"training.dev_sentences": 2})
    examples = [Example(text, (text[::-1],)) for text in ("a", "ab", "abc", "b")]
    scorer = DevScorer(trained, examples)
    assert [example.source for example in scorer.examples] == ["a", "abc"]
    assert sum(len(batch.indices) for batch in scorer.batches) == 4  # loss on all of them


# ---------------------------------------------------------------- prediction


@pytest.mark.parametrize("window", [1, 2, 100])
def test_samples_depend_neither_on_window_nor_on_neighbours(run: Run, window: int) -> None:
    trained = TrainedModel.load(run.folder)
    options = SearchConfig(sample=True, temperature=3.0, max_length=6, nbest=2)
    sources = ["abc", "", "d", "abc", "  ", "bb", "ca"]
    expected = [[o.text for o in found] for found in trained.predict(sources, options)]
    found = trained.predict(sources, options, window=window)
    assert [[o.text for o in outputs] for outputs in found] == expected
    assert expected[1] == expected[4] == [""]
    assert expected[0] != expected[3]  # drawn apart, though the same source


def test_predict_reads_no_further_than_its_window(run: Run) -> None:
    trained = TrainedModel.load(run.folder)
    read: list[str] = []

    def sources() -> Iterator[str]:
        for text in ("ab", "ba", "c"):
            read.append(text)
            yield text

    answers = trained.predict(sources(), trained.config.search, window=1)
    assert next(answers)[0].text == "ba"
    assert read == ["ab"]


def test_an_ensemble_of_one_model_twice_is_that_model(run: Run) -> None:
    trained, twin = TrainedModel.load(run.folder), TrainedModel.load(run.folder)
    options = trained.config.search.model_copy(update={"beam": 3, "nbest": 3})
    both = TrainedModel.ensemble([trained, twin]).predict(["abc", "", "da"], options)
    alone = trained.predict(["abc", "", "da"], options)
    for ours, theirs in zip(both, alone, strict=True):
        assert [o.text for o in ours] == [o.text for o in theirs]
        assert [o.score for o in ours] == pytest.approx([o.score for o in theirs], abs=1e-5)


def test_an_ensemble_averages_probabilities(run: Run) -> None:
    trained = TrainedModel.load(run.folder)
    weak = TrainedModel.fresh(trained.config, trained.source_tokenizer, trained.target_tokenizer)
    # with a prefix the first token is the same for all
    options = trained.config.search.model_copy(update={"prefix": "a", "max_length": 1})
    [[good]] = trained.predict(["ca"], options)
    [[poor]] = weak.predict(["ca"], options)
    [[both]] = TrainedModel.ensemble([trained, weak]).predict(["ca"], options)
    good_one, poor_one, mean = (math.exp(found.token_scores[0]) for found in (good, poor, both))
    assert good_one > 2 * poor_one
    assert mean == pytest.approx((good_one + poor_one) / 2, rel=1e-4)


def test_an_ensemble_needs_one_vocabulary(run: Run, tmp_path: Path) -> None:
    trained = TrainedModel.load(run.folder)
    train = write_reversals(tmp_path / "t.tsv", [f"{word}z" for word in words(1, 30)])
    other, _ = train_tiny(tiny({"train": train, "dev_fraction": 0.3}, steps=1), tmp_path / "run")
    with pytest.raises(
        ModelError, match="share their source tokenizer; got another one in model 2"
    ):
        TrainedModel.ensemble([trained, other])
    other.source = trained.source
    with pytest.raises(
        ModelError, match="share their target tokenizer; got another one in model 2"
    ):
        TrainedModel.ensemble([trained, other])
    with pytest.raises(SearchError, match="at least one model"):
        TrainedModel.ensemble([])


def test_a_metric_that_is_not_measured_is_refused(run: Run) -> None:
    trained = TrainedModel.load(run.folder)
    trained.config = trained.config.updated({"training.metric": "bleu"})
    with pytest.raises(ConfigError, match=r"training\.metric must be one of loss, .*; got 'bleu'"):
        DevScorer(trained, [Example("ab", ("ba",))])
