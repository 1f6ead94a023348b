from __future__ import annotations

import torch
from torch import Tensor, nn
from training_fakes import ToyBatches, ToyModel

from transduce.interfaces import BEGIN, END, PADDING, UNKNOWN, Source
from transduce.training.objectives.decoder_inputs import hide_inputs, mix_inputs


class Successor(nn.Module):
    """Always expects the token after the one it reads; counts its passes."""

    passes = 0

    def forward(self, source: Source, inputs: Tensor) -> Tensor:
        self.passes += 1
        assert not torch.is_grad_enabled()
        return nn.functional.one_hot(inputs + 1, 20).float()


SOURCE = Source(torch.tensor([[4, END]]), torch.tensor([2]))


def test_nothing_sampled_costs_nothing() -> None:
    model, inputs = Successor(), torch.tensor([[BEGIN, 7, 9]])
    assert mix_inputs(model, SOURCE, inputs, 0.0) is inputs
    assert model.passes == 0


def test_everything_sampled_is_the_guess_before_each_position() -> None:
    inputs = torch.tensor([[BEGIN, 7, 9, 5, PADDING]])
    mixed = mix_inputs(Successor(), SOURCE, inputs, 1.0)
    assert mixed.tolist() == [[BEGIN, BEGIN + 1, 8, 10, PADDING]]


def test_share_of_replaced_positions() -> None:
    inputs = torch.full((200, 51), 7)
    inputs[:, 0] = BEGIN
    mixed = mix_inputs(Successor(), SOURCE, inputs, 0.25)
    share = float((mixed[:, 1:] != 7).float().mean())
    assert abs(share - 0.25) < 0.02  # 4.6 standard deviations of 10,000 draws


def test_gold_tokens_stay_in_the_batch() -> None:
    batch = next(ToyBatches().iterate(0))
    before = batch.target.clone()
    mix_inputs(ToyModel(), batch.source, batch.target_input, 1.0)
    assert torch.equal(batch.target, before)


def test_nothing_hidden_costs_nothing() -> None:
    inputs = torch.tensor([[BEGIN, 7, 9]])
    assert hide_inputs(inputs, 0.0) is inputs


def test_everything_hidden_but_begin_and_padding() -> None:
    inputs = torch.tensor([[BEGIN, 7, 9, 5, PADDING]])
    assert hide_inputs(inputs, 1.0).tolist() == [[BEGIN, UNKNOWN, UNKNOWN, UNKNOWN, PADDING]]


def test_share_of_hidden_positions() -> None:
    inputs = torch.full((200, 51), 7)
    hidden = (hide_inputs(inputs, 0.25) == UNKNOWN).float().mean()
    assert abs(float(hidden) - 0.25 * 50 / 51) < 0.02
