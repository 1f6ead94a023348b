"""What a search gives back."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Hypothesis", "Retraced"]

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Retraced:
    """What a model thought at each of the T tokens of one output, END among them.

    ``log_probs`` ``[T]`` (nats) are those of the tokens themselves, from a softmax over the whole
    vocabulary; ``entropies`` ``[T]`` (nats). ``best_log_probs`` and ``best_tokens`` (int64)
    ``[T, C]`` are the C most probable tokens there, best first. ``attention`` ``[T, S]`` are the
    decoder's weights over its memory at the step that wrote each token; None where they were not
    asked for or there are none.
    """

    log_probs: Floats
    entropies: Floats
    best_log_probs: Floats
    best_tokens: NDArray[np.int64]
    attention: Floats | None = None

    @property
    def margins(self) -> Floats:
        """By how much each token's log-probability is above the best other one's, ``[T]``.

        Below zero where another was more probable.
        """
        is_best = self.best_log_probs[:, 0] <= self.log_probs
        other = np.where(is_best, self.best_log_probs[:, 1], self.best_log_probs[:, 0])
        return np.asarray(self.log_probs - other, np.float32)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One output of one sentence.

    ``tokens`` holds neither BEGIN nor END, but another token that ended it in END's place
    (``Adjustments.ends``) is their last. ``token_scores`` holds the model's own
    log-probability (nats; softmax over the whole vocabulary at temperature 1) of each
    token, a forced prefix included, and of END where ``finished``; ``log_probability``
    is their sum. ``score`` is what hypotheses are ranked by: ``log_probability``
    normalised for length plus the coverage penalty. ``finished`` is false where the
    search cut the output (at its maximum length, or where no token was permitted).
    ``constraints_met`` is false where a required phrase is missing. ``retraced`` is what the
    model thought at each token, where that was asked for (``Retracing``).
    """

    tokens: tuple[int, ...]
    score: float
    log_probability: float
    token_scores: tuple[float, ...]
    finished: bool
    constraints_met: bool = True
    retraced: Retraced | None = field(default=None, repr=False, compare=False)
