"""Scores of hypotheses against references, under the names and units of every report.

All but ``loss`` (nats a token) and ``perplexity`` are percentages from 0 to 100;
error rates may pass 100. What needs the model itself (``loss``, ``perplexity``,
``token_accuracy``) arrives as sums in :class:`LossTotals`; all else needs only texts.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from transduce.config import EvaluationConfig, MetricName
from transduce.errors import ConfigError, DataError
from transduce.evaluation.edit import error_rate
from transduce.evaluation.rouge import rouge
from transduce.evaluation.statistics import SentenceStatistics, mean
from transduce.evaluation.translation import bleu, chrf, ter

__all__ = [
    "LOWER_IS_BETTER",
    "MODEL_METRICS",
    "TEXT_METRICS",
    "LossTotals",
    "TextScores",
    "default_metrics",
    "score_texts",
]

MODEL_METRICS: tuple[MetricName, ...] = ("loss", "perplexity", "token_accuracy")
TEXT_METRICS: tuple[MetricName, ...] = tuple(
    name for name in get_args(MetricName) if name not in MODEL_METRICS
)
LOWER_IS_BETTER: frozenset[str] = frozenset({"loss", "perplexity", "ter", "wer", "cer", "per"})

TokenizerKind = Literal["character", "whitespace", "word", "bpe", "unigram", "byte", "imported"]


def default_metrics(target_kind: TokenizerKind) -> tuple[MetricName, ...]:
    """What is measured where a recipe does not say, by the kind of the target's tokenizer.

    ``whitespace`` targets are symbols such as phones: one record is one word,
    ``per`` counts symbols and ``wer`` whole words. ``character`` targets are
    mostly words and short strings; the other kinds are sentences.
    """
    if target_kind == "whitespace":
        return (*MODEL_METRICS, "exact_match", "wer", "per")
    if target_kind == "character":
        return (*MODEL_METRICS, "exact_match", "chrf", "wer", "cer")
    return (
        *MODEL_METRICS,
        *("exact_match", "bleu", "chrf", "ter", "rouge1", "rouge2", "rougeL", "wer", "cer"),
    )


@dataclass(frozen=True, slots=True)
class LossTotals:
    """Sums over target tokens (END counted, padding not) under teacher forcing.

    ``negative_log_likelihood`` is in nats, without label smoothing;
    ``correct`` counts tokens whose likeliest prediction was right.
    """

    negative_log_likelihood: float = 0.0
    tokens: int = 0
    correct: int = 0

    def __add__(self, other: LossTotals) -> LossTotals:
        """The sums over both."""
        return LossTotals(
            self.negative_log_likelihood + other.negative_log_likelihood,
            self.tokens + other.tokens,
            self.correct + other.correct,
        )

    @property
    def loss(self) -> float:
        """Cross-entropy, nats a token. DataError where nothing was scored."""
        return self.negative_log_likelihood / self._some_tokens()

    @property
    def perplexity(self) -> float:
        """exp(loss); the largest float where that is too large for one."""
        loss = self.loss
        return math.exp(loss) if not loss > _LARGEST_EXPONENT else sys.float_info.max

    @property
    def token_accuracy(self) -> float:
        """Percent of tokens predicted right, given all the right ones before."""
        return 100.0 * self.correct / self._some_tokens()

    def values(self) -> dict[str, float]:
        """``loss``, ``perplexity`` and ``token_accuracy``."""
        return {
            "loss": self.loss,
            "perplexity": self.perplexity,
            "token_accuracy": self.token_accuracy,
        }

    def _some_tokens(self) -> int:
        if self.tokens < 1:
            raise DataError(f"test set must hold at least one target token; got {self.tokens}")
        return self.tokens


_LARGEST_EXPONENT = math.log(sys.float_info.max)


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
    config: EvaluationConfig | None = None,
    symbols: bool = False,
) -> TextScores:
    """Score hypotheses, one for each group of references (any number each, at least one).

    ``metrics`` may name model-based ones, which are passed over here.
    ``symbols`` says that texts are symbols separated by white space, one word
    a record (a ``whitespace`` target): then ``wer`` is the share of records with
    any symbol wrong, 100 - ``exact_match``, as the pronunciation literature
    has it, and otherwise word edits over reference words.
    Raises DataError for texts that do not fit each other, ConfigError for an unknown metric.
    """
    config = config or EvaluationConfig()
    _check(hypotheses, references, metrics)
    statistics = {
        name: found
        for name in dict.fromkeys(metrics)
        if (found := _statistics(name, hypotheses, references, config, symbols)) is not None
    }
    rouges = [name for name in dict.fromkeys(metrics) if name.startswith("rouge")]
    if rouges:
        statistics |= rouge(hypotheses, references, rouges)
    statistics = {name: statistics[name] for name in metrics if name in statistics}
    return TextScores(
        values={name: found.score() for name, found in statistics.items()},
        signatures={name: found.signature for name, found in statistics.items() if found.signature},
        counts={"sentences": len(hypotheses), "references": sum(map(len, references))},
        statistics=statistics,
    )


def _statistics(
    name: str,
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    config: EvaluationConfig,
    symbols: bool,
) -> SentenceStatistics | None:
    """None for ROUGE, counted for all its kinds at once, and for what only the model can tell."""
    match name:
        case "exact_match":
            return _matches(hypotheses, references, symbols, right=True)
        case "wer" if symbols:
            return _matches(hypotheses, references, symbols, right=False)
        case "wer":
            return error_rate(hypotheses, references, "word")
        case "cer":
            return error_rate(hypotheses, references, "character")
        case "per":
            return error_rate(hypotheses, references, "symbol")
        case "bleu":
            return bleu(hypotheses, references, config.bleu_tokenizer)
        case "chrf":
            return chrf(hypotheses, references)
        case "ter":
            return ter(hypotheses, references)
        case _:
            return None


def _matches(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], symbols: bool, right: bool
) -> SentenceStatistics:
    """Records equal to any of their references (or to none), space around them aside."""

    def plain(text: str) -> str:
        return " ".join(text.split()) if symbols else text.strip()

    equal = [
        plain(hypothesis) in map(plain, group)
        for hypothesis, group in zip(hypotheses, references, strict=True)
    ]
    values = np.ones((len(equal), 2))
    values[:, 0] = np.array(equal) == right
    return SentenceStatistics(values, mean, mean)


def _check(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], metrics: Sequence[str]
) -> None:
    for name in metrics:
        if name not in get_args(MetricName):
            known = ", ".join(get_args(MetricName))
            raise ConfigError(f"evaluation.metrics must be among {known}; got {name!r}")
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
