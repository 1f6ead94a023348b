"""Drawing outputs at random, the same ones whatever the batch.

Each draw uses one uniform number made from (seed, sentence, draw, step) alone, so
neither neighbours nor their order change what a sentence gets.
"""

from __future__ import annotations

import torch
from torch import Tensor

from transduce.config import SearchConfig
from transduce.interfaces import END
from transduce.search.choosing.diverse_beam import are_ends
from transduce.search.choosing.open_hypotheses import Choice, Live
from transduce.search.choosing.top_k import top
from transduce.search.choosing.truncation import cut_tail, cuts_tail, nucleus

__all__ = ["SampleChooser", "uniform"]


def uniform(seed: int, sentences: Tensor, draws: Tensor, step: int) -> Tensor:
    """Numbers in [0, 1), float64, one for each entry of ``sentences`` and ``draws`` (int64).

    A counter-based generator: the finaliser of SplitMix64 (Steele et al. 2014) over the
    four numbers, on 64-bit integers that wrap around.
    """
    mixed = _mix(torch.full_like(sentences, _signed(seed)))
    for number in (sentences, draws, torch.full_like(sentences, step)):
        mixed = _mix(mixed ^ number)
    return _shift(mixed, 11).double() * 2.0**-53


def _mix(value: Tensor) -> Tensor:
    value = value + _signed(0x9E3779B97F4A7C15)
    value = (value ^ _shift(value, 30)) * _signed(0xBF58476D1CE4E5B9)
    value = (value ^ _shift(value, 27)) * _signed(0x94D049BB133111EB)
    return value ^ _shift(value, 31)


def _shift(value: Tensor, bits: int) -> Tensor:
    """Shift right, filling with zeros: int64 has no unsigned shift of its own."""
    return (value >> bits) & ((1 << (64 - bits)) - 1)


def _signed(value: int) -> int:
    value %= 1 << 64
    return value - (1 << 64) if value >= 1 << 63 else value


class SampleChooser:
    """Draws one token a lane from softmax(log p / temperature) over the permitted tokens.

    Then ``top_k`` keeps the k likeliest (Fan et al. 2018) and ``top_p`` the smallest set of
    likeliest ones whose probability reaches p (Holtzman et al. 2020), in this order, each
    renormalised; ``cut_tail`` says what the other options cut. Lanes hold one hypothesis each; the
    G lanes of a sentence are independent draws.
    """

    def __init__(
        self,
        options: SearchConfig,
        numbers: Tensor,
        draws: int,
        ends: tuple[int, ...] = (END,),
    ) -> None:
        """``numbers`` int64 ``[B]`` names the sentences for the random numbers; ``ends`` are the
        tokens that end a hypothesis.
        """
        self._ends = ends
        self._cuts_tail = cuts_tail(options)
        self._options = options
        self._numbers = numbers
        self._draws = draws

    def __call__(self, log_probs: Tensor, live: Live, sentences: Tensor) -> Choice:
        """See ``Chooser``."""
        numbers = self._numbers[sentences].repeat_interleave(self._draws)
        draws = torch.arange(self._draws, device=numbers.device).repeat(len(sentences))
        points = uniform(self._options.seed, numbers, draws, live.length)
        tokens = self._draw(log_probs[:, 0], points)
        scores = live.scores + log_probs[:, 0].gather(1, tokens)
        parents = torch.zeros_like(tokens)
        ends = are_ends(tokens, self._ends)
        return Choice(
            parents,
            tokens,
            scores.masked_fill(ends, -torch.inf),
            parents,
            scores.masked_fill(~ends, -torch.inf),
            None if self._ends == (END,) else tokens,
        )

    def _draw(self, log_probs: Tensor, points: Tensor) -> Tensor:
        """From ``[M, V]`` to tokens int64 ``[M, 1]``, by inverting the distribution function."""
        order: Tensor | None = None
        if self._options.top_k is not None:
            log_probs, order = top(log_probs, min(self._options.top_k, log_probs.shape[1]))
        # Log-probabilities have a largest value near 0, so no temperature overflows a double.
        weights = torch.softmax(log_probs.double() / self._options.temperature, dim=1)
        weights = weights.nan_to_num(0.0)  # nothing permitted: any token will do, its score is -inf
        if self._options.top_p is not None:
            weights, order = nucleus(weights, order, self._options.top_p)
        if self._cuts_tail:
            weights = cut_tail(weights, self._options)
        cumulative = weights.cumsum(dim=1)
        total = cumulative[:, -1:]
        # Strictly below the total, so that the first place above has a weight of its own.
        points = torch.minimum(points[:, None] * total, torch.nextafter(total, total - total))
        places = torch.searchsorted(cumulative, points, right=True).clamp(max=weights.shape[1] - 1)
        return places if order is None else order.gather(1, places)
