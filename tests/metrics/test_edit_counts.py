"""WER, CER and PER against a dynamic programme and jiwer's documented examples."""

from __future__ import annotations

import jiwer
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transduce.metrics.edit import edit_counts, error_rate
from transduce.metrics.scores import score_texts

SYMBOLS = st.lists(st.sampled_from(["AH", "B", "K", "tʃ"]), max_size=6).map(" ".join)


def levenshtein(left: list[str], right: list[str]) -> int:
    """D[i, j] = min(D[i-1, j] + 1, D[i, j-1] + 1, D[i-1, j-1] + [left_i != right_j])."""
    table = np.zeros((len(left) + 1, len(right) + 1), dtype=np.int64)
    table[:, 0] = np.arange(len(left) + 1)
    table[0] = np.arange(len(right) + 1)
    for i, a in enumerate(left, start=1):
        for j, b in enumerate(right, start=1):
            table[i, j] = min(
                table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (a != b)
            )
    return int(table[-1, -1])


@pytest.mark.parametrize(
    ("hypotheses", "references", "rate"),
    [
        (["hello duck"], ["hello world"], 50.0),
        (["hello duck", "i like python"], ["hello world", "i like monty python"], 100 / 3),
        (["a b c d"], ["a"], 300.0),  # insertions alone pass 100 %
        ([""], ["a b"], 100.0),
        (["  hello   world "], ["hello world"], 0.0),
    ],
)
def test_word_error_rate(hypotheses: list[str], references: list[str], rate: float) -> None:
    found = score_texts(hypotheses, [[text] for text in references], ["wer"])
    assert found.values["wer"] == pytest.approx(rate)
    assert found.values["wer"] == pytest.approx(100 * jiwer.wer(references, hypotheses))


def test_character_error_rate_counts_spaces_inside() -> None:
    assert score_texts(["hallo welt"], [["hello world"]], ["cer"]).values["cer"] == pytest.approx(
        100 * 4 / 11
    )
    assert score_texts(["ab"], [["a b"]], ["cer"]).values["cer"] == pytest.approx(100 / 3)
    assert score_texts([" ab\n"], [["ab"]], ["cer"]).values["cer"] == 0


@settings(max_examples=60)
@given(st.lists(st.tuples(SYMBOLS, st.lists(SYMBOLS, min_size=1, max_size=3)), min_size=1))
def test_counts_are_those_of_the_closest_reference(corpus: list[tuple[str, list[str]]]) -> None:
    expected = []
    for hypothesis, group in corpus:
        options = [
            (levenshtein(hypothesis.split(), text.split()), -len(text.split())) for text in group
        ]
        edits, length = min(options)
        expected.append([edits, -length])
    hypotheses, references = [h for h, _ in corpus], [g for _, g in corpus]
    assert edit_counts(hypotheses, references, "symbol").tolist() == expected
    backwards = [group[::-1] for group in references]
    assert edit_counts(hypotheses, backwards, "symbol").tolist() == expected


def test_rate_is_over_the_corpus_not_a_mean_of_rates() -> None:
    # 1 error in 1 symbol and 0 in 4: 1 of 5
    assert error_rate(["B", "A A A A"], [["A"], ["A A A A"]], "symbol").score() == 20


def test_symbols_are_cut_at_any_white_space() -> None:
    assert error_rate(["K\u00a0AE\tT"], [["K AE T"]], "symbol").score() == 0


def test_empty_reference_counts_each_edit_as_a_whole() -> None:
    assert error_rate(["A B"], [[""]], "symbol").score() == 200
    assert error_rate([""], [[""]], "symbol").score() == 0
    assert 100 * jiwer.wer([""], ["A B"]) == 200  # the library's convention


def test_symbol_targets_report_the_share_of_wrong_words_as_wer() -> None:
    hypotheses = ["K AE T", "D AO G", "B AH"]
    references = [["K AE T"], ["D AA G", "D AO G"], ["B IY", "P AH"]]
    values = score_texts(hypotheses, references, ["exact_match", "wer", "per"], symbols=True).values
    assert values["wer"] == pytest.approx(100 / 3)
    assert values["wer"] == pytest.approx(100 - values["exact_match"])
    assert values["per"] == pytest.approx(100 / 8)
    assert score_texts(hypotheses, references, ["wer"]).values["wer"] == pytest.approx(100 / 8)
