"""Few numbers that learn while the model they change stays as it is."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from transduce.adapters.low_rank_change import LowRankChange
from transduce.adapters.taught_batch import TaughtBatch
from transduce.errors import TrainingError
from transduce.interfaces import PADDING
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import restore_floats
from transduce.training.objectives.distillation import distillation_loss
from transduce.training.objectives.token_loss import token_loss

__all__ = ["AdapterLearner"]

_RATE = 1e-2  # of Adam
_WARMUP = 10  # steps
_BETAS = 0.9, 0.98


class AdapterLearner:
    """The numbers of one adapter, and a copy of the model that they are tried in."""

    def __init__(self, model: Seq2Seq, change: LowRankChange, seed: int) -> None:
        """Raises ModelError where the model has nothing to change."""
        self._generator = torch.Generator().manual_seed(seed)
        first = change.first(model, self._generator)
        self._change = change
        self._copy = copy.deepcopy(model).eval()
        restore_floats(self._copy)
        self._copy.requires_grad_(False)
        self._own = dict(self._copy.named_parameters())
        self._base = {
            name: self._own[name].detach().clone() for name in change.changed(self._own, first)
        }
        self._numbers = {name: tensor.to(model.device) for name, tensor in first.items()}
        for number in self._numbers.values():
            number.requires_grad_(True)

    @property
    def numbers(self) -> dict[str, Tensor]:
        """As learnt so far, float32 on the CPU."""
        return {name: tensor.detach().cpu().clone() for name, tensor in self._numbers.items()}

    def learn(
        self,
        corrections: Sequence[TaughtBatch],
        known: Sequence[TaughtBatch],
        *,
        steps: int,
        weight: float,
    ) -> None:
        """Minimise the loss of a correction's token and ``weight`` times that of a known token.

        Of corrections it is the negative log-likelihood, of what is ``known`` (perhaps nothing) the
        cross-entropy with the teachers' probabilities. Each step sees one batch of both, drawn at
        random. Adam; the rate rises over 10 steps and falls to 0 on a line.

        Raises TrainingError where a loss is no number.
        """
        optimizer = torch.optim.Adam(self._numbers.values(), lr=_RATE, betas=_BETAS)
        for step in range(steps):
            share = min(1.0, (step + 1) / _WARMUP) * (1 - step / steps)
            for options in optimizer.param_groups:
                options["lr"] = _RATE * share
            optimizer.zero_grad()
            changed = self._put_in_place()
            loss = self._loss(self._drawn(corrections))
            if known:
                loss = loss + weight * self._loss(self._drawn(known))
            if not bool(loss.isfinite()):
                raise TrainingError(f"loss must be a number; got {loss.item()} in step {step + 1}")
            self._back(loss, changed)
            optimizer.step()

    def _put_in_place(self) -> dict[str, Tensor]:
        """The changed matrices, with a gradient to the numbers; the copy has their values."""
        changed = self._change.changed(self._base, self._numbers)
        for name, value in changed.items():
            weight = self._own[name]
            weight.requires_grad_(False).copy_(value.detach())
            weight.requires_grad_(True)
        return changed

    def _back(self, loss: Tensor, changed: dict[str, Tensor]) -> None:
        """Lay the loss's gradient down in the numbers, through the matrices.

        In two steps: recurrent layers hold on to their own parameters, and would not see others
        that were handed to them for a call.
        """
        slopes = torch.autograd.grad(loss, [self._own[name] for name in changed])
        torch.autograd.backward([*changed.values()], [*slopes])

    def _loss(self, batch: TaughtBatch) -> Tensor:
        """For each token about which something is said."""
        logits, _ = self._copy.step(batch.inputs, batch.encoded.start(self._copy))
        if batch.teachers is None:
            total, _ = token_loss(logits, batch.wanted)
        else:
            teacher = batch.teachers
            total = distillation_loss(logits, batch.wanted, teacher.tokens, teacher.log_probs)
        return total / (batch.wanted != PADDING).sum().clamp(min=1)

    def _drawn(self, batches: Sequence[TaughtBatch]) -> TaughtBatch:
        place = torch.randint(len(batches), (), generator=self._generator)
        return batches[int(place)]
