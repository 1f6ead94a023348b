"""BLEU, chrF and TER from sums of counts: published numbers, sacrebleu itself, odd texts."""

from __future__ import annotations

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF, TER

from transduce.metrics.scores import score_texts
from transduce.metrics.translation import bleu, chrf, ter

# sacrebleu's README
HYPOTHESES = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
FIRST = ["The dog bit the man.", "It was not unexpected.", "The man bit him first."]
SECOND = ["The dog had bit the man.", "No one was surprised.", "The man had bitten the dog."]
BOTH = list(zip(FIRST, SECOND, strict=True))

WORDS = st.sampled_from(["the", "cat", "sat", "on", "mats", ",", "a", "我", "é", "Cat"])
TEXT = st.lists(WORDS, max_size=7).map(" ".join)
CORPUS = st.lists(st.tuples(TEXT, st.lists(TEXT, min_size=1, max_size=3)), min_size=1, max_size=5)


def padded(references: list[list[str]]) -> list[list[str | None]]:
    most = max(map(len, references))
    return [[g[n] if n < len(g) else None for g in references] for n in range(most)]


def test_published_example() -> None:
    scores = score_texts(HYPOTHESES, BOTH, ["bleu", "chrf"])
    assert scores.values["bleu"] == pytest.approx(48.530827, abs=1e-6)
    assert scores.values["chrf"] == pytest.approx(59.73, abs=0.005)


@pytest.mark.parametrize(("tokenizer", "score"), [("none", 49.1919566), ("intl", 43.91623493)])
def test_published_bleu_of_other_tokenizers(tokenizer: str, score: float) -> None:
    scores = score_texts(HYPOTHESES, BOTH, ["bleu"], bleu_tokenizer=tokenizer)
    assert scores.values["bleu"] == pytest.approx(score, abs=1e-6)
    assert f"tok:{tokenizer}" in scores.signatures["bleu"]


def test_chinese_is_cut_into_characters_by_its_tokenizer() -> None:
    texts, references = ["我非常爱你们"], [["我非常爱他们"]]
    plain = score_texts(texts, references, ["bleu"]).values["bleu"]
    chinese = score_texts(texts, references, ["bleu"], bleu_tokenizer="zh").values["bleu"]
    assert plain == 0
    # 5 of 6 characters, 3 of 5 pairs, 2 of 4 triples, 1 of 3 fours
    assert chinese == pytest.approx(100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)


@pytest.mark.parametrize(
    ("hypothesis", "reference", "score"),
    [
        ("aaaa bbbb cccc dddd", "aaaa bbbb cccc dddd", 0.0),
        ("dddd eeee ffff", "aaaa bbbb cccc", 100.0),
        ("", "a", 100.0),
        ("d e f g h a b c", "a b c d e f g h", 12.5),  # one shift of a phrase, eight words
        ("a", "", 100.0),
        ("", "", 0.0),
    ],
)
def test_ter_of_published_and_empty_cases(hypothesis: str, reference: str, score: float) -> None:
    assert ter([hypothesis], [[reference]]).score() == pytest.approx(score)


def test_ter_divides_by_the_mean_length_of_references() -> None:
    assert ter(["a b"], [["a b", "a b c d"]]).score() == 0
    assert ter(["a c"], [["a b", "a b d e"]]).score() == pytest.approx(100 * 1 / 3)


def test_unequal_numbers_of_references_are_all_used_and_signed() -> None:
    references = [[FIRST[0]], [FIRST[1], SECOND[1]], [FIRST[2], SECOND[2], HYPOTHESES[2]]]
    scores = score_texts(HYPOTHESES, references, ["bleu", "chrf", "ter"])
    streams = padded(references)
    expected = {
        "bleu": sacrebleu.corpus_bleu(HYPOTHESES, streams).score,
        "chrf": sacrebleu.corpus_chrf(HYPOTHESES, streams).score,
        "ter": sacrebleu.corpus_ter(HYPOTHESES, streams).score,
    }
    assert scores.values == pytest.approx(expected)
    fewer = score_texts(HYPOTHESES, [group[:1] for group in references], ["bleu"])
    assert scores.values["bleu"] > fewer.values["bleu"]
    assert "nrefs:var" in scores.signatures["bleu"]
    assert "nrefs:1" in fewer.signatures["bleu"]
    assert "nrefs:2" in score_texts(HYPOTHESES, BOTH, ["bleu"]).signatures["bleu"]


def test_signatures_are_those_of_sacrebleu() -> None:
    scores = score_texts(HYPOTHESES, BOTH, ["bleu", "chrf", "ter"])
    for name, metric in (("bleu", BLEU()), ("chrf", CHRF()), ("ter", TER())):
        metric.corpus_score(HYPOTHESES, [FIRST, SECOND])
        assert scores.signatures[name] == str(metric.get_signature())


@settings(max_examples=60)
@given(CORPUS)
def test_scores_from_sums_equal_those_of_the_library(corpus: list[tuple[str, list[str]]]) -> None:
    hypotheses = [text for text, _ in corpus]
    references = [group for _, group in corpus]
    streams = padded(references)
    ours = bleu(hypotheses, references, "13a")
    assert ours.score() == pytest.approx(BLEU().corpus_score(hypotheses, streams).score)
    single = BLEU(effective_order=True)
    assert ours.by_sentence() == pytest.approx(
        [single.sentence_score(text, group).score for text, group in corpus]
    )
    ours = chrf(hypotheses, references)
    assert ours.score() == pytest.approx(CHRF().corpus_score(hypotheses, streams).score)
    assert ours.by_sentence() == pytest.approx(
        [CHRF().sentence_score(text, group).score for text, group in corpus]
    )
    ours = ter(hypotheses, references)
    assert ours.score() == pytest.approx(TER().corpus_score(hypotheses, streams).score)
    assert ours.by_sentence() == pytest.approx(
        [TER().sentence_score(text, group).score for text, group in corpus]
    )


@settings(max_examples=20)
@given(CORPUS)
def test_a_weighted_score_is_that_of_the_repeated_corpus(
    corpus: list[tuple[str, list[str]]],
) -> None:
    counts = np.arange(len(corpus)) % 3 + (len(corpus) == 1)
    repeated = [pair for pair, count in zip(corpus, counts, strict=True) for _ in range(count)]
    if not repeated:
        return
    for metric in (chrf, ter, lambda h, r: bleu(h, r, "13a")):
        whole = metric([text for text, _ in corpus], [group for _, group in corpus])
        again = metric([text for text, _ in repeated], [group for _, group in repeated])
        assert whole.scores(counts[None, :].astype(float))[0] == pytest.approx(again.score())


def test_tokenised_text_raises_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    texts = ["this looks tokenised ."] * 150
    scores = score_texts(texts, [[text] for text in texts], ["bleu"])
    assert scores.values["bleu"] == pytest.approx(100)
    assert caplog.records == []
