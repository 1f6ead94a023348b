"""ROUGE against rouge-score's documented examples, and words of every script."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score import rouge_scorer, tokenize

from transduce.metrics.rouge import UnicodeWords
from transduce.metrics.scores import score_texts

ROUGES = ["rouge1", "rouge2", "rougeL"]


def rouge(hypothesis: str, *references: str) -> dict[str, float]:
    return score_texts([hypothesis], [references], ROUGES).values


def test_documented_example() -> None:
    found = rouge(
        "The quick brown dog jumps on the log.", "The quick brown fox jumps over the lazy dog"
    )
    # 6 of 8 words and 6 of 9; 2 of 7 pairs and 2 of 8; a common subsequence of 5
    assert found == pytest.approx({"rouge1": 1200 / 17, "rouge2": 400 / 15, "rougeL": 1000 / 17})


def test_the_best_reference_counts_for_each_kind() -> None:
    found = rouge("first text", "first something", "text first")
    assert found == pytest.approx({"rouge1": 100, "rouge2": 0, "rougeL": 50})


@settings(max_examples=80)
@given(st.text(alphabet=st.characters(max_codepoint=127)), st.text("abc ,.'X9", max_size=30))
def test_on_ascii_it_is_the_library(left: str, right: str) -> None:
    words = UnicodeWords()
    for text in (left, right):
        assert words.tokenize(text) == tokenize.tokenize(text, None)
    scorer = rouge_scorer.RougeScorer(ROUGES)
    expected = {name: 100 * s.fmeasure for name, s in scorer.score(right, left).items()}
    assert rouge(left, right) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Für Elise!", ["für", "elise"]),
        ("我爱你。ABC", ["我", "爱", "你", "abc"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),  # vowel signs belong to their word
        ("Cafe\u0301 x", ["cafe\u0301", "x"]),
        ("안녕 세상", ["안녕", "세상"]),
        ("カタカナ", ["カ", "タ", "カ", "ナ"]),
        ("𠮷 😀", ["𠮷"]),
    ],
)
def test_words_of_other_scripts(text: str, words: list[str]) -> None:
    assert UnicodeWords().tokenize(text) == words


def test_corpus_score_is_the_mean_over_sentences() -> None:
    scores = score_texts(["a b", "c"], [["a b"], ["d"]], ["rouge1"])
    assert scores.values == {"rouge1": 50}
    assert scores.statistics["rouge1"].by_sentence().tolist() == [100, 0]
    assert "rouge-score" in scores.signatures["rouge1"]
