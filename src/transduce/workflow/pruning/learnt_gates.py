"""Units scored by gates that learn, all at once, which of them the model does without."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor

from transduce.interfaces import PADDING, Batch
from transduce.models.seq2seq import Seq2Seq
from transduce.training.objectives.weighted import Weighted, WeightedSum
from transduce.workflow.pruning.prunable_units import UnitGroup, gradients_asked, weights_read

__all__ = [
    "STEPS",
    "backward_through_gates",
    "gate_scores",
    "open_probability",
    "sampled_gates",
]

STEPS = 300
_OPEN = 2.5  # log α at first: 98 % of the gates are above 0
_RATE = 0.1  # of log α, by Adam
_RISE = 0.1  # of the multipliers, by steps along their gradients
_FALLING = 0.5  # of the steps, in which the share that is to stay open falls from 1
_BETA = 2 / 3  # the temperature
_GAMMA, _ZETA = -0.1, 1.1  # what samples are stretched to before they are cut


def gate_scores(
    model: Seq2Seq,
    groups: Sequence[UnitGroup],
    batches: Iterable[Batch],
    objectives: Sequence[Weighted],
    kept: float,
    *,
    steps: int = STEPS,
    seed: int = 1,
) -> list[list[Tensor]]:
    """For each group and each of its ``units`` the probability that its gate is open, ``[U]``.

    A unit is multiplied by a gate, which is drawn anew for each batch from a hard concrete
    distribution (Louizos et al. 2018; of heads Voita et al. 2019). Minimised over the
    parameters α of the gates is ``L(z ⊙ units) + λ (s - k) + μ (s - k)²``, with L the recipe's
    objectives a target token, s the mean of P(z > 0) over all units and k the share that is to
    stay open: it falls from 1 to ``kept``. λ and μ grow with ``s - k`` (Wang et al. 2020), so
    that nobody has to guess a weight of the penalty that leads to the share that was asked for.

    The model's weights stay as they are: gates tell what *these* weights do without, and the
    training that follows adapts the weights, whichever way the units were chosen. The batches come
    again and again until ``steps`` are done. Scores are float64.
    """
    weights = weights_read(model, groups)
    whole = {name: weight.detach().clone() for name, weight in weights.items()}
    gates = [[torch.full((u.count,), _OPEN, dtype=torch.float64) for u in g.units] for g in groups]
    flat = [gate.requires_grad_(True) for own in gates for gate in own]
    optimizer = torch.optim.Adam(flat, lr=_RATE)
    generator = torch.Generator().manual_seed(seed)
    total = WeightedSum(model, objectives, nullcontext).eval()
    linear = square = 0.0
    try:
        for step, batch in enumerate(itertools.islice(_again(batches), steps)):
            drawn = [[sampled_gates(g, _uniform(g, generator)) for g in own] for own in gates]
            optimizer.zero_grad()
            backward_through_gates(total, weights, whole, groups, drawn, batch.to(model.device))
            wanted = 1 - (1 - kept) * min(1.0, (step + 1) / max(1.0, _FALLING * steps))
            above = torch.cat([open_probability(gate) for gate in flat]).mean() - wanted
            (linear * above + square * above.square()).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            linear += _RISE * above.item()
            square += _RISE * above.item() ** 2
    finally:
        _set(weights, whole)
    return [[open_probability(gate.detach()) for gate in own] for own in gates]


def backward_through_gates(
    total: WeightedSum,
    weights: Mapping[str, Tensor],
    whole: Mapping[str, Tensor],
    groups: Sequence[UnitGroup],
    gates: Sequence[Sequence[Tensor]],
    batch: Batch,
) -> None:
    """Add to the gradients of what the ``gates`` come from that of the objectives, a target token.

    ``whole`` are the weights without gates; ``weights``, those of the model, are left as gated.
    """
    gated = _gated(whole, groups, gates)
    _set(weights, gated)
    asked = [weights[name] for name in gated]
    with gradients_asked(weights):
        loss, _ = total(batch, batch.target_input)
        tokens = (batch.target_output != PADDING).sum()
        slopes = torch.autograd.grad(loss / tokens, asked, allow_unused=True)
    found = [
        torch.zeros_like(weight) if slope is None else slope
        for weight, slope in zip(asked, slopes, strict=True)
    ]
    torch.autograd.backward([*gated.values()], found)


def _gated(
    whole: Mapping[str, Tensor], groups: Sequence[UnitGroup], gates: Sequence[Sequence[Tensor]]
) -> dict[str, Tensor]:
    """The weights that read units, multiplied by the gates of these, as if the units were."""
    gated = dict(whole)
    for group, own in zip(groups, gates, strict=True):
        for units, gate in zip(group.units, own, strict=True):
            for place in units.places:
                if not place.reads or place.name not in gated:
                    continue
                weight = gated[place.name]
                entries = place.owned.flatten()
                each = gate[place.units].repeat_interleave(place.owned.shape[1])
                factors = torch.ones(weight.shape[place.dim], dtype=gate.dtype)
                factors = factors.index_copy(0, entries, each).to(weight)
                shape = [1] * weight.dim()
                shape[place.dim] = -1
                gated[place.name] = weight * factors.view(shape)
    return {name: weight for name, weight in gated.items() if weight.requires_grad}


def _uniform(like: Tensor, generator: torch.Generator) -> Tensor:
    drawn = torch.rand(like.shape, generator=generator, dtype=like.dtype)
    return drawn.clamp(1e-6, 1 - 1e-6)


def _again(batches: Iterable[Batch]) -> Iterator[Batch]:
    while True:
        yield from batches


def _set(weights: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, value in values.items():
            weights[name].copy_(value)


# ---------------------------------------------------------------- the hard concrete distribution


def sampled_gates(log_alpha: Tensor, uniform: Tensor) -> Tensor:
    """Gates ``z`` in [0, 1], ``[U]``, of as many numbers ``uniform`` in (0, 1).

    ``s = σ((log u - log(1 - u) + log α) / β)``, ``z = min(1, max(0, s (ζ - γ) + γ))`` (Louizos et
    al. 2018, eq. 10 and 11), with β = 2/3, γ = -0.1, ζ = 1.1.
    """
    s = torch.sigmoid((uniform.logit() + log_alpha) / _BETA)
    return (s * (_ZETA - _GAMMA) + _GAMMA).clamp(0, 1)


def open_probability(log_alpha: Tensor) -> Tensor:
    """``P(z > 0) = σ(log α - β log(-γ / ζ))``, ``[U]`` (eq. 12)."""
    return torch.sigmoid(log_alpha - _BETA * math.log(-_GAMMA / _ZETA))
