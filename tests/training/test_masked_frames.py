"""Frames that are hidden and guessed: which, what it costs, what learns by it."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from training_fakes import toy_config

from architectures import ARCHITECTURES, FRAMES, make_model, make_source_for
from transduce.interfaces import BEGIN, END, PADDING, Batch, Source
from transduce.models.seq2seq import Seq2Seq
from transduce.modules.chance import drawn_from
from transduce.modules.frontends.frame_output import FrameOutput
from transduce.training.distributed import Processes
from transduce.training.learner import Learner
from transduce.training.masking.frame_score import FrameScore
from transduce.training.masking.hidden_frames import hidden_frames
from transduce.training.masking.masked_frames import MaskedFrames
from transduce.training.objectives.choose import choose_objectives
from transduce.training.objectives.forward import Forward
from transduce.training.objectives.weighted import Weighted

ALONE = Processes(0, 1, torch.device("cpu"))
OVER = {
    "linear-gru": 1,
    "convolution-transformer": 2,
    "subsampling-gru": 4,
    "patches-gru": 4,
    "convolution2d-gru": 6,
}


def guessing(name: str) -> Seq2Seq:
    model = make_model(ARCHITECTURES[name])
    assert model.frontend is not None
    one = torch.ones(1, dtype=torch.int64)
    numbers = model.frontend.cells(torch.zeros(1, 1, FRAMES), one).shape[2]
    model.frame_output = FrameOutput(model.encoder.width, numbers)
    return model


def batch_for(model: Seq2Seq) -> Batch:
    source = make_source_for(model, [[4, 5, 6], [7], [5, 8]])
    target = torch.tensor([[BEGIN, END]] * 3)
    return Batch(source, target, torch.ones(3, dtype=torch.int64), (0, 1, 2))


def forward_of(model: Seq2Seq, batch: Batch) -> Forward:
    return Forward(model, batch, batch.target_input, nullcontext)


def cost_of(model: Seq2Seq, batch: Batch, seed: int = 3) -> torch.Tensor:
    with drawn_from(torch.Generator().manual_seed(seed)):
        return MaskedFrames(0.3, 3)(forward_of(model, batch))


def test_every_frame_is_hidden_as_often_as_is_asked() -> None:
    lengths = torch.tensor([40] * 4000)
    with drawn_from(torch.Generator().manual_seed(1)):
        hidden = hidden_frames(lengths, 42, 0.3, 4)
    assert not hidden[:, 40:].any()
    shares = hidden[:, :40].float().mean(0)
    assert (shares - 0.3).abs().max() < 5 * (0.3 * 0.7 / 4000) ** 0.5
    # Where a span begins and ends inside of a source, it is at least so long.
    for row in hidden[:200, :40].tolist():
        ends = [i for i in range(1, 40) if row[i - 1] and not row[i]]
        for end in ends:
            assert end < 4 or all(row[end - 4 : end])


@pytest.mark.parametrize("length", [1, 2, 5])
def test_one_span_is_hidden_at_least(length: int) -> None:
    lengths = torch.tensor([length] * 500)
    with drawn_from(torch.Generator().manual_seed(1)):
        hidden = hidden_frames(lengths, 5, 1e-9, 2)
    counts = hidden.sum(1)
    assert int(counts.min()) >= 1
    assert int(counts.max()) == min(2, length)
    assert hidden.any(0).tolist() == [place < length for place in range(5)]


@pytest.mark.parametrize("name", OVER)
def test_cost_is_the_mean_error_of_what_is_hidden(name: str) -> None:
    model = guessing(name).double()
    batch = batch_for(model)
    assert model.frontend is not None
    assert model.frame_output is not None
    found = cost_of(model, batch).item()

    frames, lengths = batch.source.frames.numpy(), batch.source.lengths
    with drawn_from(torch.Generator().manual_seed(3)):
        hidden = hidden_frames(lengths, frames.shape[1], 0.3, 3).numpy()
    masked = Source(torch.from_numpy(frames * ~hidden[:, :, None]), lengths)
    vectors = model.start(masked).memory.vectors.detach().numpy()
    project = model.frame_output.project
    guessed = vectors @ project.weight.detach().numpy().T + project.bias.detach().numpy()
    together = OVER[name]
    expected = 0.0
    for b, length in enumerate(lengths.tolist()):
        errors = []
        for place in range(length):
            if not hidden[b, place]:
                continue
            cell, within = divmod(place, together)
            if name.startswith("patches"):  # two of three rows each, side by side
                errors += patch_errors(guessed[b], frames[b, place], cell, within)
            else:
                said = guessed[b, cell].reshape(together, FRAMES)[within]
                errors += np.abs(said - frames[b, place]).tolist()
        expected += float(np.mean(errors))
    assert found == pytest.approx(expected, rel=1e-9)


def patch_errors(guessed: np.ndarray, frame: np.ndarray, column: int, within: int) -> list[float]:
    """Of one column of pixels: two patches of 3 by 4, the upper one first, row after row."""
    errors = []
    for y, pixel in enumerate(frame.tolist()):
        patch = guessed[2 * column + y // 3].reshape(3, 4)
        errors.append(abs(float(patch[y % 3, within]) - pixel))
    return errors


def test_what_is_not_hidden_and_what_is_padding_cost_nothing() -> None:
    model = guessing("subsampling-gru").double()
    batch = batch_for(model)
    before = cost_of(model, batch).item()
    values = batch.source.frames.clone()
    for row, length in enumerate(batch.source.lengths.tolist()):
        values[row, length:] = 100.0
    batch = Batch(
        Source(values, batch.source.lengths), batch.target, batch.target_lengths, batch.indices
    )
    assert cost_of(model, batch).item() == pytest.approx(before, rel=1e-12)
    none = Batch(batch.source, torch.tensor([[BEGIN, PADDING]] * 3), torch.zeros(3).long(), ())
    assert cost_of(model, none).item() == 0


def test_it_learns_to_guess_and_the_decoder_does_not_move() -> None:
    model = guessing("linear-gru").train()
    config = toy_config(max_steps=1, denoising="frames", denoising_span=2)
    (chosen,) = choose_objectives(config, model)
    assert (chosen.weight, chosen.objective.name) == (1.0, "frames")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(("encoder.", "frontend.", "frame_output.")))
    decoder = [p.clone() for p in model.decoder.parameters()]  # type: ignore[attr-defined]
    batch = batch_for(model)
    score = FrameScore(model, [batch, batch], MaskedFrames(0.3, 2), seed=5)
    before = score(model)
    assert score(model) == before
    learner = Learner(model, [Weighted(1.0, chosen.objective)], config, ALONE)
    torch.manual_seed(1)
    for _ in range(60):
        learner.step([batch], 3.0, 0.02, 0.0)
    means = learner.means()
    assert means is not None
    assert means.loss == pytest.approx(means.objective)
    assert score(model)["loss"] < 0.85 * before["loss"]
    after = list(model.decoder.parameters())  # type: ignore[attr-defined]
    assert all(torch.equal(a, b) for a, b in zip(decoder, after, strict=True))


def test_a_model_without_the_output_is_no_model_to_learn_so() -> None:
    model = make_model(ARCHITECTURES["linear-gru"])
    with pytest.raises(RuntimeError, match="must have an output for frames"):
        cost_of(model, batch_for(model))
