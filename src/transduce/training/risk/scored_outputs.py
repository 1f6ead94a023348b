"""Log-probabilities of many outputs of each sentence, each different one computed once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from transduce.interfaces import BEGIN, PADDING
from transduce.training.objectives.forward import Forward

__all__ = ["Distinct", "distinct_outputs", "score_outputs"]


@dataclass(frozen=True, slots=True)
class Distinct:
    """The different ones of B·K outputs, the shortest first.

    ``rows`` int64 ``[U, T]``; the ``sentences`` ``[U]`` that they are of; their ``lengths`` ``[U]``
    with END; and in ``places`` ``[B, K]`` which of them each output is.
    """

    rows: Tensor
    sentences: Tensor
    lengths: Tensor
    places: Tensor


def distinct_outputs(outputs: Tensor) -> Distinct:
    """Of int64 ``[B, K, T]``, rows ``y1 … yn END PADDING …``."""
    B, K, _ = outputs.shape
    numbers = torch.arange(B, device=outputs.device)[:, None, None].expand(B, K, 1)
    named = torch.cat([numbers, outputs], 2).flatten(0, 1)  # [B·K, 1 + T]
    found, places = torch.unique(named, dim=0, return_inverse=True)
    lengths = (found[:, 1:] != PADDING).sum(1)
    order = torch.argsort(lengths, stable=True)
    return Distinct(
        found[order, 1:],
        found[order, 0],
        lengths[order],
        torch.argsort(order)[places].view(B, K),
    )


def score_outputs(forward: Forward, outputs: Distinct) -> Tensor:
    """Log-probabilities ``[U]``, with a gradient.

    Outputs of about the same length go through the decoder together, as many tokens as the batch's
    own targets have: memory is that of a few such batches, and little of it is padding.
    """
    begin = torch.full_like(outputs.rows[:, :1], BEGIN)
    inputs = torch.cat([begin, outputs.rows[:, :-1]], 1)
    scores = []
    for few in _slices(outputs.lengths.tolist(), forward.batch.target_output.numel()):
        width = max(1, int(outputs.lengths[few.stop - 1]))
        rows = outputs.rows[few, :width]  # [U', T']
        state = forward.state.select(outputs.sentences[few])
        logits, _ = forward.going_on(inputs[few, :width], state)
        precise = torch.promote_types(logits.dtype, torch.float32)
        log_probs = torch.log_softmax(logits, -1, dtype=precise).gather(-1, rows[..., None])[..., 0]
        scores.append(log_probs.masked_fill(rows == PADDING, 0).sum(1))
    return torch.cat(scores)


def _slices(lengths: list[int], most: int) -> Iterator[slice]:
    """Rows of ascending lengths, so many together that no slice is larger than ``most`` numbers."""
    first = 0
    for row, length in enumerate(lengths):
        if row > first and (row + 1 - first) * length > most:
            yield slice(first, row)
            first = row
    yield slice(first, len(lengths))
