"""What of an output is explained, as numbers: log-probabilities, contrasts, entropies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from transduce.interfaces import BEGIN

__all__ = ["QUANTITIES", "Quantity", "Question"]

Quantity = Literal["token", "output", "entropy"]
QUANTITIES: tuple[Quantity, ...] = ("token", "output", "entropy")


@dataclass(frozen=True)
class Question:
    """Q numbers that a model's logits over one target of T tokens give.

    ``target`` int64 ``[T]`` is what the decoder writes, END last where it ends. Of kind:

    - ``token``: ``log P(y_t | y_<t, x)`` at each of ``steps``;
    - ``output``: their sum, one number;
    - ``entropy``: ``-Σ_v P(v | y_<t, x) log P(v | y_<t, x)`` at each of ``steps``.

    ``against`` ``[1]`` makes of ``token`` a contrast at the one step that is asked for,
    ``log P(y_t | …) - log P(y'_t | …)`` (Yin & Neubig 2022, "Interpreting language models with
    contrastive explanations", section 3). All in nats.
    """

    target: Tensor
    steps: tuple[int, ...]
    kind: Quantity = "token"
    against: int | None = None

    @classmethod
    def of(cls, target: Sequence[int], kind: Quantity = "token", first: int = 0) -> Question:
        """All steps from ``first`` on: what stands before is given, not chosen."""
        return cls(torch.tensor([*target]), tuple(range(first, len(target))), kind)

    @property
    def count(self) -> int:
        """Q: how many numbers there are."""
        return 1 if self.kind == "output" else len(self.steps)

    @property
    def prefix(self) -> Tensor:
        """What the decoder reads, int64 ``[T]``: BEGIN and all but the last token."""
        begin = self.target.new_tensor([BEGIN])
        return torch.cat([begin, self.target[:-1]])

    @property
    def last_read(self) -> Tensor:
        """The last position of :attr:`prefix` that each number hangs on, int64 ``[Q]``."""
        return torch.tensor([self.steps[-1]] if self.kind == "output" else self.steps)

    def of_all(self, logits: Tensor) -> Tensor:
        """Logits ``[N, T, V]`` of all steps to the numbers ``[N, Q]``."""
        steps = torch.tensor(self.steps, device=logits.device)
        chosen = logits[:, steps]
        numbers = self._numbers(chosen, self.target.to(logits.device)[steps])
        return numbers.sum(1, keepdim=True) if self.kind == "output" else numbers

    def of_one(self, logits: Tensor, which: Tensor) -> Tensor:
        """Logits ``[N, V]`` of one step each to the number ``which`` (int64 ``[N]``), ``[N]``.

        The step is that of :attr:`last_read`; not for kind ``output``, which needs all.
        """
        steps = self.last_read.to(logits.device)[which]
        return self._numbers(logits[:, None], self.target.to(logits.device)[steps][:, None])[:, 0]

    def _numbers(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Logits ``[N, K, V]`` and tokens ``[K]`` or ``[N, K]`` to numbers ``[N, K]``."""
        logs = torch.log_softmax(logits, dim=-1)
        if self.kind == "entropy":
            return -(logs.exp() * logs).sum(-1)
        tokens = tokens.expand(logs.shape[:2])
        own = logs.gather(2, tokens[..., None])[..., 0]
        return own if self.against is None else own - logs[..., self.against]
