"""What is chosen on a GPU, and the model in bfloat16 that runs there."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from architectures import ARCHITECTURES, make_model, make_source_for, make_target, sentences
from transduce.config import SearchConfig
from transduce.engine import choose_engine
from transduce.engine.choice import in_bfloat16
from transduce.errors import EngineError
from transduce.search import decode

SOURCES = sentences(6, 2, 20, 0, seed=1)
TARGETS = sentences(5, 3, 9, 1, seed=2)
GPU = torch.device("cuda")


def gpu(monkeypatch: pytest.MonkeyPatch, *, multiplies_bfloat16: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: multiplies_bfloat16)


def test_a_gpu_runs_bfloat16_where_it_multiplies_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu(monkeypatch, multiplies_bfloat16=True)
    assert choose_engine("auto", GPU).number == "bfloat16"
    assert choose_engine("bfloat16", GPU).reason == "asked for"
    assert choose_engine("reference", GPU).number is None
    with pytest.raises(EngineError, match="must be auto, bfloat16 or reference on cuda; got int8"):
        choose_engine("int8", GPU)


def test_elsewhere_the_model_itself_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu(monkeypatch, multiplies_bfloat16=False)
    for device in (GPU, torch.device("mps")):
        assert choose_engine("auto", device).number is None
        with pytest.raises(EngineError, match=r"must be auto or reference on \w+; got bfloat16"):
            choose_engine("bfloat16", device)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_runs_in_bfloat16(name: str) -> None:
    model = make_model(ARCHITECTURES[name])
    half = in_bfloat16(model)
    source, target = make_source_for(model, SOURCES), make_target(TARGETS)
    with torch.inference_mode():
        expected = model(source, target)
        state, columns = half.start(source), []
        for column in target.unbind(dim=1):
            logits, state = half.step(column[:, None], state)
            columns.append(logits.float())
    assert_close(torch.cat(columns, dim=1), expected, atol=0.1, rtol=0)
    outputs = decode(half, source, SearchConfig(beam=3, max_length=8))
    assert len(outputs) == len(SOURCES)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
