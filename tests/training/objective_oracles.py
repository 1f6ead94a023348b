"""Passes for tests of objectives, and what a loss is by its equation."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor
from training_fakes import ToyBatches

from architectures import make_source_for, make_target, sentences
from transduce.interfaces import PADDING, Batch
from transduce.models.seq2seq import Seq2Seq
from transduce.training.objectives.forward import Forward

BATCH = next(iter(ToyBatches().iterate(0)))


def forward_of(model: Any, batch: Batch = BATCH) -> Forward:
    return Forward(model, batch, batch.target_input, nullcontext)


def log_softmax(logits: Tensor) -> np.ndarray:
    numbers = logits.detach().double().numpy()
    shifted = numbers - numbers.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def nll(logits: Tensor, targets: Tensor, smoothing: float) -> float:
    log_p, gold = log_softmax(logits), targets.numpy()
    plain = np.take_along_axis(log_p, gold[..., None], -1)[..., 0]
    each = -(1 - smoothing) * plain - smoothing * log_p.mean(-1)
    return float(each[gold != PADDING].sum())


def real_batch(model: Seq2Seq) -> Batch:
    rows = sentences(3, 6, 2, 5, 4)
    target = make_target([[*row, 3] for row in rows])
    lengths = torch.tensor([len(row) + 1 for row in rows])
    return Batch(make_source_for(model, rows), target, lengths, tuple(range(len(rows))))
