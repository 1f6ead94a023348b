"""Names, units and defaults of metrics, what holds for all of them, and errors."""

from __future__ import annotations

import math
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transduce.config import Config
from transduce.errors import ConfigError, DataError
from transduce.metrics.known import METRICS, metrics_for, model_metrics, values_of_model
from transduce.metrics.losses import LossTotals
from transduce.metrics.scores import score_texts

TEXT_METRICS = [name for name, metric in METRICS.items() if not metric.needs_model]
LETTERS = st.sampled_from("abcdefgh")
SENTENCE = st.lists(st.text(LETTERS, min_size=1, max_size=4), min_size=4, max_size=8).map(" ".join)


@settings(max_examples=25)
@given(st.lists(SENTENCE, min_size=1, max_size=4), st.booleans())
def test_perfect_output(texts: list[str], symbols: bool) -> None:
    scores = score_texts(texts, [[text] for text in texts], TEXT_METRICS, symbols=symbols)
    assert list(scores.values) == list(TEXT_METRICS)
    for name, value in scores.values.items():
        best = 0 if METRICS[name].lower_is_better else 100
        assert value == pytest.approx(best), name
        assert scores.statistics[name].by_sentence() == pytest.approx([best] * len(texts))


def test_output_with_nothing_right() -> None:
    scores = score_texts(["xx yy"], [["ab cd"]], TEXT_METRICS)
    for name, value in scores.values.items():
        worst = (
            80 if name == "cer" else 100 if METRICS[name].lower_is_better else 0
        )  # the space is right
        assert value == pytest.approx(worst), name


@settings(max_examples=20)
@given(st.lists(st.tuples(SENTENCE, SENTENCE), min_size=2, max_size=5), st.randoms())
def test_order_of_sentences_does_not_matter(pairs: list[tuple[str, str]], random: object) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = (
        score_texts([h for h, _ in order], [[r] for _, r in order], TEXT_METRICS).values
        for order in (pairs, shuffled)
    )
    assert first == pytest.approx(second)


def test_exact_match_takes_any_reference_and_no_other_space() -> None:
    hypotheses = ["a b", " c", "d  e", "f"]
    references = [["x", "a b"], ["c "], ["d e"], ["F"]]
    assert score_texts(hypotheses, references, ["exact_match"]).values == {"exact_match": 50}
    spaced = score_texts(hypotheses, references, ["exact_match"], symbols=True)
    assert spaced.values == {"exact_match": 75}


def test_counts_and_order_of_names() -> None:
    names = ["rouge1", "loss", "cer", "bleu", "cer", "token_accuracy"]
    scores = score_texts(["a", "b"], [["a"], ["b", "c"]], names)
    assert scores.counts == {"sentences": 2, "references": 3}
    assert list(scores.values) == ["rouge1", "cer", "bleu"]


def measured(kind: str) -> tuple[str, ...]:
    return metrics_for(Config().updated({"tokenizer.target.kind": kind}).targets)


def test_what_is_measured_of_each_kind_of_target() -> None:
    for kind in ("character", "whitespace", "word", "bpe", "unigram", "byte"):
        names = measured(kind)
        assert len(set(names)) == len(names)
        assert {*model_metrics(), "exact_match", "wer"} <= set(names) <= set(METRICS)
    assert "per" in measured("whitespace")
    assert "bleu" not in measured("whitespace")
    assert {"bleu", "chrf", "ter"} <= set(measured("bpe"))


def test_a_record_for_each() -> None:
    for name, metric in METRICS.items():
        assert metric.name == name
        assert (metric.of_texts is None) == metric.needs_model == (name in model_metrics())
        assert metric.label
        assert Config().updated({"evaluation.metrics": [name]}).evaluation.metrics == (name,)
    grades = [metric.fineness for metric in METRICS.values() if metric.fineness]
    assert len(set(grades)) == len(grades) == len(TEXT_METRICS)
    with pytest.raises(ConfigError, match=r"metrics\.0 must be one of loss, .*, per; got 'blue'"):
        Config().updated({"evaluation.metrics": ["blue"]})


@pytest.mark.parametrize(
    ("hypotheses", "references", "message"),
    [
        (["a"], [["a"], ["b"]], "hypotheses must be as many as groups of references; got 1 and 2"),
        ([], [], "test set must hold at least one sentence; got none"),
        (["a", "b"], [["a"], []], "sentence 2 must have at least one reference; got none"),
        (["a"], ["abc"], "references of sentence 1 must be a list of texts; got the text 'abc'"),
    ],
)
def test_texts_that_do_not_fit(
    hypotheses: list[str], references: list[list[str]], message: str
) -> None:
    with pytest.raises(DataError) as caught:
        score_texts(hypotheses, references, ["bleu"])
    assert str(caught.value) == message


def test_unknown_metric() -> None:
    with pytest.raises(ConfigError, match=r"must be among loss, .*, per; got 'belu'"):
        score_texts(["a"], [["a"]], ["belu"])


# ---------------------------------------------------------------- sums from the model


def test_loss_totals() -> None:
    totals = LossTotals(6.0, 3, 2) + LossTotals(2.0, 1, 1)
    assert totals == LossTotals(8.0, 4, 3)
    assert values_of_model(totals) == pytest.approx(
        {"loss": 2.0, "perplexity": math.exp(2.0), "token_accuracy": 75.0}
    )


@pytest.mark.parametrize("loss", [709.0, 710.0, 1e300, math.inf])
def test_perplexity_does_not_overflow(loss: float) -> None:
    perplexity = LossTotals(loss, 1).perplexity
    assert 1e307 < perplexity <= sys.float_info.max


def test_a_loss_that_is_no_number_stays_one() -> None:
    assert math.isnan(LossTotals(math.nan, 1).perplexity)


@pytest.mark.parametrize("name", ["loss", "perplexity", "token_accuracy"])
def test_no_tokens(name: str) -> None:
    with pytest.raises(DataError, match="must hold at least one target token; got 0"):
        getattr(LossTotals(), name)
