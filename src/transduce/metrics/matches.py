"""Records that are right as a whole, or wrong."""

from __future__ import annotations

import numpy as np

from transduce.metrics.metric import Texts
from transduce.metrics.statistics import SentenceStatistics, mean

__all__ = ["matches"]


def matches(texts: Texts, *, right: bool = True) -> SentenceStatistics:
    """Records equal to any of their references (or to none), space around them aside."""

    def plain(text: str) -> str:
        return " ".join(text.split()) if texts.symbols else text.strip()

    equal = [
        plain(hypothesis) in map(plain, group)
        for hypothesis, group in zip(texts.hypotheses, texts.references, strict=True)
    ]
    values = np.ones((len(equal), 2))
    values[:, 0] = np.array(equal) == right
    return SentenceStatistics(values, mean, mean)
