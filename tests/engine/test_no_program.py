"""A model with a module that the engine has no program for runs as it is, and says so once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
from engine_kernels import kernels
from torch import Tensor, nn

from architectures import ARCHITECTURES, make_model, make_source
from transduce.config import SearchConfig
from transduce.engine import choice, engine_of, fast_stepper
from transduce.errors import EngineError
from transduce.interfaces import Memory, Source
from transduce.models.seq2seq import Seq2Seq
from transduce.search import decode


class MeanEncoder(nn.Module):
    """Each vector beside the mean of all: made up for this test."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.width = out
        self.project = nn.Linear(2 * width, out)

    def forward(self, vectors: Tensor, source: Source) -> Memory:
        real = source.mask[..., None]
        mean = (vectors * real).sum(1, keepdim=True) / source.lengths[:, None, None]
        found = torch.tanh(self.project(torch.cat([vectors, mean.expand_as(vectors)], dim=2)))
        return Memory(found, source.mask, source.tokens, found.mean(1, keepdim=True))


class Around(nn.Module):
    """A module that does what another does, and is of no known class."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        own = super().__getattr__
        return own(name) if name in ("inner", "_modules") else getattr(own("inner"), name)

    def forward(self, *given: Any) -> Any:
        return self.inner(*given)


def with_encoder(model: Seq2Seq) -> None:
    model.encoder = MeanEncoder(model.source_embedding.width, model.encoder.width)


def with_decoder(model: Seq2Seq) -> None:
    model.decoder = Around(model.decoder)


def with_score(model: Seq2Seq) -> None:
    model.decoder.attention.score = Around(model.decoder.attention.score)


MADE_UP: dict[str, tuple[str, Callable[[Seq2Seq], None], str]] = {
    "encoder": ("gru-general", with_encoder, "encoder must be .* a program for; got MeanEncoder"),
    "decoder": ("transformer-learned", with_decoder, "decoder must be .* for; got Around"),
    "attention": ("gru-general", with_score, "attention must be .* for; got Around"),
}


@pytest.mark.parametrize("what", MADE_UP)
def test_it_runs_as_the_model_itself(what: str, caplog: pytest.LogCaptureFixture) -> None:
    kernels()
    choice._say_once.cache_clear()
    kind, change, said = MADE_UP[what]
    model = make_model(ARCHITECTURES[kind]).eval()
    change(model)
    with caplog.at_level(logging.WARNING, logger="transduce"):
        assert fast_stepper(model) is model
        assert fast_stepper(model) is model
    [told] = caplog.messages
    assert told.startswith(f"predictions run without native kernels: {what} must be one that")
    outputs = decode(model, make_source([[5, 6, 7], [8]]), SearchConfig(beam=3, max_length=4))
    assert len(outputs) == 2
    for numbers in ("float32", "bfloat16", "int8"):
        with pytest.raises(EngineError, match=said):
            fast_stepper(model, numbers)
    engine, stepper = engine_of(model, "auto")
    assert engine.number is None
    assert stepper is model
    choice._say_once.cache_clear()
