"""Any metric of texts as the cost of an output."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from transduce.interfaces import END, PADDING
from transduce.metrics.known import METRICS
from transduce.metrics.scores import score_texts

__all__ = ["MetricCost"]

_WHOLE = 100.0  # what metrics in percent have at most, or at least where lower is better


class MetricCost:
    """A metric of each output alone, as a share: ``1 - score / 100``, or ``score / 100`` where
    lower is better. Smoothed as the metric is for single sentences (BLEU).
    """

    def __init__(
        self,
        metric: str,
        decode: Callable[[Sequence[int]], str],
        *,
        bleu_tokenizer: str = "13a",
        symbols: bool = False,
    ) -> None:
        """``decode`` makes texts of tokens; the others as in ``score_texts``."""
        self._metric = metric
        self._decode = decode
        self._bleu_tokenizer = bleu_tokenizer
        self._symbols = symbols

    def __call__(self, outputs: Tensor, references: Tensor) -> Tensor:
        """Float64 ``[N]`` of int64 rows ``[N, T]`` and ``[N, T']``."""
        texts, gold = self._texts(outputs), self._texts(references)
        scored = score_texts(
            texts,
            [[text] for text in gold],
            [self._metric],
            bleu_tokenizer=self._bleu_tokenizer,
            symbols=self._symbols,
        )
        found = torch.from_numpy(scored.statistics[self._metric].by_sentence() / _WHOLE)
        costs = found if METRICS[self._metric].lower_is_better else 1 - found
        return costs.to(outputs.device)

    def _texts(self, rows: Tensor) -> list[str]:
        known: dict[tuple[int, ...], str] = {}
        texts = []
        for row in rows.tolist():
            tokens = tuple(token for token in row if token not in (END, PADDING))
            if tokens not in known:
                known[tokens] = self._decode(tokens)
            texts.append(known[tokens])
        return texts
