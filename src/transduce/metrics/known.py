"""Every metric there is. A new one is one record here, and its function in a file of its own."""

from __future__ import annotations

from collections.abc import Iterable

from transduce.errors import ConfigError
from transduce.metrics.edit import error_rate
from transduce.metrics.losses import LossTotals
from transduce.metrics.matches import matches
from transduce.metrics.metric import Metric, Targets, Texts, alone
from transduce.metrics.rouge import rouge
from transduce.metrics.statistics import SentenceStatistics
from transduce.metrics.translation import bleu, chrf, ter

__all__ = [
    "METRICS",
    "best_known",
    "finest",
    "metric_named",
    "metrics_for",
    "model_metrics",
    "values_of_model",
]

_WORDS: frozenset[Targets] = frozenset(("strings", "sentences"))
_SENTENCES: frozenset[Targets] = frozenset(("sentences",))
_SYMBOLS: frozenset[Targets] = frozenset(("symbols",))


def _rouge(texts: Texts, names: Iterable[str]) -> dict[str, SentenceStatistics]:
    return rouge(texts.hypotheses, texts.references, list(names))


def _word_errors(texts: Texts) -> SentenceStatistics:
    """Wrong words. Of symbols a record is one word, as in the literature on pronunciation."""
    if texts.symbols:
        return matches(texts, right=False)
    return error_rate(texts.hypotheses, texts.references, "word")


# In the order of every table.
_ALL = (
    Metric(
        "loss",
        "loss",
        "nats/token",
        lower_is_better=True,
        digits=4,
        of_model=lambda totals: totals.loss,
    ),
    Metric(
        "perplexity",
        "perplexity",
        "",
        lower_is_better=True,
        of_model=lambda totals: totals.perplexity,
    ),
    Metric("token_accuracy", "token accuracy %", of_model=lambda totals: totals.token_accuracy),
    Metric("exact_match", "exact match %", quoted=3, fineness=1, of_texts=alone(matches)),
    Metric(
        "bleu",
        "BLEU",
        "of 100",
        targets=_SENTENCES,
        quoted=4,
        fineness=4,
        of_texts=alone(
            lambda texts: bleu(texts.hypotheses, texts.references, texts.bleu_tokenizer)
        ),
    ),
    Metric(
        "chrf",
        "chrF",
        "of 100",
        targets=_WORDS,
        quoted=2,
        fineness=9,
        of_texts=alone(lambda texts: chrf(texts.hypotheses, texts.references)),
    ),
    Metric(
        "ter",
        "TER %",
        lower_is_better=True,
        targets=_SENTENCES,
        cheap=False,
        fineness=7,
        of_texts=alone(lambda texts: ter(texts.hypotheses, texts.references)),
    ),
    Metric(
        "rouge1", "ROUGE-1", "of 100", targets=_SENTENCES, cheap=False, fineness=3, of_texts=_rouge
    ),
    Metric(
        "rouge2", "ROUGE-2", "of 100", targets=_SENTENCES, cheap=False, fineness=2, of_texts=_rouge
    ),
    Metric(
        "rougeL",
        "ROUGE-L",
        "of 100",
        targets=_SENTENCES,
        cheap=False,
        quoted=1,
        fineness=5,
        of_texts=_rouge,
    ),
    Metric(
        "wer", "WER %", lower_is_better=True, cheap=False, fineness=6, of_texts=alone(_word_errors)
    ),
    Metric(
        "cer",
        "CER %",
        lower_is_better=True,
        targets=_WORDS,
        cheap=False,
        fineness=8,
        of_texts=alone(lambda texts: error_rate(texts.hypotheses, texts.references, "character")),
    ),
    Metric(
        "per",
        "PER %",
        lower_is_better=True,
        targets=_SYMBOLS,
        fineness=10,
        of_texts=alone(lambda texts: error_rate(texts.hypotheses, texts.references, "symbol")),
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}


def best_known(names: Iterable[str]) -> str | None:
    """Of some metrics the one that published tables quote first; None where they quote none."""
    known = [name for name in names if METRICS[name].quoted]
    return max(known, key=lambda name: METRICS[name].quoted, default=None)


def finest(names: Iterable[str]) -> str | None:
    """Of some metrics the one that tells bad sentences from good ones best; None if none does."""
    known = [name for name in names if METRICS[name].fineness]
    return max(known, key=lambda name: METRICS[name].fineness, default=None)


def metric_named(name: str, key: str = "metric") -> Metric:
    """The metric of that name. Raises ConfigError, which names ``key``, where there is none."""
    if name not in METRICS:
        raise ConfigError(f"{key} must be among {', '.join(METRICS)}; got {name!r}")
    return METRICS[name]


def model_metrics() -> tuple[str, ...]:
    """Names of those that texts alone do not tell."""
    return tuple(metric.name for metric in METRICS.values() if metric.needs_model)


def metrics_for(targets: Targets) -> tuple[str, ...]:
    """Names of what is measured on such targets where a recipe does not say."""
    return tuple(metric.name for metric in METRICS.values() if targets in metric.targets)


def values_of_model(totals: LossTotals) -> dict[str, float]:
    """All that the model's own sums tell, by name. DataError where nothing was scored."""
    return {
        metric.name: metric.of_model(totals)
        for metric in METRICS.values()
        if metric.of_model is not None
    }
