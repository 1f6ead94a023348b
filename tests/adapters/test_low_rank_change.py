"""What an adapter makes of a model, held against equations in float64, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from architectures import ARCHITECTURES, make_model, make_source, make_target, sentences
from transduce.adapters import Adapter, AdapterLearner, EncodedSources, LowRankChange, TaughtBatch
from transduce.config import ModelConfig
from transduce.engine import fast_stepper
from transduce.errors import ModelError
from transduce.interfaces import BEGIN, Source
from transduce.kernels.library import has_library
from transduce.models.build import build_model
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import named_weights

NAMES = ["lstm-additive", "gru-feeding", "transformer", "lstm-copy"]


def some_adapter(model: Seq2Seq, rank: int = 2) -> Adapter:
    change = LowRankChange(rank)
    generator = torch.Generator().manual_seed(5)
    numbers = {
        name: torch.randn(shape, generator=generator) / 4
        for name, shape in change.shapes(model).items()
    }
    return Adapter("0" * 64, change, numbers)


ROWS, TARGETS = sentences(3, 5), sentences(4, 2, seed=1)


def of_kind(name: str) -> Seq2Seq:
    return make_model(ARCHITECTURES[name])


def taught(model: Seq2Seq) -> TaughtBatch:
    return TaughtBatch.of(EncodedSources.of(model, make_source(ROWS)), TARGETS)


def test_logits_are_those_of_the_equations() -> None:
    stack = {"kind": "rnn", "width": 8, "dropout": 0.0}
    decoder = {**stack, "attention": "none", "bridge": "copy"}
    config = ModelConfig.model_validate({"encoder": stack, "decoder": decoder})
    model = build_model(config, 9, 9, None).eval()
    adapter = some_adapter(model)
    source, inputs = Source.of_tokens([[4, 5]]), torch.tensor([[BEGIN, 6, 7]])
    with torch.no_grad():
        found = adapter.changed_model(model)(source, inputs)[0].numpy()

    w = {name: tensor.double().numpy() for name, tensor in named_weights(model).items()}
    n = {name: tensor.double().numpy() for name, tensor in adapter.numbers.items()}
    layer = "decoder.stack.layers.0.kernel."
    known = {name.rpartition("weight_")[0] for name in n if "weight_ih" in name}
    layer = known.pop()
    W, U = (
        w[layer + key] + n[f"{layer}{key}.up"] @ n[f"{layer}{key}.down"] / np.sqrt(2)
        for key in ("weight_ih_l0", "weight_hh_l0")
    )
    hidden = model.start(source).rows["hidden"][0, 0].detach().double().numpy()
    for place, token in enumerate(inputs[0].tolist()):
        x = w["target_embedding.weight"][token] * np.sqrt(w["target_embedding.weight"].shape[1])
        x = np.concatenate([x, np.zeros(W.shape[1] - len(x))])
        sums = W @ x + U @ hidden + w[layer + "bias_ih_l0"] + w[layer + "bias_hh_l0"]
        hidden = np.tanh(sums)
        logits = w["output.weight"] @ hidden + w["output.bias"]
        np.testing.assert_allclose(found[place], logits, atol=2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_model_stays_and_shares_what_is_not_changed(name: str) -> None:
    model = of_kind(name)
    before = {name: tensor.clone() for name, tensor in named_weights(model).items()}
    adapter = some_adapter(model)
    other = named_weights(adapter.changed_model(model))
    changed = {name.rpartition(".")[0] for name in adapter.numbers}
    assert changed
    for key, tensor in named_weights(model).items():
        assert torch.equal(tensor, before[key])
        assert (other[key].data_ptr() == tensor.data_ptr()) == (key not in changed)
        assert key not in changed or not torch.equal(other[key], tensor)
        assert key not in changed or key.startswith("decoder.")


@pytest.mark.skipif(not has_library(), reason="there is no compiler")
@pytest.mark.parametrize("name", NAMES)
def test_the_engine_computes_the_adapted_model(name: str) -> None:
    model = of_kind(name)
    adapted = some_adapter(model).changed_model(model)
    source, target = make_source(ROWS), make_target(TARGETS)
    with torch.no_grad():
        wanted = adapted.step(target, adapted.start(source))[0]
        plain = model.step(target, model.start(source))[0]
    stepper = fast_stepper(adapted, "float32")
    found = stepper.step(target, stepper.start(source))[0]
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(plain, wanted, atol=1e-2)


@pytest.mark.parametrize("name", ["lstm-additive", "transformer"])
def test_a_gradient_reaches_the_adapter_alone(name: str) -> None:
    model = of_kind(name)
    before = {key: tensor.clone() for key, tensor in named_weights(model).items()}
    learner = AdapterLearner(model, LowRankChange(2), seed=3)
    first = learner.numbers
    batch = taught(model)
    learner.learn([batch], [], steps=1, weight=0.0)
    for key, tensor in named_weights(model).items():
        assert torch.equal(tensor, before[key])
        assert tensor.grad is None
    moved = {key for key, value in learner.numbers.items() if not torch.equal(value, first[key])}
    assert moved == {key for key in first if key.endswith(".up")}  # up is zero: down has no slope


def test_the_gradient_is_that_of_the_product() -> None:
    """∂L/∂B = (∂L/∂W) Aᵀ / √r, by autograd in one model and by hand from another's."""
    model = of_kind("transformer").double()
    change = LowRankChange(3)
    numbers = {
        name: tensor.double().requires_grad_(True)
        for name, tensor in some_adapter(model, 3).numbers.items()
    }
    weights = {name: p.detach() for name, p in model.named_parameters()}
    changed = change.changed(weights, numbers)
    slopes = {name: torch.randn_like(weight) for name, weight in changed.items()}
    torch.autograd.backward([*changed.values()], [slopes[name] for name in changed])
    for name, slope in slopes.items():
        up, down = numbers[f"{name}.up"], numbers[f"{name}.down"]
        S, A, B = (t.detach().numpy() for t in (slope, down, up))
        assert up.grad is not None
        assert down.grad is not None
        np.testing.assert_allclose(up.grad.numpy(), S @ A.T / np.sqrt(3))
        np.testing.assert_allclose(down.grad.numpy(), B.T @ S / np.sqrt(3))


