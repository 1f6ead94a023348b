"""The border to the native scan of state spaces: shapes and numbers that it does not take."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from native_kernels import by_threads, require_kernels
from transduce.errors import EngineError
from transduce.kernels.selective_scan import (
    has_native_selective_scan,
    selective_scan,
    selective_scan_back,
)


@pytest.fixture(autouse=True)
def _kernels() -> None:
    require_kernels()


def given() -> list[Tensor]:
    torch.manual_seed(1)
    shape = (3, 70, 36)
    return [torch.randn(shape), torch.rand(shape), -torch.rand(5, 36), torch.randn(3, 70, 20)]


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_do_not_change_a_bit(threads: int) -> None:
    def there_and_back() -> list[Tensor]:
        outputs, states = selective_scan(*given())
        return [outputs, *selective_scan_back(*given(), states, outputs)]

    for one, other in zip(*by_threads((1, threads), there_and_back), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v, d, a, s: (v, d[:, :-1], a, s), r"float32 \[3, 70, 36\]; got .*\[3, 69, 36\]"),
        (lambda v, d, a, s: (v, d, a[:, 1:], s), r"float32 \[5, 36\]; got .*\[5, 35\]"),
        (lambda v, d, a, s: (v, d, a, s[:, :, 1:]), r"float32 \[3, 70, 20\]; got .*\[3, 70, 19\]"),
        (lambda v, d, a, s: (v, d.double(), a, s), r"must be of float32"),
        (lambda v, d, a, s: (v, d.mT.contiguous().mT, a, s), "must be contiguous, on the CPU"),
        (lambda v, d, a, s: (v[..., :35].contiguous(), d[..., :35].contiguous(),
                             a[:, :35].contiguous(), s), "sizes of a run must agree"),
    ],
    ids=["steps", "rates", "selection", "numbers", "order", "odd"],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    change: Callable[..., tuple[Tensor, ...]], message: str
) -> None:
    with pytest.raises(EngineError, match=message):
        selective_scan(*change(*given()))


def test_what_it_is_made_for() -> None:
    values = given()[0]
    assert has_native_selective_scan(values)
    assert not has_native_selective_scan(values.double())
    assert not has_native_selective_scan(values.to("meta"))
    assert not has_native_selective_scan(values[:, :0])
