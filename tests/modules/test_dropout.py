from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from transduce.modules.dropout import Dropout, dropout


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.9])
def test_rate_and_mean_are_right(rate):
    torch.manual_seed(1)
    count = 400_000
    dropped = dropout(torch.ones(count), rate)
    zeros = (dropped == 0).double().mean().item()
    # Four standard deviations of a binomial, plus the rounding of the rate.
    assert abs(zeros - rate) < 4 * math.sqrt(rate * (1 - rate) / count) + 1 / 65536
    kept = dropped[dropped != 0]
    assert kept.min() == kept.max()
    torch.testing.assert_close(kept[0].item(), 1 / (1 - rate), rtol=2e-4, atol=0)


def test_entries_are_independent_of_their_neighbours():
    torch.manual_seed(2)
    kept = (dropout(torch.ones(400_000), 0.5) != 0).double() - 0.5
    # Four entries share one random number: lags 1 to 4 would show what they have in common.
    for lag in (1, 2, 3, 4, 8):
        correlation = (kept[lag:] * kept[:-lag]).mean().item() / 0.25
        assert abs(correlation) < 4 / math.sqrt(len(kept))


def test_gradient_is_the_mask():
    torch.manual_seed(3)
    vectors = torch.randn(7, 5, 3, dtype=torch.float64, requires_grad=True)
    dropped = dropout(vectors, 0.25)
    dropped.sum().backward()
    assert vectors.grad is not None
    torch.testing.assert_close(vectors.grad * vectors.detach(), dropped.detach())
    assert 0 < (vectors.grad == 0).sum() < vectors.numel()


def test_seed_decides():
    first, second, other = (
        (torch.manual_seed(seed), dropout(torch.ones(50), 0.5))[1] for seed in (4, 4, 5)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_keeps_dtype_and_shape():
    vectors = torch.ones(3, 5, dtype=torch.bfloat16).t()
    dropped = dropout(vectors, 0.5)
    assert dropped.dtype == torch.bfloat16
    assert dropped.shape == (5, 3)


def test_module_rests_outside_training():
    layer = Dropout(0.9).eval()
    vectors = torch.randn(100)
    assert torch.equal(layer(vectors), vectors)
    assert not torch.equal(layer.train()(vectors), vectors)
    assert torch.equal(Dropout(0.0)(vectors), vectors)
    assert "0.9" in repr(nn.Sequential(layer))


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_refuses_a_rate_that_is_none(rate):
    with pytest.raises(ValueError, match=r"rate must be in \[0, 1\)"):
        Dropout(rate)
