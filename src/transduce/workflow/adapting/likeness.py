"""Which tokens are alike: those that stand beside the same tokens.

A rule that a few corrections show after some vowels is likely one after all of them. What is a
vowel, nobody says; but vowels stand in like company.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from transduce.interfaces import BEGIN, END
from transduce.workflow.adapting.edits import Tokens

__all__ = ["Likeness"]

_MOST = 256  # neighbours, the most frequent ones, that tell
_APART = 2.0  # length of what stands for a beginning and an end
_UNSEEN = 0.1  # times that each pair of neighbours is taken as seen


@dataclass(frozen=True)
class Likeness:
    """``vectors`` float64 ``[V, F]``, and the row of each token that was seen. Tokens have length
    1. A beginning and an end are like nothing else, and rules hang on them more often: they have
    length 2, in directions of their own.
    """

    vectors: Tensor
    rows: Mapping[int, int]

    @classmethod
    def of(cls, targets: Iterable[Tokens]) -> Likeness:
        """From the neighbours of each token in ``targets``.

        The positive pointwise mutual information with the token before, and with the one after
        (Bullinaria & Levy 2007): ``max(0, log p(x, y) / (p(x) p(y)))``; less the mean of all
        tokens, of length 1.
        """
        pairs: Counter[tuple[int, int]] = Counter()
        for target in targets:
            pairs.update(pairwise([BEGIN, *target, END]))
        seen: Counter[int] = Counter()
        for pair, count in pairs.items():
            for token in pair:
                seen[token] += count
        telling = {token: place for place, (token, _) in enumerate(seen.most_common(_MOST))}
        rows = {token: row for row, token in enumerate(sorted({*seen} - {BEGIN, END}))}
        counts = torch.full((2, len(rows), len(telling)), _UNSEEN, dtype=torch.float64)
        for (before, after), count in pairs.items():
            if before in telling and after in rows:
                counts[0, rows[after], telling[before]] += count
            if after in telling and before in rows:
                counts[1, rows[before], telling[after]] += count
        vectors = torch.cat([_information(side) for side in counts], dim=1)
        vectors = torch.nn.functional.normalize(vectors - vectors.mean(0), dim=1)
        ends = _APART * torch.eye(2, dtype=torch.float64)
        vectors = torch.block_diag(vectors, ends)  # type: ignore[no-untyped-call]
        return cls(vectors, {**rows, BEGIN: len(rows), END: len(rows) + 1})

    def of_tokens(self, tokens: Iterable[int]) -> Tensor:
        """The vectors of ``tokens``, ``[N, F]``; 0 for one that was not seen."""
        nothing = torch.zeros(1, self.vectors.shape[1], dtype=torch.float64)
        places = [self.rows.get(token, len(self.rows)) for token in tokens]
        return torch.cat([self.vectors, nothing])[places]


def _information(counts: Tensor) -> Tensor:
    """Positive pointwise mutual information of rows and columns, ``[V, F]``."""
    joint = counts / counts.sum().clamp(min=_UNSEEN)
    alone = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
    return torch.log(joint / alone).clamp(min=0)
