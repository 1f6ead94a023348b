"""BLEU, chrF and TER: counted by sacrebleu, scored from sums by the same equations.

Scores equal ``sacrebleu``'s own ``corpus_score`` (the tests hold them equal);
computing them from sums in numpy is what makes resampling quick.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from transduce.metrics.statistics import Numbers, SentenceStatistics

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric

__all__ = ["bleu", "chrf", "ter"]

_ORDERS = 4  # of BLEU's n-grams
_BETA_SQUARED = 4.0  # chrF2: recall weighs twice as much as precision


def bleu(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], tokenizer: str
) -> SentenceStatistics:
    """BLEU (Papineni et al. 2002), 0-100, exponential smoothing as sacrebleu's default.

    Matches count against all references of a sentence together; the brevity
    penalty takes the reference whose length is nearest. ``tokenizer`` is one of
    sacrebleu's: 13a, intl, zh, char, none.
    """
    from sacrebleu.metrics.bleu import BLEU  # lazy for start-up time alone

    # force: no warning for text that looks tokenised; the tokenizer is in the signature.
    metric = BLEU(tokenize=tokenizer, force=True)
    values, signature = _count(metric, hypotheses, references)
    return SentenceStatistics(
        values,
        partial(_bleu_score, effective_order=False),
        partial(_bleu_score, effective_order=True),
        signature,
    )


def chrf(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> SentenceStatistics:
    """chrF2 (Popović 2015), 0-100: characters up to 6-grams; the best reference counts."""
    from sacrebleu.metrics.chrf import CHRF  # lazy for start-up time alone

    values, signature = _count(CHRF(), hypotheses, references)
    return SentenceStatistics(values, _chrf_score, _chrf_score, signature)


def ter(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> SentenceStatistics:
    """TER (Snover et al. 2006), percent, lower is better and it may pass 100.

    Edits (shifts of phrases among them) to the nearest reference, over the
    mean length of all references; case does not count.
    """
    from sacrebleu.metrics.ter import TER  # lazy for start-up time alone

    values, signature = _count(TER(), hypotheses, references)
    return SentenceStatistics(values, _ter_score, _ter_score, signature)


def _count(
    metric: Metric, hypotheses: Sequence[str], references: Sequence[Sequence[str]]
) -> tuple[Numbers, str]:
    """Counts ``[M, C]`` and the signature."""
    # sacrebleu wants one list a reference number, None where a sentence has fewer.
    most = max(len(group) for group in references)
    streams = [
        [group[number] if number < len(group) else None for group in references]
        for number in range(most)
    ]
    # The one step of sacrebleu that gives counts a sentence has no public name; its own
    # significance tests call it in the same way, and our tests compare with corpus_score.
    rows = metric._extract_corpus_statistics(hypotheses, streams)  # type: ignore[arg-type]
    return np.array(rows, dtype=np.float64), str(metric.get_signature())


def _bleu_score(sums: Numbers, effective_order: bool) -> Numbers:
    """``[R, 10]`` = (length, reference length, 4 matches, 4 totals) -> ``[R]``.

    BLEU = BP * exp(mean of log p_n). A precision without a match is halved for
    each such order so far (smoothing "exp"). ``effective_order`` leaves out
    orders longer than the sentence, which alone make a single sentence 0.
    """
    length, reference = sums[:, 0], sums[:, 1]
    matches, totals = sums[:, 2 : 2 + _ORDERS], sums[:, 2 + _ORDERS :]
    possible = totals > 0
    missed = possible & (matches == 0)
    smoothed = np.where(missed, 0.5 ** np.cumsum(missed, axis=1), matches)
    precision = 100.0 * smoothed / np.where(possible, totals, 1.0)
    logs = np.log(np.where(possible, precision, 1.0)).sum(axis=1)
    orders = possible.sum(axis=1) if effective_order else np.full(len(sums), _ORDERS)
    penalty = np.exp(np.minimum(0.0, 1.0 - reference / np.where(length > 0, length, 1.0)))
    scored = (matches.sum(axis=1) > 0) & (possible.all(axis=1) | effective_order)
    return np.where(scored, penalty * np.exp(logs / np.maximum(orders, 1)), 0.0)


def _chrf_score(sums: Numbers) -> Numbers:
    """``[R, 18]`` = 6 x (n-grams, reference n-grams, matches) -> ``[R]``.

    F2 of the means of precision and recall over the orders that both sides have.
    """
    hypothesis, reference, matches = sums[:, 0::3], sums[:, 1::3], sums[:, 2::3]
    both = (hypothesis > 0) & (reference > 0)
    orders = np.maximum(both.sum(axis=1), 1)
    precision = np.where(both, matches / np.where(both, hypothesis, 1.0), 0.0).sum(axis=1) / orders
    recall = np.where(both, matches / np.where(both, reference, 1.0), 0.0).sum(axis=1) / orders
    below = _BETA_SQUARED * precision + recall
    above = (1.0 + _BETA_SQUARED) * precision * recall
    scores: Numbers = 100.0 * above / np.where(below > 0, below, 1.0)
    return scores


def _ter_score(sums: Numbers) -> Numbers:
    """``[R, 2]`` = (edits, reference words) -> ``[R]``; any edit to an empty reference is 100."""
    edits, words = sums[:, 0], sums[:, 1]
    return 100.0 * np.where(words > 0, edits / np.where(words > 0, words, 1.0), edits > 0)
