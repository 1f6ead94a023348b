"""What a search gives back."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Hypothesis"]


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
    ``constraints_met`` is false where a required phrase is missing.
    """

    tokens: tuple[int, ...]
    score: float
    log_probability: float
    token_scores: tuple[float, ...]
    finished: bool
    constraints_met: bool = True
