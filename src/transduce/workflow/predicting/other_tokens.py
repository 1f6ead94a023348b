"""What else a model was about to write at each token of an output, as a person reads it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from transduce.interfaces import END
from transduce.search.hypothesis import Retraced
from transduce.tokenization.joint import Coder

__all__ = ["Alternative", "TokenAlternatives", "token_alternatives", "token_names"]

_END = "end"


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another token, as a person reads it, and its probability, 0 to 1."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class TokenAlternatives:
    """A token of an output: its probability (0 to 1), the ``entropy`` (nats) of what the model
    might have written there, and the most probable other tokens, best first.
    """

    name: str
    probability: float
    entropy: float
    others: tuple[Alternative, ...]


def token_alternatives(
    read: Retraced, tokens: Sequence[int], own: Coder, count: int
) -> tuple[TokenAlternatives, ...]:
    """Of each of an output's ``tokens``, END among them, the ``count`` nearest others.

    ``read`` has at least one more at each token.
    """
    found = []
    for place, (token, name) in enumerate(zip(tokens, token_names(tokens, own), strict=True)):
        pairs = zip(read.best_tokens[place].tolist(), read.best_log_probs[place], strict=True)
        others = [(other, math.exp(log_prob)) for other, log_prob in pairs if other != token]
        names = token_names([other for other, _ in others[:count]], own)
        found.append(
            TokenAlternatives(
                name,
                math.exp(read.log_probs[place]),
                float(read.entropies[place]),
                tuple(
                    Alternative(other, share)
                    for other, (_, share) in zip(names, others, strict=False)
                ),
            )
        )
    return tuple(found)


def token_names(tokens: Sequence[int], own: Coder) -> list[str]:
    """As a person reads them: symbols, and the end."""
    both = zip(tokens, own.symbols(tokens), strict=True)
    return [_END if token == END else symbol for token, symbol in both]
