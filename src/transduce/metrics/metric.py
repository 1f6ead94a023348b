"""What is known of a metric: its names, its unit, which way is better, how it is counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from transduce.metrics.losses import LossTotals
from transduce.metrics.statistics import SentenceStatistics

__all__ = ["Count", "Metric", "Targets", "Texts", "alone"]

# What targets are: symbols such as phones with white space between them, single words and
# short strings, or sentences.
Targets = Literal["symbols", "strings", "sentences"]


@dataclass(frozen=True, slots=True)
class Texts:
    """Hypotheses, one for each group of references, and how they are read.

    ``symbols``: texts are symbols separated by white space, one word a record.
    ``bleu_tokenizer`` is one of sacrebleu's.
    """

    hypotheses: Sequence[str]
    references: Sequence[Sequence[str]]
    symbols: bool = False
    bleu_tokenizer: str = "13a"


# Counts several metrics in one go, those that share the function: texts and names -> by name.
Count = Callable[[Texts, Sequence[str]], dict[str, SentenceStatistics]]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, all that any table, plot, choice or page says of it.

    It has either ``of_texts``, which counts hypotheses against references, or ``of_model``,
    which takes the sums of the model's own scores under teacher forcing.
    """

    name: str  # in recipes, reports and logs
    label: str  # in pictures
    unit: str = "%"
    lower_is_better: bool = False
    digits: int = 2  # in tables
    targets: frozenset[Targets] = frozenset(("symbols", "strings", "sentences"))  # by default
    cheap: bool = True  # enough to be counted at every dev scoring that does not choose by it
    quoted: int = 0  # in published tables: the picture of several systems shows the highest
    fineness: int = 0  # in telling a bad sentence from a good one: worst cases go by the highest
    of_texts: Count | None = None
    of_model: Callable[[LossTotals], float] | None = None

    @property
    def needs_model(self) -> bool:
        """Whether texts alone do not tell it."""
        return self.of_model is not None


def alone(count: Callable[[Texts], SentenceStatistics]) -> Count:
    """A metric that is counted by itself."""
    return lambda texts, names: {name: count(texts) for name in names}
