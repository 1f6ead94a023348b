"""Outputs drawn of a model in training, by itself or by the engine, and how they are scored."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass

import pytest
import torch
from training_fakes import ToyBatches

import transduce.training.risk.engine_draw as engine_draw
from architectures import ARCHITECTURES, make_model
from native_kernels import require_kernels
from transduce.errors import NoProgramError
from transduce.interfaces import BEGIN, END, PADDING, UNKNOWN, Batch
from transduce.models.seq2seq import Seq2Seq
from transduce.modules.dropout import Dropout
from transduce.training.objectives.forward import Forward
from transduce.training.risk.drawn_outputs import draw_from, draw_outputs
from transduce.training.risk.engine_draw import EngineDraw
from transduce.training.risk.sample import Draw
from transduce.training.risk.scored_outputs import distinct_outputs, score_outputs

BATCH = next(iter(ToyBatches().iterate(0)))
KINDS = ["gru-general", "transformer"]


def forward_of(model: Seq2Seq, batch: Batch = BATCH) -> Forward:
    return Forward(model, batch, batch.target_input, nullcontext)


@pytest.mark.parametrize("engine", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_outputs_are_drawn_by_the_models_probabilities(name: str, engine: bool) -> None:
    """Those of now, also where the engine has drawn from others before."""
    model = make_model(ARCHITECTURES[name])
    batch = ToyBatches(pairs=1, size=1).iterate(0)
    forward = forward_of(model, next(iter(batch)))
    draw = EngineDraw(model) if engine else draw_outputs
    draw(forward, 2, 3)
    with torch.no_grad():
        model.output.bias.copy_(torch.linspace(-1, 1, len(model.output.bias)))
    forward = forward_of(model, forward.batch)
    torch.manual_seed(1)
    drawn = draw(forward, 4000, 3)
    assert not ({UNKNOWN, BEGIN} & set(drawn.flatten().tolist()))
    for row in drawn.tolist():
        ends = row.index(END) if END in row else len(row)
        assert PADDING not in row[:ends]
        assert set(row[ends + 1 :]) <= {PADDING}
    logits = forward.logits[0, 0].detach().double()
    logits[[PADDING, UNKNOWN, BEGIN]] = -torch.inf
    first = Counter(drawn[:, 0].tolist())
    for token, share in enumerate(torch.softmax(logits, -1).tolist()):
        assert abs(first[token] / 4000 - share) < 5 * (share * (1 - share) / 4000) ** 0.5 + 1e-9


def test_sentences_that_have_ended_are_let_go_and_the_others_go_on() -> None:
    """A table of tokens by sentence and place, so that nothing is left to chance."""
    tokens = torch.tensor([[4, END, 9, 9], [5, 6, 7, END], [END, 9, 9, 9], [8, 8, 8, 8]])
    sizes: list[int] = []

    def step(read: torch.Tensor, state: TableState) -> tuple[torch.Tensor, TableState]:
        sizes.append(len(state.sentences))
        said = tokens[state.sentences, len(sizes) - 1].repeat_interleave(2)
        return torch.nn.functional.one_hot(said, 10)[:, None] * 1e4, state

    drawn = draw_from(step, TableState(torch.arange(4)), 2, 4)
    assert sizes == [4, 3, 2, 2]
    expected = [[4, END, 0, 0], [5, 6, 7, END], [END, 0, 0, 0], [8, 8, 8, 8]]
    assert drawn.tolist() == [row for row in expected for _ in range(2)]


@dataclass(frozen=True)
class TableState:
    sentences: torch.Tensor
    attention: None = None

    @property
    def mask(self) -> torch.Tensor:
        return torch.ones(len(self.sentences), 1, dtype=torch.bool)

    def expand(self, beams: int) -> TableState:
        return self

    def reorder(self, rows: torch.Tensor) -> TableState:
        return self

    def select(self, sentences: torch.Tensor) -> TableState:
        return TableState(self.sentences[sentences])


def test_the_engine_draws_without_the_models_dropout() -> None:
    require_kernels()
    model = make_model(ARCHITECTURES["transformer"])
    for module in model.modules():
        if isinstance(module, Dropout):
            module.rate = 0.5
    engine = EngineDraw(model)

    def drawn(draw: Draw, *, training: bool) -> object:
        torch.manual_seed(4)
        return draw(forward_of(model.train(training)), 8, 6).tolist()

    assert drawn(engine, training=True) == drawn(engine, training=False)
    assert drawn(draw_outputs, training=True) != drawn(draw_outputs, training=False)


def test_what_the_engine_has_no_program_for_draws_itself(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = []

    def none(model: Seq2Seq, choice: str) -> Seq2Seq:
        asked.append(choice)
        raise NoProgramError.of("encoder", model.encoder)

    monkeypatch.setattr(engine_draw, "fast_stepper", none)
    model = make_model(ARCHITECTURES["gru-general"])
    draw = EngineDraw(model)
    found = []
    for way in (draw, draw_outputs, draw):
        torch.manual_seed(4)
        found.append(way(forward_of(model), 3, 6).tolist())
    assert found[0] == found[1] == found[2]
    assert asked == ["float32"]
    assert [record.getMessage() for record in caplog.records] == [
        "risk: the model draws itself: encoder must be one that the engine has a program for; "
        "got RecurrentEncoder"
    ]


def test_weights_that_are_no_numbers_end_no_draw() -> None:
    """Training says so after the step."""
    model = make_model(ARCHITECTURES["gru-general"])
    with torch.no_grad():
        model.output.bias[5] = torch.nan
    assert EngineDraw(model)(forward_of(model), 2, 4).shape == (2 * len(BATCH.target), 4)


def test_each_different_output_is_scored_once_beside_others_of_its_length() -> None:
    model = make_model(ARCHITECTURES["gru-general"]).double()
    outputs = torch.tensor(
        [
            [[4, END, 0, 0], [5, 6, 7, END], [4, END, 0, 0]],
            [[4, END, 0, 0], [6, 5, END, 0], [END, 0, 0, 0]],
        ]
    )
    batch = Batch(
        BATCH.source.select(torch.arange(2)), BATCH.target[:2], BATCH.target_lengths[:2], ()
    )
    distinct = distinct_outputs(outputs)
    assert distinct.lengths.tolist() == [1, 2, 2, 3, 4]
    assert distinct.sentences.tolist() == [1, 0, 1, 1, 0]
    found = score_outputs(forward_of(model, batch), distinct)[distinct.places]
    for b in range(2):
        for k in range(3):
            row = [token for token in outputs[b, k].tolist() if token != PADDING]
            source = batch.source.select(torch.tensor([b]))
            logits = model(source, torch.tensor([[BEGIN, *row[:-1]]]))[0]
            log_probs = torch.log_softmax(logits, -1)[torch.arange(len(row)), row]
            assert found[b, k].item() == pytest.approx(log_probs.sum().item(), rel=1e-12)