def test_a_scaled_change_is_that_share_of_it() -> None:
    model, change = of_kind("gru-general"), LowRankChange(2)
    numbers = some_adapter(model).numbers
    weights = {name: p.detach() for name, p in model.named_parameters()}
    whole, part = (
        change.changed(weights, found) for found in (numbers, change.scaled(numbers, 0.75))
    )
    assert part
    for name, weight in part.items():
        expected = weights[name] + 0.75 * (whole[name] - weights[name])
        torch.testing.assert_close(weight, expected)


def test_learning_makes_the_loss_small_and_is_repeatable() -> None:
    model = of_kind("gru-general")
    batch = taught(model)
    found = []
    for _ in range(2):
        learner = AdapterLearner(model, LowRankChange(4), seed=1)
        learner.learn([batch], [batch], steps=60, weight=1.0)
        found.append(learner.numbers)
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
    adapted = Adapter("0" * 64, LowRankChange(4), found[0]).changed_model(model)
    losses = []
    for each in (model, adapted):
        with torch.no_grad():
            logits = each.step(batch.inputs, batch.encoded.start(each))[0]
        losses.append(torch.nn.functional.cross_entropy(logits.transpose(1, 2), batch.wanted))
    assert float(losses[1]) < 0.8 * float(losses[0])


def test_a_decoder_without_matrices_is_refused() -> None:
    model = of_kind("gru-general")
    model.decoder = torch.nn.Identity()  # type: ignore[assignment]
    with pytest.raises(ModelError, match="model must have a decoder with affine maps"):
        LowRankChange(2).shapes(model)
