"""The pointer-generator against See et al. 2017, equations 8 and 9, in NumPy float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from transduce.config import Config
from transduce.errors import ConfigError
from transduce.interfaces import BEGIN, END, PADDING, UNKNOWN
from transduce.models.build import build_model
from transduce.models.copying import PointerGenerator, copy_map

SPECIALS = ["<pad>", "<unk>", "<bos>", "<eos>"]


def test_mixture_of_generating_and_copying() -> None:
    generator = np.random.default_rng(1)
    sentences, beams, steps, length, vocabulary, width = 2, 3, 4, 5, 9, 6
    rows = sentences * beams
    symbols = torch.tensor([1, 1, 1, 3, 4, 8, 7])
    pointer = PointerGenerator(width, 2, symbols).double()
    logits = generator.normal(size=(rows, steps, vocabulary))
    outputs = generator.normal(size=(rows, steps, width))
    embedded = generator.normal(size=(rows, steps, 2))
    attention = generator.dirichlet(np.ones(length), size=(rows, steps))
    tokens = generator.integers(3, 7, size=(sentences, length))

    gate = pointer.gate.weight.detach().numpy()[0]
    score = np.concatenate([outputs, embedded], -1) @ gate + pointer.gate.bias.item()
    generate = 1 / (1 + np.exp(-score))[..., None]
    expected = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True) * generate
    for row in range(rows):
        for place in range(length):
            symbol = int(symbols[tokens[row // beams, place]])
            expected[row, :, symbol] += (1 - generate[row, :, 0]) * attention[row, :, place]

    found = pointer(
        *(torch.tensor(values) for values in (logits, outputs, embedded, attention, tokens))
    )
    probabilities = found.softmax(-1).detach().numpy()
    np.testing.assert_allclose(probabilities, expected, atol=1e-12)


def test_gradients_of_the_mixture() -> None:
    symbols = torch.tensor([1, 1, 1, 3, 4, 6, 5])
    pointer = PointerGenerator(3, 2, symbols).double()
    # 1: a symbol twice, 2: an unknown one, 3: END
    tokens = torch.tensor([[4, 5, 4, 3], [6, 2, 2, 3]])
    torch.manual_seed(2)
    inputs = [torch.randn(2, 2, size).double().requires_grad_() for size in (7, 3, 2)]
    attention = torch.rand(2, 2, 4).double().requires_grad_()

    def log_probabilities(*given: torch.Tensor) -> torch.Tensor:
        mixed: torch.Tensor = pointer(*given, tokens)
        return mixed.log_softmax(-1)

    assert torch.autograd.gradcheck(log_probabilities, (*inputs, attention))


def test_symbols_are_matched_by_their_text() -> None:
    found = copy_map([*SPECIALS, "a", "b", "z"], [*SPECIALS, "b", "a"])
    assert found.tolist() == [UNKNOWN, UNKNOWN, UNKNOWN, END, 5, 4, UNKNOWN]
    assert PADDING not in found
    assert BEGIN not in found


def test_copying_needs_attention_and_a_map() -> None:
    stack = {"kind": "gru", "width": 8}
    section = {"encoder": stack, "decoder": {**stack, "attention": "none"}, "copy": True}
    config = Config.from_mapping({"model": section}).model
    with pytest.raises(ConfigError, match=r"model\.decoder\.attention must not be none"):
        build_model(config, 6, 6, torch.arange(6))
    config = Config.from_mapping({"model": {**section, "decoder": stack}}).model
    with pytest.raises(ConfigError, match="copy_map must be given"):
        build_model(config, 6, 6)


def test_tying_all_needs_one_vocabulary() -> None:
    config = Config.from_mapping({"model": {"preset": "gru-tiny", "tie": "all"}}).model
    with pytest.raises(ConfigError, match=r"model\.tie must be none or target where .* differ"):
        build_model(config, 6, 7)
