"""What a model thinks of the references: sums under teacher forcing."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

from transduce.errors import DataError

__all__ = ["LossTotals"]


_LARGEST_EXPONENT = math.log(sys.float_info.max)


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

    def _some_tokens(self) -> int:
        if self.tokens < 1:
            raise DataError(f"test set must hold at least one target token; got {self.tokens}")
        return self.tokens
