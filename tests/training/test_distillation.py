"""Distillation: its equation, what a student learns by it, and the files of what teachers say."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from training_fakes import ToyBatches, ToyModel

from transduce.batches.teaching_files import TeachingFiles
from transduce.interfaces import PADDING
from transduce.training.objectives import token_loss
from transduce.training.objectives.distillation import Distillation, distillation_loss
from transduce.training.objectives.forward import Forward

LENGTHS = np.array([2, 1, 3], np.int32)
VOCABULARY, KEPT = 7, 3


def softmax(values: np.ndarray) -> np.ndarray:
    shifted = np.exp(values - values.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_loss_is_the_equations(temperature: float) -> None:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(2, 4, 9, generator=generator, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(2, 4, 9, generator=generator, dtype=torch.float64).log_softmax(-1)
    targets = torch.tensor([[4, 5, 6, 2], [7, 2, PADDING, PADDING]])
    kept = teacher.topk(5, dim=-1)
    loss = distillation_loss(logits, targets, kept.indices, kept.values, temperature)
    expected = 0.0
    student = np.log(softmax(logits.detach().numpy() / temperature))
    for b, t in zip(*np.nonzero(targets.numpy() != PADDING), strict=True):
        q = softmax(kept.values[b, t].numpy() / temperature)
        expected -= temperature**2 * (q * student[b, t, kept.indices[b, t].numpy()]).sum()
    assert loss.item() == pytest.approx(expected, rel=1e-12)
    assert torch.autograd.gradcheck(
        lambda z: distillation_loss(z, targets, kept.indices, kept.values, temperature), logits
    )


def test_blocks_of_rows_are_one_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = torch.randn(3, 5, 11, dtype=torch.bfloat16, requires_grad=True)
    teacher = torch.randn(3, 5, 11).log_softmax(-1).topk(4, dim=-1)
    targets = torch.randint(0, 11, (3, 5))
    found = []
    for numbers in (1 << 18, 25):
        monkeypatch.setitem(token_loss._BLOCK, "cpu", numbers)
        loss = distillation_loss(logits, targets, teacher.indices, teacher.values, 1.5)
        (gradient,) = torch.autograd.grad(loss, logits)
        assert gradient.dtype == torch.bfloat16
        found.append((loss.item(), gradient))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)
    assert torch.equal(found[0][1], found[1][1])


def test_loss_with_all_tokens_is_least_where_the_student_is_the_teacher() -> None:
    teacher = torch.randn(1, 2, 6, dtype=torch.float64)
    targets, tokens = torch.tensor([[4, 2]]), torch.arange(6).expand(1, 2, 6)
    student = teacher.clone().requires_grad_()
    distillation_loss(student, targets, tokens, teacher.log_softmax(-1), 2.0).backward()
    assert student.grad is not None
    assert student.grad.abs().max() < 1e-12


def told(start: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.arange(start, start + count)
    tokens = (rows[:, None] + np.arange(KEPT)) % VOCABULARY
    return tokens, -0.5 * rows[:, None] - np.arange(KEPT)


def written(folder: Path) -> TeachingFiles:
    TeachingFiles.write(folder, "data", LENGTHS, VOCABULARY, KEPT, [told(0, 3), told(3, 3)])
    found = TeachingFiles.open(folder, "data", LENGTHS, VOCABULARY, KEPT)
    assert found is not None
    return found


def test_files_give_the_rows_of_the_pairs_that_are_asked_for(tmp_path: Path) -> None:
    tokens, log_probs = written(tmp_path).rows([2, 0], 4)
    assert tokens.tolist()[0] == [[3, 4, 5], [4, 5, 6], [5, 6, 0], [0, 0, 0]]
    assert tokens.tolist()[1] == [[0, 1, 2], [1, 2, 3], [0, 0, 0], [0, 0, 0]]
    assert log_probs[1].tolist() == [[0, -1, -2], [-0.5, -1.5, -2.5], [0, 0, 0], [0, 0, 0]]
    assert [part.shape for part in written(tmp_path).rows([], 1)] == [(1, 1, KEPT)] * 2


@pytest.mark.parametrize("other", ["fingerprint", "lengths", "vocabulary", "outputs"])
def test_files_of_another_run_are_not_taken(tmp_path: Path, other: str) -> None:
    written(tmp_path)
    asked = {"fingerprint": "data", "lengths": LENGTHS, "vocabulary": 7, "outputs": KEPT}
    wrong = {"fingerprint": "x", "lengths": LENGTHS[:2], "vocabulary": 6, "outputs": 2}
    asked[other] = wrong[other]
    assert TeachingFiles.open(tmp_path, *asked.values()) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("damage", ["shorter", "changed", "beyond", "no manifest", "odd manifest"])
def test_damaged_files_are_not_taken(tmp_path: Path, damage: str) -> None:
    written(tmp_path)
    file, manifest = tmp_path / "teacher.tokens", tmp_path / "teacher.json"
    whole = file.read_bytes()
    if damage == "shorter":
        file.write_bytes(whole[:-2])
    elif damage == "changed":
        file.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    elif damage == "beyond":  # as whoever makes the sums anew would have it
        rows = told(0, 6)
        TeachingFiles.write(tmp_path, "data", LENGTHS, VOCABULARY, KEPT, [(rows[0] + 7, rows[1])])
    elif damage == "no manifest":
        manifest.unlink()
    else:
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "digests": 5}))
    assert TeachingFiles.open(tmp_path, "data", LENGTHS, VOCABULARY, KEPT) is None


def test_objective_asks_for_the_pairs_of_its_batch() -> None:
    model = ToyModel()
    batch = next(iter(ToyBatches().iterate(0)))

    class Answers:
        def rows(self, indices: object, width: int) -> tuple[torch.Tensor, torch.Tensor]:
            assert (indices, width) == (batch.indices, batch.target_output.shape[1])
            return tokens, log_probs

    forward = Forward(model, batch, batch.target_input, nullcontext)
    shape = (*batch.target_output.shape, 2)
    tokens, log_probs = torch.ones(shape, dtype=torch.int64), torch.zeros(shape)
    objective = Distillation(Answers(), 2.0)
    expected = distillation_loss(forward.logits, batch.target_output, tokens, log_probs, 2.0)
    assert objective(forward) == expected
