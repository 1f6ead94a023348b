"""The first token of an output, where it is the likeliest of a few: a language that is guessed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from transduce.config import SearchConfig
from transduce.errors import SearchError
from transduce.interfaces import BEGIN, Source, Stepper
from transduce.search.demands import asks_attention
from transduce.search.rules.constraints import Constraints, check_vocabulary

__all__ = ["beginning_with", "first_tokens"]


def first_tokens(
    stepper: Stepper[Any], source: Source, options: SearchConfig, constraints: Constraints
) -> tuple[Any, list[int]]:
    """The state before BEGIN, and of ``constraints.first_of`` the likeliest for each sentence.

    One step of the decoder. Of equals it is the smallest. Raises SearchError where one is no token
    of the model or its scores are not numbers.
    """
    state = stepper.start(source, attention=asks_attention(options))
    begin = torch.full((len(source.lengths), 1), BEGIN, device=source.device)
    scores = stepper.step(begin, state)[0][:, -1].float()
    check_vocabulary(scores.shape[1], constraints)
    choices = torch.tensor(sorted(constraints.first_of), device=source.device)
    among = scores[:, choices]
    if among.isnan().any():
        raise SearchError("scores of the model must be numbers; got NaN")
    best: list[int] = choices[among.argmax(dim=1)].tolist()
    return state, best


def beginning_with(constraints: Constraints, token: int) -> Constraints:
    """The constraints of an output whose first token is chosen."""
    prefix = (token, *constraints.prefix)
    return replace(constraints, prefix=prefix, free=constraints.free + 1, first_of=())
