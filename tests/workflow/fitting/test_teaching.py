"""A run that learns from others: whose symbols it has, what it is told, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from transduce.config import Config
from transduce.errors import ConfigError
from transduce.models.storage import named_weights
from transduce.workflow.corpora.corpora import corpora_from_lists
from transduce.workflow.fitting.beginning import LearntFrom
from transduce.workflow.fitting.fit import fit
from transduce.workflow.fitting.teaching import teach
from transduce.workflow.trained import TrainedModel

PAIRS = [("ab", "x y"), ("ba", "y x"), ("abb", "x y y"), ("aab", "x x y")] * 4
SMALL = {"width": 8, "dropout": 0.0}
STEADY = {"average": "none", "schedule": "constant", "warmup_steps": 0}
STEPS = {"max_steps": 3, "batch_tokens": 64, **STEADY}
SIDES = {"source": {"kind": "character"}, "target": {"kind": "whitespace"}}


def recipe(kind: str = "gru", **training: object) -> Config:
    encoder = {"kind": kind, **SMALL}
    return Config.from_mapping(
        {
            "tokenizer": SIDES,
            "model": {"encoder": encoder, "decoder": encoder},
            "training": {**STEPS, **training},
            "search": {"max_length": 6},
        }
    )


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainedModel, ...]:
    folder = tmp_path_factory.mktemp("teachers")
    configs = recipe("gru"), recipe("lstm", seed=2)
    data = corpora_from_lists(PAIRS, PAIRS[:4], 0)
    return tuple(fit(c, data, folder / str(n)) for n, c in enumerate(configs))


def taught(
    teachers: tuple[TrainedModel, ...],
    folder: Path,
    pairs: list[tuple[str, str]] = PAIRS,
    **training: object,
) -> TrainedModel:
    names = [f"teacher-{number}" for number in range(len(teachers))]
    config = recipe(teacher=names, **training)
    data = corpora_from_lists(pairs, PAIRS[:4], 0)
    resume = bool(training.get("max_steps"))
    known = LearntFrom(teachers=teachers)
    return fit(config, data, folder, learnt_from=known, resume=resume and folder.is_dir())


def test_symbols_are_the_teachers(teachers: tuple[TrainedModel, ...], tmp_path: Path) -> None:
    few = [pair for pair in PAIRS if "x" in pair[1]][:2]
    student = taught(teachers[:1], tmp_path / "run", few)
    assert student.other_side(teachers[0]) is None


def test_what_is_kept_is_the_mean_of_the_teachers(
    teachers: tuple[TrainedModel, ...], tmp_path: Path
) -> None:
    student = taught(teachers, tmp_path / "run")
    corpus = student.reader.corpus({"": PAIRS}, student.target_tokenizer, student.config.data)
    said: list[str] = []
    answers = teach(student, teachers, corpus, tmp_path / "other", "data", said.append)
    assert answers is not None
    assert said == ["asking 2 teachers about 16 pairs"]
    batch = corpus.batch(range(4))
    tokens, log_probs = answers.rows(batch.indices, batch.target_output.shape[1])
    with torch.inference_mode():
        each = [t.model(batch.source, batch.target_input).double().softmax(-1) for t in teachers]
    mean = (sum(each) / 2).log().gather(-1, tokens)
    real = batch.target_output != 0
    assert tokens.shape[-1] == student.target_tokenizer.size  # fewer than are asked for
    np.testing.assert_allclose(log_probs[real], mean[real], rtol=1e-3, atol=1e-3)  # float16


def test_a_teacher_alone_is_come_near(teachers: tuple[TrainedModel, ...], tmp_path: Path) -> None:
    options = {"max_steps": 60, "learning_rate": 0.03}
    student = taught(teachers[:1], tmp_path / "run", teacher_weight=1.0, **options)
    data = corpora_from_lists(PAIRS, PAIRS[:4], 0)
    alone = fit(recipe(**options), data, tmp_path / "alone")
    corpus = student.reader.corpus({"": PAIRS}, student.target_tokenizer, student.config.data)
    batch = corpus.batch(range(4))
    real = batch.target_output != 0

    def distance(model: TrainedModel) -> float:
        with torch.inference_mode():
            p, q = (
                m.model(batch.source, batch.target_input)[real].softmax(-1)
                for m in (teachers[0], model)
            )
        return (p * (p / q).log()).sum(-1).mean().item()

    assert distance(student) < 0.1 * distance(alone)


def test_a_resumed_run_reads_what_was_said(
    teachers: tuple[TrainedModel, ...], tmp_path: Path
) -> None:
    whole = taught(teachers, tmp_path / "whole", max_steps=4)
    taught(teachers, tmp_path / "parts", max_steps=2)
    manifest = tmp_path / "parts" / "training" / "teacher" / "teacher.json"
    before = manifest.stat().st_mtime_ns
    parts = taught(teachers, tmp_path / "parts", max_steps=4)
    assert manifest.stat().st_mtime_ns == before
    for name, weight in named_weights(whole.model).items():
        assert torch.equal(weight, named_weights(parts.model)[name])


def test_another_student_reads_what_was_said(
    teachers: tuple[TrainedModel, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "said"
    taught(teachers, tmp_path / "first", teacher_folder=str(folder))
    (manifest,) = folder.glob("*/teacher.json")
    before = manifest.stat().st_mtime_ns
    config = recipe("lstm", seed=3, teacher=["a", "b"], teacher_folder=str(folder))
    data, known = corpora_from_lists(PAIRS, PAIRS[:4], 0), LearntFrom(teachers=teachers)
    fit(config, data, tmp_path / "second", learnt_from=known)
    assert manifest.stat().st_mtime_ns == before
    fewer = corpora_from_lists(PAIRS[:8], PAIRS[:4], 0)
    fit(config, fewer, tmp_path / "third", learnt_from=known)  # other pairs are other questions
    assert len(list(folder.glob("*/teacher.json"))) == 2
    assert not (tmp_path / "third" / "training" / "teacher").exists()


def test_a_teachers_own_directory_is_left_alone(
    teachers: tuple[TrainedModel, ...], tmp_path: Path
) -> None:
    taught(teachers, tmp_path / "run")
    with pytest.raises(ConfigError, match="teacher_folder must be a folder of its own"):
        taught(teachers, tmp_path / "other", teacher_folder=str(tmp_path / "run"))


def test_another_teacher_is_asked_anew(teachers: tuple[TrainedModel, ...], tmp_path: Path) -> None:
    student = taught(teachers[:1], tmp_path / "run")
    corpus = student.reader.corpus({"": PAIRS}, student.target_tokenizer, student.config.data)
    first, second = (
        teach(student, (teacher,), corpus, tmp_path / "run", "data", None) for teacher in teachers
    )
    assert first is not None
    assert second is not None
    assert not torch.equal(first.rows([0], 3)[1], second.rows([0], 3)[1])


def test_models_that_write_otherwise_are_refused(
    teachers: tuple[TrainedModel, ...], tmp_path: Path
) -> None:
    other = fit(recipe(), corpora_from_lists([("ab", "z")] * 4, PAIRS[:1], 0), tmp_path / "other")
    with pytest.raises(ConfigError, match=r"share the \w+ tokenizer of the model; teacher-1 has"):
        taught((teachers[0], other), tmp_path / "run")


def test_recipes_that_say_otherwise_are_refused(teachers: tuple[TrainedModel, ...]) -> None:
    words = {**SIDES, "target": {"kind": "character"}}
    config = recipe(teacher=["a"]).model_dump(mode="json", by_alias=True) | {"tokenizer": words}
    known = LearntFrom(teachers=teachers[:1])
    data = corpora_from_lists(PAIRS, PAIRS[:4], 0)
    with pytest.raises(ConfigError, match=r"tokenizer\.target must be that of training\.teacher"):
        fit(Config.from_mapping(config), data, "never", learnt_from=known)
    with pytest.raises(ConfigError, match=r"training\.teacher must have been read; got 0 of 1"):
        fit(recipe(teacher=["a"]), data, "never")
    with pytest.raises(ConfigError, match=r"teacher_weight must be left out without .*; got 0\.7"):
        fit(recipe(teacher_weight=0.7), data, "never")
