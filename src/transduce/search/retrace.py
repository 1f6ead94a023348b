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
    It costs as many steps of the decoder as the longest has tokens, and no encoder where there is a
    ``state``.
    """
    if state is None:
        state = stepper.start(source, attention=wanted.attention)
    kept = [outputs[:1] if wanted.best_only else outputs for outputs in found]
    beams = max(len(outputs) for outputs in kept)
    # Where a sentence has fewer outputs than another its first stands in their place.
    rows = [own[min(n, len(own) - 1)] for own in kept for n in range(beams)]
    read = retraced(stepper, state.expand(beams), [_written(row) for row in rows], wanted)
    return [
        [
            replace(output, retraced=read[sentence * beams + rank]) if rank < len(own) else output
            for rank, output in enumerate(outputs)
        ]
        for sentence, (outputs, own) in enumerate(zip(found, kept, strict=True))
    ]


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
    log_probs = torch.log_softmax(logits.float(), dim=2)
    own = log_probs.gather(2, written[:, :, None])[:, :, 0]
    # 0 · -inf is 0 here: what is impossible adds nothing.
    entropies = -(log_probs.exp() * log_probs.clamp(min=-1e9)).sum(dim=2)
    best = log_probs.topk(min(count, log_probs.shape[2]), dim=2)
    return own, entropies, best.values, best.indices


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
