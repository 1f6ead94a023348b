"""Outputs drawn from a model as it learns."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from transduce.interfaces import BEGIN, END, PADDING, UNKNOWN, S
from transduce.modules.chance import generator
from transduce.training.objectives.forward import Forward

__all__ = ["draw_from", "draw_outputs"]

_OPEN = 0.8  # with this share of sentences open, or less, those that have ended are let go


def draw_outputs(forward: Forward, samples: int, most: int) -> Tensor:
    """:func:`draw_from` the model as it runs in training, with its dropout."""
    return draw_from(forward.going_on, forward.state, samples, most)


@torch.no_grad()
def draw_from(
    step: Callable[[Tensor, S], tuple[Tensor, S]], state: S, samples: int, most: int
) -> Tensor:
    """Draw K = ``samples`` outputs of each sentence, token by token (ancestral sampling).

    Int64 ``[B·K, T]``, rows ``y1 … yn END PADDING …``; one of ``most`` tokens is cut there and has
    no END. PADDING, BEGIN and UNKNOWN are never drawn. ``state`` is that before the first token,
    ``step`` that of a :class:`Stepper <transduce.interfaces.Stepper>`.
    """
    device = state.mask.device
    drawn = torch.full((len(state.mask), samples, most), PADDING, device=device)
    still = torch.arange(len(drawn), device=device)  # the sentences of the state
    ended = torch.zeros(len(drawn), samples, dtype=torch.bool, device=device)
    tokens = torch.full((len(drawn) * samples, 1), BEGIN, device=device)
    state = state.expand(samples)
    for place in range(most):
        logits, state = step(tokens, state)
        tokens = _draw(logits[:, -1]).view(-1, samples).masked_fill_(ended, PADDING)  # [B', K]
        drawn[still, :, place] = tokens
        ended = ended | (tokens == END)
        going = ~ended.all(1)
        if not bool(going.any()):
            return drawn[:, :, : place + 1].flatten(0, 1)
        if float(going.float().mean()) <= _OPEN:
            kept = going.nonzero()[:, 0]
            state, still = state.select(kept), still[kept]
            tokens, ended = tokens[kept], ended[kept]
        tokens = tokens.reshape(-1, 1)
    return drawn.flatten(0, 1)


def _draw(logits: Tensor) -> Tensor:
    """A token of each row ``[N, V]``, int64 ``[N]``, by inverting the distribution function."""
    scores = logits.float()
    scores[:, [PADDING, UNKNOWN, BEGIN]] = -torch.inf
    own = generator() if scores.device.type == "cpu" else None
    points = torch.rand(len(scores), 1, device=scores.device, generator=own)
    cumulative = torch.softmax(scores, -1).cumsum(-1)
    total = cumulative[:, -1:]
    # Strictly below the total, so that the first place above has a weight of its own.
    points = torch.minimum(points * total, torch.nextafter(total, total - total))
    places = torch.searchsorted(cumulative, points, right=True)[:, 0]
    return places.clamp_(max=scores.shape[1] - 1)  # where weights are no numbers
