"""How much probability the tokens have that are in no list, estimated without computing them.

Within a list alone scores are too high, and by more where the model is in doubt, so that a beam may
end with another output. The logarithm of the sum over all other tokens,

    z(h) = log Σ_{v not in the list} exp(w_v · h + b_v),

is nearly an affine map of what the output layer reads, h: of the Transformer of Multi30k such a map
leaves 2 % of its variance unexplained. It is found by least squares over what the model writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from transduce.interfaces import BEGIN, PADDING, Source
from transduce.models.seq2seq import Seq2Seq
from transduce.search import Shortlist
from transduce.shortlists.choosing import Heard

__all__ = ["learn_unlisted"]

_LOGITS = 1 << 24  # that are computed at once
_RIDGE = 1e-4  # of the mean variance of h: least squares of few sentences stay bounded


@torch.no_grad()
def learn_unlisted(
    model: Seq2Seq, shortlist: Shortlist, seen: Sequence[Heard]
) -> NDArray[np.float32] | None:
    """Weights and bias ``[D + 1]`` of the map from h to z(h); None where nothing was seen."""
    width = model.output.weight.shape[1]
    moments = torch.zeros(width + 1, width + 1, dtype=torch.float64)
    products = torch.zeros(width + 1, dtype=torch.float64)
    for some in _together(seen, model.vocabulary):
        vectors, others = _read(model, shortlist, some)
        inputs = torch.cat([vectors, vectors.new_ones(len(vectors), 1)], dim=1).double()
        moments += (inputs.T @ inputs).cpu()
        products += (inputs.T @ others.double()).cpu()
    count = moments[-1, -1]  # of ones
    if not count:
        return None
    mean = moments[-1, :-1] / count
    variance = (moments.diagonal()[:-1] / count - mean**2).mean()
    ridge = torch.full((width + 1,), float(_RIDGE * count * variance.clamp_min(1e-12)))
    ridge[-1] = 0.0  # the bias is free
    found: NDArray[np.float32] = (
        torch.linalg.solve(moments + ridge.diag(), products).float().numpy()
    )
    return found


def _together(seen: Sequence[Heard], vocabulary: int) -> Iterator[list[Heard]]:
    """Those of like length, so that little is padding."""
    order = sorted(seen, key=lambda one: len(one.output))
    first = 0
    for end in range(1, len(order) + 1):
        longest = len(order[min(end, len(order) - 1)].output) + 1
        if end == len(order) or (end - first + 1) * longest * vocabulary > _LOGITS:
            yield order[first:end]
            first = end


def _read(model: Seq2Seq, shortlist: Shortlist, some: Sequence[Heard]) -> tuple[Tensor, Tensor]:
    """What the output layer reads, ``[R, D]``, and z(h) ``[R]`` of each step of some sentences."""
    source = Source.of_tokens([one.source[:-1] for one in some]).to(model.device)
    longest = max(len(one.output) for one in some) + 1
    read = torch.full((len(some), longest), PADDING)
    read[:, 0] = BEGIN
    for row, one in zip(read, some, strict=True):
        row[1 : len(one.output) + 1] = torch.as_tensor(one.output)
    real = torch.tensor([[t <= len(one.output) for t in range(longest)] for one in some])
    state = model.start(source)
    outputs, _ = model.decoder.step(model.target_embedding(read.to(model.device)), state)
    logits = model.output(outputs)
    listed = torch.zeros(len(some), logits.shape[2], dtype=torch.bool, device=logits.device)
    listed.scatter_(1, shortlist.of(source), True)
    listed[:, PADDING] = False  # its place is that of all others
    others = logits.masked_fill(listed[:, None], -torch.inf).logsumexp(dim=2)
    real = real.to(logits.device)
    return model.output.projected(outputs)[real], others[real]
