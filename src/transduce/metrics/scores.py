"""Scores of hypotheses against references, under the names and units of every report.

All but ``loss`` (nats a token) and ``perplexity`` are percentages from 0 to 100;
error rates may pass 100. What needs the model itself (``loss``, ``perplexity``,
``token_accuracy``) arrives as sums in :class:`LossTotals`; all else needs only texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transduce.errors import DataError
from transduce.metrics.known import METRICS, metric_named
from transduce.metrics.metric import Count, Texts
from transduce.metrics.statistics import SentenceStatistics

__all__ = ["TextScores", "score_texts"]


@dataclass(frozen=True, slots=True)
class TextScores:
    """Corpus scores of one list of hypotheses.

    ``values`` and ``statistics`` have one entry a metric; ``signatures`` one
    where a library's version or options bear on the number; ``counts`` says
    how many ``sentences`` and ``references`` there were.
    """

    values: dict[str, float]
    signatures: dict[str, str]
    counts: dict[str, int]
    statistics: dict[str, SentenceStatistics]


def score_texts(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    metrics: Sequence[str],
    *,
    bleu_tokenizer: str = "13a",
    symbols: bool = False,
) -> TextScores:
    """Score hypotheses, one for each group of references (any number each, at least one).

    ``metrics`` may name those that need the model, which are passed over here;
    ``bleu_tokenizer`` is one of sacrebleu's: 13a, intl, zh, char, none.
    ``symbols`` says that texts are symbols separated by white space, one word
    a record (a ``whitespace`` target): then ``wer`` is the share of records with
    any symbol wrong, 100 - ``exact_match``, as the pronunciation literature
    has it, and otherwise word edits over reference words.
    Raises DataError for texts that do not fit each other, ConfigError for an unknown metric.
    """
    _check(hypotheses, references, metrics)
    texts = Texts(hypotheses, references, symbols, bleu_tokenizer)
    together: dict[Count, list[str]] = {}
    for name in dict.fromkeys(metrics):
        if count := METRICS[name].of_texts:
            together.setdefault(count, []).append(name)
    counted: dict[str, SentenceStatistics] = {}
    for count, names in together.items():
        counted |= count(texts, names)
    statistics = {name: counted[name] for name in metrics if name in counted}
    return TextScores(
        values={name: found.score() for name, found in statistics.items()},
        signatures={name: found.signature for name, found in statistics.items() if found.signature},
        counts={"sentences": len(hypotheses), "references": sum(map(len, references))},
        statistics=statistics,
    )


def _check(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], metrics: Sequence[str]
) -> None:
    for name in metrics:
        metric_named(name, "evaluation.metrics")
    if len(hypotheses) != len(references):
        raise DataError(
            "hypotheses must be as many as groups of references; "
            f"got {len(hypotheses)} and {len(references)}"
        )
    if not hypotheses:
        raise DataError("test set must hold at least one sentence; got none")
    for number, group in enumerate(references, start=1):
        if isinstance(group, str):
            raise DataError(
                f"references of sentence {number} must be a list of texts; got the text {group!r}"
            )
        if not group:
            raise DataError(f"sentence {number} must have at least one reference; got none")
