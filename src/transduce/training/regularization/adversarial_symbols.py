"""Adversarial symbols: sources in which some tokens are others, those that harm the model most."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import normalize

from transduce.interfaces import END
from transduce.modules.chance import chosen
from transduce.training.objectives.forward import Forward
from transduce.training.objectives.token_loss import token_loss
from transduce.training.regularization.direction import steepest_rise

__all__ = ["AdversarialSymbols", "Symbols", "harmful_symbols", "nearest_symbols"]

_NEIGHBOURS = 10  # that a token may become; Cheng et al. let a language model choose as many


@dataclass(frozen=True, slots=True)
class Symbols:
    """The source's: their embeddings, ``[V, E]``, and the first of the tags, which never change."""

    weight: Tensor
    first_tag: int


class AdversarialSymbols:
    """``-log P(y | x')``, where in x' a share of x's tokens is replaced (AdvGen, Cheng et al. 2019,
    eq. 3 and 4).

    ``x'_i = argmax cos(e(v) - e(x_i), g_i)`` over v, with ``g = ∇_e(x) -log P(y | x)``. v is one
    of the tokens whose embeddings are most like that of x_i: they stand for what the paper's
    language model proposes. Only the source is changed.
    """

    name = "adversarial_symbols"

    def __init__(self, symbols: Symbols, share: float, smoothing: float = 0.0) -> None:
        """``share`` of the tokens, in ``(0, 1]``, is replaced."""
        self._symbols = symbols
        self._share = share
        self._smoothing = smoothing

    def __call__(self, forward: Forward) -> Tensor:
        """A sum over target tokens, in nats."""
        source = forward.batch.source
        rise, _ = steepest_rise(forward, self._smoothing)
        tokens = source.tokens
        plain = (tokens > END) & (tokens < self._symbols.first_tag)
        replaced = chosen(tokens.shape, self._share, tokens.device) & plain
        changed = tokens.clone()
        changed[replaced] = harmful_symbols(tokens[replaced], rise[replaced], self._symbols)
        other = forward.of_source(replace(source, values=changed))
        return token_loss(other.logits, forward.batch.target_output, self._smoothing)[0]


def harmful_symbols(tokens: Tensor, rise: Tensor, symbols: Symbols) -> Tensor:
    """Int64 ``[N]``: of each token ``[N]`` the near one in whose direction the loss rises most.

    ``rise`` ``[N, E]`` is the gradient of the loss by the tokens' embeddings. A vocabulary of one
    symbol has no others: tokens stay.
    """
    if not len(tokens):
        return tokens
    unique, place = torch.unique(tokens, return_inverse=True)
    near = nearest_symbols(unique, symbols)[place]  # [N, K]
    if not near.shape[1]:
        return tokens
    weight = symbols.weight.detach().to(torch.promote_types(symbols.weight.dtype, torch.float32))
    ways = normalize(weight[near] - weight[tokens][:, None], dim=-1)  # [N, K, E]
    best = torch.einsum("nke,ne->nk", ways, rise.to(weight.dtype)).argmax(-1)
    return near.gather(1, best[:, None])[:, 0]


def nearest_symbols(tokens: Tensor, symbols: Symbols) -> Tensor:
    """The symbols most like each of int64 ``[U]`` by the cosine of their embeddings, int64
    ``[U, K]``: neither special ones, nor tags, nor the token itself.
    """
    first = END + 1
    unit = normalize(symbols.weight.detach().float(), dim=-1)
    alike = unit[tokens] @ unit[first : symbols.first_tag].T  # [U, V']
    alike.scatter_(1, tokens[:, None] - first, -torch.inf)
    return alike.topk(min(_NEIGHBOURS, alike.shape[1] - 1), dim=1).indices + first
