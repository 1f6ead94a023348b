from __future__ import annotations

import numpy as np
import pytest
import torch

import transduce.training.objectives.token_loss as loss_module
from transduce.interfaces import PADDING
from transduce.training.objectives.token_loss import token_loss


def loss_in_numpy(logits: np.ndarray, targets: np.ndarray, smoothing: float) -> float:
    """Szegedy et al. 2016, section 7: H(q, p) with q = (1 - ε)·[k = y] + ε / V."""
    vocabulary = logits.shape[-1]
    total = 0.0
    for row, target in zip(logits.reshape(-1, vocabulary), targets.reshape(-1), strict=True):
        if target == PADDING:
            continue
        log_p = row - row.max() - np.log(np.exp(row - row.max()).sum())
        q = np.full(vocabulary, smoothing / vocabulary)
        q[target] += 1 - smoothing
        total -= (q * log_p).sum()
    return float(total)


def example(vocabulary: int = 11) -> tuple[torch.Tensor, torch.Tensor]:
    targets = torch.randint(1, vocabulary, (3, 5))
    targets[1, 3:] = PADDING
    targets[2, 1:] = PADDING
    return torch.randn(3, 5, vocabulary, dtype=torch.float64) * 3, targets


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_equals_the_published_formula(smoothing: float) -> None:
    logits, targets = example()
    objective, likelihood = token_loss(logits, targets, smoothing)
    expected = loss_in_numpy(logits.numpy(), targets.numpy(), smoothing)
    np.testing.assert_allclose(objective, expected, rtol=1e-12)
    np.testing.assert_allclose(
        likelihood, loss_in_numpy(logits.numpy(), targets.numpy(), 0.0), rtol=1e-12
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_gradient_is_that_of_the_formula(smoothing: float) -> None:
    logits, targets = example()
    logits.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda numbers: token_loss(numbers, targets, smoothing)[0], (logits,)
    )


def test_padding_has_no_gradient() -> None:
    logits, targets = example()
    logits.requires_grad_()
    token_loss(logits, targets, 0.1)[0].backward()
    norms = logits.grad.abs().sum(-1)
    assert torch.equal(norms > 0, targets != PADDING)


def test_blocks_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, targets = example()
    logits.requires_grad_()
    whole = token_loss(logits, targets, 0.1)[0]
    (gradient,) = torch.autograd.grad(whole, logits)
    monkeypatch.setattr(loss_module, "_BLOCK", {"cpu": 40})  # three rows and a bit
    blocks = token_loss(logits, targets, 0.1)[0]
    torch.testing.assert_close(blocks, whole, rtol=1e-12, atol=0)
    torch.testing.assert_close(torch.autograd.grad(blocks, logits)[0], gradient)


def test_bfloat16_logits_are_summed_in_float32() -> None:
    logits, targets = example()
    short = logits.bfloat16().requires_grad_()
    objective, likelihood = token_loss(short, targets, 0.1)
    assert objective.dtype == likelihood.dtype == torch.float32
    expected = loss_in_numpy(short.detach().double().numpy(), targets.numpy(), 0.1)
    np.testing.assert_allclose(objective.detach(), expected, rtol=1e-6)
    objective.backward()
    assert short.grad.dtype == torch.bfloat16


def test_large_logits_do_not_overflow() -> None:
    logits = torch.tensor([[[1e4, -1e4, 0.0]]], requires_grad=True)
    objective, _ = token_loss(logits, torch.tensor([[1]]))
    assert float(objective.detach()) == pytest.approx(2e4)
    objective.backward()
    torch.testing.assert_close(logits.grad, torch.tensor([[[1.0, -1.0, 0.0]]]))
