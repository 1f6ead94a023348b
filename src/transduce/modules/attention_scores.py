"""Attention for recurrent decoders: how well each query goes with each source position.

Letters: B sentences, Q queries of a sentence (its beams times its steps), S positions,
D the queries' width, M the memory's. What depends on the memory alone is computed once
for each sentence (``prepare``) and read at every step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from transduce.modules.attention import MultiHeadAttention, padding_bias
from transduce.modules.functional import linear

__all__ = [
    "AdditiveScore",
    "Attention",
    "AttentionKind",
    "CosineScore",
    "DotScore",
    "GeneralScore",
    "MultiHead",
    "ScoreAttention",
    "make_attention",
]

AttentionKind = Literal["dot", "general", "additive", "cosine", "multihead"]


class Score(Protocol):
    """A score of every query with every key."""

    def keys(self, vectors: Tensor) -> Tensor:
        """Memory ``[B, S, M]`` to keys ``[B, S, A]``."""
        ...

    def __call__(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Queries ``[B, Q, D]``, keys ``[B, S, A]`` to scores ``[B, Q, S]``."""
        ...


class DotScore(nn.Module):
    """``score(h, m) = h · m`` (Luong et al. 2015, "dot").

    Where the widths differ the product does not exist, and the memory is first brought to the
    queries' width by a learned matrix, which makes it ``general``.
    """

    def __init__(self, query_width: int, memory_width: int) -> None:
        super().__init__()
        self.project = _match(query_width, memory_width)

    def keys(self, vectors: Tensor) -> Tensor:
        """``[B, S, M]`` to ``[B, S, D]``."""
        projected: Tensor = self.project(vectors)
        return projected

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """``[B, Q, D]``, ``[B, S, D]`` to ``[B, Q, S]``."""
        return queries @ keys.transpose(1, 2)  # [B, Q, D] · [B, D, S]


class GeneralScore(nn.Module):
    """``score(h, m) = h · W m`` (Luong et al. 2015, "general")."""

    def __init__(self, query_width: int, memory_width: int) -> None:
        super().__init__()
        self.project = linear(memory_width, query_width, bias=False)

    def keys(self, vectors: Tensor) -> Tensor:
        """``[B, S, M]`` to ``[B, S, D]``."""
        projected: Tensor = self.project(vectors)
        return projected

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """``[B, Q, D]``, ``[B, S, D]`` to ``[B, Q, S]``."""
        return queries @ keys.transpose(1, 2)  # [B, Q, D] · [B, D, S]


class AdditiveScore(nn.Module):
    """``score(h, m) = v · tanh(W h + U m + b)`` (Bahdanau et al. 2015, appendix A.1.2).

    Computed as ``2 v · σ(2 (W h + U m + b)) − Σ v``, the same number: a CPU takes several
    times as long for tanh as for σ, and this is done B·Q·S·D times.
    """

    def __init__(self, query_width: int, memory_width: int) -> None:
        super().__init__()
        self.query = linear(query_width, query_width, bias=True)
        self.key = linear(memory_width, query_width, bias=False)
        self.vector = nn.Parameter(torch.empty(query_width))
        nn.init.uniform_(self.vector, -(query_width**-0.5), query_width**-0.5)

    def keys(self, vectors: Tensor) -> Tensor:
        """``[B, S, M]`` to ``2 U m`` ``[B, S, D]``."""
        doubled: Tensor = 2 * self.key(vectors)
        return doubled

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """``[B, Q, D]``, ``[B, S, D]`` to ``[B, Q, S]``."""
        sums = (2 * self.query(queries))[:, :, None] + keys[:, None]
        return torch.sigmoid(sums) @ (2 * self.vector) - self.vector.sum()


