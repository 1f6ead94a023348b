"""The compiled loss against the one written in torch, which is held to the formula."""

from __future__ import annotations

import pytest
import torch
from engine_kernels import kernels
from torch.testing import assert_close

import transduce.training.objectives.token_loss as loss_module
from transduce.interfaces import PADDING
from transduce.training.objectives.token_loss import has_native_loss, token_loss


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [5, 16, 61, 1030])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_is_the_loss_written_in_torch(dtype, size, smoothing, monkeypatch):
    kernels()
    numbers = (torch.randn(3, 7, size) * 4).to(dtype)
    targets = torch.randint(1, size, (3, 7))
    targets[0, 3:] = PADDING
    results = []
    for native in (True, False):
        monkeypatch.setattr(loss_module, "has_native_loss", lambda logits, native=native: native)
        logits = numbers.clone().requires_grad_()
        objective, likelihood = token_loss(logits, targets, smoothing)
        (objective / 13).backward()
        results.append((objective.detach(), likelihood, logits.grad.float()))
    native, plain = results
    assert_close(native[0], plain[0], rtol=2e-6, atol=1e-5)
    assert_close(native[1], plain[1], rtol=2e-6, atol=1e-5)
    # A gradient is rounded to its dtype: bfloat16 has 8 bits.
    assert_close(native[2], plain[2], rtol=1e-2 if dtype == torch.bfloat16 else 1e-5, atol=1e-7)
    assert native[2][targets == PADDING].abs().max() == 0


def test_is_used_where_it_can_be():
    kernels()
    assert has_native_loss(torch.zeros(2, 3))
    assert not has_native_loss(torch.zeros(2, 3, dtype=torch.float64))


def test_gradients_are_scaled_by_what_comes_after():
    kernels()
    logits = torch.randn(4, 9, requires_grad=True)
    targets = torch.tensor([3, 4, 5, PADDING])
    (once,) = torch.autograd.grad(token_loss(logits, targets)[0], logits)
    (thrice,) = torch.autograd.grad(token_loss(logits, targets)[0] * 3, logits)
    assert_close(thrice, 3 * once)
