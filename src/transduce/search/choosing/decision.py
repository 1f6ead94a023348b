"""What a step of a search decided, on the host.

These arrays hold a few numbers a hypothesis, for which NumPy's calls cost a fraction of
PyTorch's; only what is as wide as the vocabulary or the source stays on the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from transduce.errors import SearchError
from transduce.interfaces import END
from transduce.search.choosing.open_hypotheses import Choice

__all__ = ["BoolArray", "Decision", "FloatArray", "IntArray"]

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_NO_ROWS, _NO_SCORES = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Decision:
    """How the lanes go on and which hypotheses end. Letters as in ``live.py``.

    ``rows`` int64 ``[M, W]``: the hypothesis (0 … N-1) that each new one continues;
    ``tokens`` int64 and ``token_scores`` ``[M, W]``: with what, and its log-probability;
    ``scores`` ``[M, W]``: the sums, -inf where nothing is left. ``ended_rows`` int64 ``[E]``,
    ``ended_token_scores`` and ``ended_scores`` ``[E]``: who takes END, lane by lane, or another
    of ``ended_tokens`` int64 ``[E]`` (None: END all).
    """

    rows: IntArray
    tokens: IntArray
    token_scores: FloatArray
    scores: FloatArray
    ended_rows: IntArray
    ended_token_scores: FloatArray
    ended_scores: FloatArray
    ended_tokens: IntArray | None = None

    @classmethod
    def going_on(
        cls, rows: IntArray, tokens: IntArray, token_scores: FloatArray, scores: FloatArray
    ) -> Decision:
        """Nobody ends."""
        return cls(rows, tokens, token_scores, scores, _NO_ROWS, _NO_SCORES, _NO_SCORES)

    @classmethod
    def of(cls, choice: Choice, log_probs: Tensor) -> Decision:
        """What a chooser over full rows ``[M, W, V]`` chose.

        Raises SearchError where the model's scores are not numbers.
        """
        first = torch.arange(len(log_probs), device=log_probs.device)[:, None]
        token_scores = log_probs[first, choice.parents, choice.tokens]
        ends = END if choice.ended_tokens is None else choice.ended_tokens
        end_scores = log_probs[first, choice.ended_parents, ends]
        scores, ended_scores = _host(choice.scores), _host(choice.ended_scores)
        if np.isnan(scores).any() or np.isnan(ended_scores).any():
            raise SearchError("scores of the model must be numbers; got NaN")
        bases = np.arange(len(scores))[:, None] * log_probs.shape[1]
        ended = ended_scores > -np.inf
        return cls(
            _host(choice.parents) + bases,
            _host(choice.tokens),
            _host(token_scores),
            scores,
            (_host(choice.ended_parents) + bases)[ended],
            _host(end_scores)[ended],
            ended_scores[ended],
            None if choice.ended_tokens is None else _host(choice.ended_tokens)[ended],
        )

    def select(self, sentences: IntArray, groups: int) -> Decision:
        """Keep some sentences of ``groups`` lanes; ``rows`` still counts all."""
        if groups > 1:
            sentences = (sentences[:, None] * groups + np.arange(groups)).ravel()
        return Decision.going_on(
            self.rows[sentences],
            self.tokens[sentences],
            self.token_scores[sentences],
            self.scores[sentences],
        )


def _host(values: Tensor) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = values.cpu().numpy()
    return array
