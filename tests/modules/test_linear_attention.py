"""Linear attention against its equation in float64, by sums and by whole weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from transduce.modules.dropout import Dropout
from transduce.modules.linear_attention import LinearAttention

NO_DROPOUT = Dropout(0.0)


def drawn(heads: int, pairs: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    torch.manual_seed(3)
    return [2 * torch.randn(3, count, 9, 5, dtype=dtype) for count in (heads, pairs, pairs)]


def by_the_equation(queries: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Katharopoulos et al. 2020, equation 4 with φ(x) = elu(x) + 1, one by one."""

    def feature(x: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x, np.exp(x) - 1) + 1

    out = np.zeros_like(queries)
    shared = len(queries) // len(keys)
    for h, own in enumerate(queries):
        for i, query in enumerate(own):
            weights = [feature(query) @ feature(key) for key in keys[h // shared]]
            out[h, i] = np.array(weights) @ values[h // shared] / sum(weights)
    return out


@pytest.mark.parametrize(("heads", "pairs"), [(1, 1), (4, 2), (3, 1)])
@pytest.mark.parametrize("whole", [False, True])
def test_it_is_the_paper_s(heads: int, pairs: int, whole: bool) -> None:
    queries, keys, values = drawn(heads, pairs)
    lengths = [9, 4, 1]
    mask = torch.arange(9) < torch.tensor(lengths)[:, None]
    found = LinearAttention(mask, whole=whole)(queries, keys, values, NO_DROPOUT)
    for b, length in enumerate(lengths):
        expected = by_the_equation(
            *(each[b, :, :length].numpy() for each in (queries, keys, values))
        )
        np.testing.assert_allclose(found[b, :, :length], expected, rtol=0, atol=1e-12)


def test_sums_are_float32_where_numbers_are_not() -> None:
    queries, keys, values = drawn(2, 2, torch.float32)
    attend = LinearAttention(torch.ones(3, 9, dtype=torch.bool))
    exact = attend(queries, keys, values, NO_DROPOUT)
    with torch.autocast("cpu", torch.bfloat16):
        within = attend(queries, keys, values, NO_DROPOUT)
    assert torch.equal(within, exact)
    halves = attend(*(each.bfloat16() for each in (queries, keys, values)), NO_DROPOUT)
    assert halves.dtype == torch.bfloat16
    torch.testing.assert_close(halves.float(), exact, atol=0.05, rtol=0.05)


def test_what_nothing_looks_at_is_no_number_gone_wrong() -> None:
    """φ of what is far below zero is above zero, and where all of it is not, the sum is 0."""
    values = torch.ones(1, 1, 2, 3)
    attend = LinearAttention(torch.ones(1, 2, dtype=torch.bool))
    low = torch.full((1, 1, 2, 3), -25.0)
    torch.testing.assert_close(attend(low, low, values, NO_DROPOUT), values)
    assert torch.equal(attend(4 * low, 4 * low, values, NO_DROPOUT), torch.zeros(1, 1, 2, 3))


def test_no_weights_are_made() -> None:
    """In training: what autograd keeps grows with the length alone."""
    kept = []
    for length in (64, 128):
        total = 0

        def count(tensor: Tensor) -> Tensor:
            nonlocal total
            total += tensor.numel()
            return tensor

        given = [torch.randn(1, 2, length, 4, requires_grad=True) for _ in range(3)]
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            LinearAttention(torch.ones(1, length, dtype=torch.bool))(*given, NO_DROPOUT)
        kept.append(total)
    assert kept[1] <= 2 * kept[0]
