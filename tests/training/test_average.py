from __future__ import annotations

import pytest
import torch
from torch import nn
from training_fakes import toy_config

from transduce.training.average import LastAverage, MovingAverage, choose_average, swapped


def one_weight(value: float = 1.0) -> nn.Linear:
    model = nn.Linear(1, 1, bias=False)
    set_weight(model, value)
    return model


def set_weight(model: nn.Linear, value: float) -> None:
    with torch.no_grad():
        model.weight.fill_(value)


def value_of(weights: list[torch.Tensor] | None) -> float:
    assert weights is not None
    return float(weights[0])


def test_moving_average_in_numbers() -> None:
    model = one_weight(1.0)
    average = MovingAverage(model, decay=0.2)
    set_weight(model, 3.0)
    average.after_step()  # decay min(0.2, 2/11) = 2/11
    first = 2 / 11 * 1.0 + 9 / 11 * 3.0
    assert value_of(average.weights()) == pytest.approx(first)
    set_weight(model, 5.0)
    average.after_step()  # decay min(0.2, 3/12) = 0.2
    assert value_of(average.weights()) == pytest.approx(0.2 * first + 0.8 * 5.0)


def test_last_average_in_numbers() -> None:
    model = one_weight()
    average = LastAverage(model, count=3)
    assert average.weights() is None
    for value in (1.0, 2.0, 4.0, 9.0):
        set_weight(model, value)
        average.before_scoring()
    assert value_of(average.weights()) == pytest.approx((2 + 4 + 9) / 3)


@pytest.mark.parametrize("kind", ["none", "ema", "last"])
def test_goes_on_from_its_tensors(kind: str) -> None:
    config = toy_config(average=kind, average_last=2)
    model = one_weight(1.0)
    average = choose_average(model, config)
    for value in (2.0, 3.0, 7.0):
        set_weight(model, value)
        average.after_step()
        average.before_scoring()
    kept = {name: tensor.clone() for name, tensor in average.tensors().items()}
    other_model = one_weight(7.0)
    other = choose_average(other_model, config)
    other.restore(kept)
    for one, its in ((model, average), (other_model, other)):
        set_weight(one, 11.0)
        its.after_step()
        its.before_scoring()
    if kind == "none":
        assert average.weights() is None
    else:
        assert value_of(other.weights()) == value_of(average.weights())


def test_swapped_gives_the_weights_back_bit_by_bit() -> None:
    model = one_weight(0.1)
    average = MovingAverage(model, decay=0.9)
    set_weight(model, 0.3)
    before = model.weight.clone()
    with swapped(model, average):
        assert float(model.weight.detach()) == pytest.approx(0.1)
    assert torch.equal(model.weight, before)
