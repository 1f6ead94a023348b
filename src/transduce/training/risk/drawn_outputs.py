"""Outputs drawn from a model as it learns."""

from __future__ import annotations

import torch
from torch import Tensor

from transduce.interfaces import BEGIN, END, PADDING, UNKNOWN
from transduce.modules.chance import generator
from transduce.training.objectives.forward import Forward

__all__ = ["draw_outputs"]


@torch.no_grad()
def draw_outputs(forward: Forward, samples: int, most: int) -> Tensor:
    """Draw outputs of each sentence, token by token (ancestral sampling), without a gradient.

    Int64 ``[B·K, T]``, rows ``y1 … yn END PADDING …``; one of ``most`` tokens is cut there and has
    no END. PADDING, BEGIN and UNKNOWN are never drawn.
    """
    state = forward.state.expand(samples)
    tokens = torch.full((len(forward.inputs) * samples, 1), BEGIN, device=forward.inputs.device)
    ended = torch.zeros(len(tokens), dtype=torch.bool, device=tokens.device)
    drawn = []
    for _ in range(most):
        logits, state = forward.going_on(tokens, state)
        scores = logits[:, -1].float()
        scores[:, [PADDING, UNKNOWN, BEGIN]] = -torch.inf
        own = generator() if scores.device.type == "cpu" else None
        tokens = torch.multinomial(torch.softmax(scores, -1), 1, generator=own)
        tokens.masked_fill_(ended[:, None], PADDING)
        drawn.append(tokens)
        ended = ended | (tokens[:, 0] == END)
        if bool(ended.all()):
            break
    return torch.cat(drawn, 1)
