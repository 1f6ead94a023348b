"""Finished outputs read once more: what the model thought at each of their tokens.

One pass of teacher forcing over what a search found. Confidence, alternatives and alignments
all read what it gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from transduce.interfaces import BEGIN, END, PADDING, Source, Stepper
from transduce.search.hypothesis import Hypothesis, Retraced

__all__ = ["Retracing", "retrace", "retraced"]

_ROOM = 1 << 22  # logits that are there at once: 16 MB
_LEAST = -1e9  # of a logit
_TOGETHER = 64  # sentences whose logits at one token fit into a processor's cache
_LONGER = 1.2  # than the shortest output that is read beside it


@dataclass(frozen=True, slots=True)
class Retracing:
    """What is wanted of a second reading.

    ``count`` most probable tokens at each place, two at least (what was the runner-up?);
    ``attention``: the weights over the source too; ``best_only``: of the first output of each
    sentence alone.
    """

    count: int = 2
    attention: bool = False
    best_only: bool = True


@torch.no_grad()
def retrace(
    stepper: Stepper[Any],
    source: Source,
    found: Sequence[Sequence[Hypothesis]],
    wanted: Retracing,
    state: Any = None,
) -> list[list[Hypothesis]]:
    """The hypotheses of each of B sentences, each with what the model thought at its tokens.

    ``state`` is what ``stepper.start`` made of the source, with attention where that is wanted.
    It costs a step of the decoder for each token, and no encoder where there is a ``state``.
    """
    if state is None:
        state = stepper.start(source, attention=wanted.attention)
    kept = [outputs[:1] if wanted.best_only else outputs for outputs in found]
    read: list[list[Retraced]] = [[] for _ in kept]
    for places in _alike([max(map(_length, outputs)) for outputs in kept]):
        own = state
        if len(places) < len(kept):
            own = state.select(torch.tensor(places, device=source.device))
        beams = max(len(kept[place]) for place in places)
        # Where a sentence has fewer outputs than another its last stands in their place.
        rows = [kept[p][min(n, len(kept[p]) - 1)] for p in places for n in range(beams)]
        figures = retraced(stepper, own.expand(beams), [_written(row) for row in rows], wanted)
        for number, place in enumerate(places):
            read[place] = figures[number * beams : number * beams + len(kept[place])]
    return [
        [
            replace(output, retraced=own[rank]) if rank < len(own) else output
            for rank, output in enumerate(outputs)
        ]
        for outputs, own in zip(found, read, strict=True)
    ]


def _alike(lengths: Sequence[int]) -> list[list[int]]:
    """Places of sentences whose outputs are about equally long: what is padded costs as much.

    In order inside each group, so that one of all sentences has them as their state does.
    """
    order = sorted(range(len(lengths)), key=lambda place: lengths[place])
    groups: list[list[int]] = []
    for place in order:
        group = groups[-1] if groups else []
        if group and len(group) < _TOGETHER and lengths[place] <= _LONGER * lengths[group[0]] + 1:
            group.append(place)
        else:
            groups.append([place])
    return [sorted(group) for group in groups]


def _length(hypothesis: Hypothesis) -> int:
    return len(hypothesis.tokens)


def retraced(
    stepper: Stepper[Any], state: Any, outputs: Sequence[Sequence[int]], wanted: Retracing
) -> list[Retraced]:
    """What the model thinks at each token of N outputs, one for each row of ``state``."""
    lengths = [len(output) for output in outputs]
    written = torch.full((len(outputs), max(lengths)), PADDING, dtype=torch.int64)
    for row, output in enumerate(outputs):
        written[row, : len(output)] = torch.tensor(output)
    written = written.to(state.mask.device)
    begin = torch.full_like(written[:, :1], BEGIN)
    read = torch.cat([begin, written[:, :-1]], dim=1)  # [N, T]
    pieces: list[tuple[Tensor, ...]] = []
    at, width = 0, 1
    while at < read.shape[1]:
        logits, state = stepper.step(read[:, at : at + width], state)
        pieces.append(_figures(logits, written[:, at : at + width], wanted.count))
        if wanted.attention and state.attention is not None:
            pieces[-1] += (state.attention.float(),)
        at += width
        width = max(1, _ROOM // (len(outputs) * logits.shape[2]))
    figures = [torch.cat(part, dim=1).cpu().numpy() for part in zip(*pieces, strict=True)]
    positions = _positions(state, len(outputs))
    return [
        _one(figures, row, *sizes) for row, sizes in enumerate(zip(lengths, positions, strict=True))
    ]


def _written(hypothesis: Hypothesis) -> tuple[int, ...]:
    """Its tokens and END, which an output that was cut has not written: what would have come?"""
    if hypothesis.finished and len(hypothesis.token_scores) == len(hypothesis.tokens):
        return hypothesis.tokens  # another token stands in END's place
    return (*hypothesis.tokens, END)


def _figures(logits: Tensor, written: Tensor, count: int) -> tuple[Tensor, ...]:
    """Of logits ``[N, T, V]``: log-probabilities, entropies ``[N, T]``; the best ``[N, T, C]``."""
    # What is impossible (-inf) adds nothing to an entropy, and 0 · -inf would be no number.
    scores = logits.float().clamp(min=_LEAST)
    sums = scores.logsumexp(dim=2)  # [N, T]
    own = scores.gather(2, written[:, :, None])[:, :, 0] - sums
    # H = log Z - Σ p z
    powers = (scores - sums[:, :, None]).exp_()
    means = torch.linalg.vecdot(powers, scores)
    best, tokens = _most(scores, min(count, scores.shape[2]))
    return own, (sums - means).clamp(min=0), best - sums[:, :, None], tokens


def _most(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The largest scores of ``[N, T, V]`` and their tokens, ``[N, T, C]``."""
    if count > 2:
        found = scores.topk(count, dim=2)
        return found.values, found.indices
    first = scores.max(dim=2, keepdim=True)  # two of these are faster than a topk
    second = scores.scatter_(2, first.indices, _LEAST).max(dim=2, keepdim=True)
    pairs = (first.values, second.values), (first.indices, second.indices)
    return torch.cat(pairs[0], dim=2), torch.cat(pairs[1], dim=2)


def _positions(state: Any, rows: int) -> list[int]:
    """How many positions of the memory are real for each of N rows."""
    lengths: list[int] = state.mask.sum(dim=1).tolist()
    return [length for length in lengths for _ in range(rows // len(lengths))]


def _one(figures: Sequence[NDArray[Any]], row: int, length: int, positions: int) -> Retraced:
    log_probs, entropies, best, tokens = (part[row, :length] for part in figures[:4])
    attention: NDArray[np.float32] | None = None
    if len(figures) > 4:
        attention = figures[4][row, :length, :positions]
    return Retraced(log_probs, entropies, best, tokens, attention)
