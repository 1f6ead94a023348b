"""How likely each target token is as the translation of each source token, by a model's attention.

Where the model reads pairs, each target token is shared out among the source tokens as the
attention is at the step that writes it: of a Transformer the mean over the heads of its last layer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from transduce.errors import ModelError
from transduce.interfaces import Batch
from transduce.models.seq2seq import Seq2Seq
from transduce.shortlists.lexicon import Lexicon

__all__ = ["attended_lexicon"]

_LEAST = 0.01  # of a token: what is less is spread over all sources, and tells nothing
_AT_ONCE = 1 << 22  # links that are counted together


@torch.no_grad()
def attended_lexicon(model: Seq2Seq, batches: Iterable[Batch], sizes: tuple[int, int]) -> Lexicon:
    """The lexicon of a model and pairs; ``sizes`` are those of its vocabularies.

    Raises ModelError where the model has no attention.
    """
    counted, keys, weights = _Counted(), list[NDArray[Any]](), list[NDArray[Any]]()
    waiting = 0
    for batch in batches:
        batch = batch.to(model.device)
        state = model.start(batch.source, attention=True)
        attention = model.step(batch.target_input, state)[1].attention  # [B, T, S]
        if attention is None:
            raise ModelError("decoder must have an attention to learn a shortlist by it")
        sources = batch.source.tokens[:, None].expand_as(attention)
        targets = batch.target_output[:, :, None].expand_as(attention)
        real = (targets > 0) & (attention >= _LEAST) & batch.source.mask[:, None]
        keys.append((sources[real] * sizes[1] + targets[real]).cpu().numpy())
        weights.append(attention[real].double().cpu().numpy())
        waiting += len(keys[-1])
        if waiting >= _AT_ONCE:
            counted.add(keys, weights)
            keys, weights, waiting = [], [], 0
    counted.add(keys, weights)
    return Lexicon.of_counts(counted.keys, counted.counts, sizes)


class _Counted:
    """Sums of weights by their keys, which rise."""

    def __init__(self) -> None:
        self.keys: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.counts: NDArray[Any] = np.empty(0)

    def add(self, keys: list[NDArray[Any]], weights: list[NDArray[Any]]) -> None:
        """Add some more."""
        self.keys, places = np.unique(np.concatenate([self.keys, *keys]), return_inverse=True)
        self.counts = np.bincount(places, np.concatenate([self.counts, *weights]), len(self.keys))
