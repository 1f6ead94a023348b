"""What an explanation does to modules is seen by nobody who predicts meanwhile."""

from __future__ import annotations

from dataclasses import replace
from threading import Thread

import pytest
import torch
from torch import Tensor, nn

from architectures import ARCHITECTURES, make_model, make_source_for
from transduce.explain.asking.own_modules import own_modules
from transduce.explain.asking.subject import Subject
from transduce.explain.attentions.attention_maps import run
from transduce.explain.explaining import explain
from transduce.explain.method import UnitWeights
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import named_weights
from transduce.models.transformer import TransformerEncoder
from transduce.workflow.trained import TrainedModel


class Disturbing:
    """A method that zeroes what the encoder gives while another thread predicts."""

    name = "disturbing"

    def __init__(self, trained: TrainedModel) -> None:
        self._trained = trained
        self.disturbed: Tensor | None = None
        self.said: list[str] = []

    def weigh(self, subject: Subject) -> UnitWeights:
        def zero(module: nn.Module, given: object, gave: Tensor) -> Tensor:
            self.disturbed = gave
            return torch.zeros_like(gave)

        def predict() -> None:
            (outputs,) = self._trained.predict(["abc"], self._trained.config.search)
            self.said.append(outputs[0].text)

        handle = subject.modules.source_embedding.register_forward_hook(zero)
        for parameter in subject.modules.parameters():
            parameter.requires_grad_(False)
        thread = Thread(target=predict)
        thread.start()
        thread.join()
        subject.modules(subject.source, subject.prefix)
        handle.remove()
        raise InterruptedError  # enough was seen


def test_a_prediction_beside_an_explanation_is_as_it_is_alone(run) -> None:
    trained = TrainedModel.load(run.folder)
    trained = replace(trained, config=trained.config.updated({"engine": "reference"}))
    method = Disturbing(trained)
    with pytest.raises(InterruptedError):
        explain(trained, "abc", method=method)
    assert method.disturbed is not None
    assert method.said == ["cba"]
    assert all(parameter.requires_grad for parameter in trained.model.parameters())


def test_modules_are_others_and_weights_are_not_copied() -> None:
    model = make_model(ARCHITECTURES["transformer"])
    own = own_modules(model)
    mine, theirs = list(model.modules()), set(map(id, own.modules()))
    assert not any(id(module) in theirs for module in mine)
    before, after = named_weights(model), named_weights(own)
    assert list(before) == list(after)
    assert all(before[name].data_ptr() == after[name].data_ptr() for name in before)


def test_whole_weights_are_switched_on_in_modules_of_ones_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = make_model(ARCHITECTURES["linear-window"])
    seen = []

    def look(self: TransformerEncoder, *given: object) -> None:
        seen.append((self.whole_weights, model.encoder.whole_weights))
        raise InterruptedError

    monkeypatch.setattr(TransformerEncoder, "forward", look)
    own: Seq2Seq = own_modules(model)
    source = make_source_for(model, [[4, 5]])
    with pytest.raises(InterruptedError):
        run(own, source, torch.tensor([[2]]))
    assert seen == [(True, False)]
    assert not own.encoder.whole_weights