class CosineScore(nn.Module):
    """``score(h, m) = β · cos(h, m)`` (content addressing, Graves et al. 2014, eq. 5-6).

    The sharpness ``β = exp(b)`` is learned, one number for all steps, 10 at first. Where
    the widths differ the memory is first brought to the queries' by a learned matrix.
    """

    def __init__(self, query_width: int, memory_width: int) -> None:
        super().__init__()
        self.project = _match(query_width, memory_width)
        self.log_sharpness = nn.Parameter(torch.tensor(10.0).log())

    def keys(self, vectors: Tensor) -> Tensor:
        """``[B, S, M]`` to directions ``[B, S, D]``, scaled by β."""
        directions = nn.functional.normalize(self.project(vectors), dim=-1)
        return directions * self.log_sharpness.exp()

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """``[B, Q, D]``, ``[B, S, D]`` to ``[B, Q, S]``."""
        # [B, Q, D] · [B, D, S] → [B, Q, S]
        return nn.functional.normalize(queries, dim=-1) @ keys.transpose(1, 2)


class Attention(Protocol):
    """Queries to what the memory holds for them."""

    width: int

    def prepare(self, vectors: Tensor) -> Mapping[str, Tensor]:
        """What is computed once from the memory ``[B, S, M]``; dimension 0 counts sentences."""
        ...

    def __call__(
        self, queries: Tensor, prepared: Mapping[str, Tensor], vectors: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Queries ``[B, Q, D]`` to contexts ``[B, Q, width]`` and weights ``[B, Q, S]``.

        ``prepared`` comes from ``prepare``; ``vectors`` ``[B, S, M]`` and ``mask`` bool
        ``[B, S]`` are the memory's. The weights are zero at padding.
        """
        ...


class ScoreAttention(nn.Module):
    """``c = Σ_s a_s m_s`` with ``a = softmax(score(h, m))`` over the real positions."""

    def __init__(self, score: Score, memory_width: int) -> None:
        super().__init__()
        self.score = score
        self.width = memory_width

    def prepare(self, vectors: Tensor) -> Mapping[str, Tensor]:
        """The keys ``[B, S, A]``."""
        return {"keys": self.score.keys(vectors)}

    def forward(
        self, queries: Tensor, prepared: Mapping[str, Tensor], vectors: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See ``Attention``."""
        scores = self.score(queries, prepared["keys"])
        if scores.dtype == torch.bfloat16:
            scores = scores.float()
        weights = torch.softmax(scores.masked_fill(~mask[:, None], float("-inf")), dim=-1)
        return torch.matmul(weights.to(vectors.dtype), vectors), weights


class MultiHead(nn.Module):
    """Scaled dot-product attention with several heads (Vaswani et al. 2017, section 3.2.2).

    The weights it gives are the mean over the heads.
    """

    def __init__(self, query_width: int, memory_width: int, heads: int) -> None:
        super().__init__()
        self.heads = MultiHeadAttention(
            query_width, heads=heads, memory_width=memory_width, bias=False
        )
        self.width = query_width

    def prepare(self, vectors: Tensor) -> Mapping[str, Tensor]:
        """Keys and values, each ``[B, H, S, D / H]``."""
        keys, values = self.heads.project_memory(vectors)
        return {"keys": keys, "values": values}

    def forward(
        self, queries: Tensor, prepared: Mapping[str, Tensor], vectors: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See ``Attention``."""
        contexts, weights = self.heads.attend(
            self.heads.project_queries(queries),
            prepared["keys"],
            prepared["values"],
            padding_bias(mask),
        )
        return contexts, weights.mean(dim=1)


def make_attention(
    kind: AttentionKind, *, query_width: int, memory_width: int, heads: int
) -> Attention:
    """The attention of this kind; ``heads`` (a divisor of ``query_width``) is for multihead."""
    score: Score
    match kind:
        case "dot":
            score = DotScore(query_width, memory_width)
        case "general":
            score = GeneralScore(query_width, memory_width)
        case "additive":
            score = AdditiveScore(query_width, memory_width)
        case "cosine":
            score = CosineScore(query_width, memory_width)
        case "multihead":
            return MultiHead(query_width, memory_width, heads)
    return ScoreAttention(score, memory_width)


def _match(query_width: int, memory_width: int) -> nn.Module:
    if query_width == memory_width:
        return nn.Identity()
    return linear(memory_width, query_width, bias=False)
