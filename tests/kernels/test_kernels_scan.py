"""The border to the native recurrence: shapes, numbers and memory that it does not take."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from native_kernels import by_threads, require_kernels
from transduce.errors import EngineError
from transduce.kernels.scan import has_native_scan, scan, scan_back


@pytest.fixture(autouse=True)
def _kernels() -> None:
    require_kernels()


def given() -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.randn(3, 5, 18), torch.rand(3, 5, 18), torch.randn(3, 18)]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_do_not_change_a_bit(threads: int) -> None:
    def there_and_back() -> list[Tensor]:
        cells = scan(*given())
        return [cells, *scan_back(*given(), cells, torch.ones_like(cells))]

    for one, other in zip(*by_threads((1, threads), there_and_back), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v, k, f: (v, k[:, :-1], f), r"float32 \[3, 5, 18\]; got .*\[3, 4, 18\]"),
        (lambda v, k, f: (v, k, f[:, 1:]), r"float32 \[3, 18\]; got .*\[3, 17\]"),
        (lambda v, k, f: (v, k.double(), f), r"must be of float32"),
        (lambda v, k, f: (v, k.mT.contiguous().mT, f), "must be contiguous, on the CPU"),
    ],
    ids=["steps", "width", "numbers", "order"],
)
def test_what_does_not_fit_is_refused(
    change: Callable[..., tuple[Tensor, ...]], message: str
) -> None:
    with pytest.raises(EngineError, match=message):
        scan(*change(*given()))


def test_what_it_is_made_for() -> None:
    values = given()[0]
    assert has_native_scan(values)
    assert not has_native_scan(values.double())
    assert not has_native_scan(values.to("meta"))
    assert not has_native_scan(values[:, :0])  # nothing to do: steps one by one are none
