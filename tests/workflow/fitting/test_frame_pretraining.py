"""Recordings without targets: an encoder learns from them, and another run begins with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from test_audio_runs import recipe

from recordings import write_manifest
from transduce.config import Config, require_agreement
from transduce.errors import ConfigError, ModelError
from transduce.models.storage import named_weights
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.fitting.beginning import LearntFrom
from transduce.workflow.fitting.fit import fit
from transduce.workflow.trained import TrainedModel

SHORT = {
    "schedule": "constant",
    "warmup_steps": 0,
    "learning_rate": 1e-3,
    "evaluate_every": 2,
    "max_steps": 4,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings, and lists that name them and nothing else."""
    folder = tmp_path_factory.mktemp("unheard")
    for name, count in (("train", 24), ("dev", 12)):
        manifest = write_manifest(folder, name, count, seed=len(name))
        lines = [line.split("\t")[0] for line in manifest.read_text().splitlines()]
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return folder


def listed(folder: Path, **training: object) -> Config:
    """A recipe that reads the lists."""
    data = {"train": str(folder / "train.txt"), "dev": str(folder / "dev.txt"), "format": "tsv"}
    changes = {f"data.{key}": value for key, value in {**data, "target": 0}.items()}
    given = {"denoising": "frames", "denoising_span": 4.0, **SHORT, **training}
    return recipe(folder, **given).updated(changes)


def learnt(config: Config, place: Path, *, resume: bool = False) -> TrainedModel:
    return fit(config, open_corpora(config), place, resume=resume)


@pytest.fixture(scope="module")
def base(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    place = tmp_path_factory.mktemp("base") / "model"
    learnt(listed(folder), place)
    return TrainedModel.load(place)


def test_it_learns_from_a_list_through_a_resume(
    folder: Path, base: TrainedModel, tmp_path: Path
) -> None:
    history = base.report["training"]["history"]
    assert [set(entry) for entry in history] == [{"step", "loss"}] * 2
    assert history[1]["loss"] < history[0]["loss"]
    assert base.report["vocabulary"] == {"target": 4}  # paths are no targets
    learnt(listed(folder, max_steps=2), tmp_path / "cut")
    again = learnt(listed(folder), tmp_path / "cut", resume=True)
    for name, weight in named_weights(again.model).items():
        assert torch.equal(weight, named_weights(base.model)[name]), name


def test_texts_beside_them_change_nothing(folder: Path, base: TrainedModel, tmp_path: Path) -> None:
    given = {"denoising": "frames", "denoising_span": 4.0, **SHORT}
    learnt(recipe(folder, **given), tmp_path / "run")
    heard = named_weights(TrainedModel.load(tmp_path / "run").model)
    assert all(torch.equal(heard[name], w) for name, w in named_weights(base.model).items())


def test_its_encoder_and_frontend_are_taken(
    folder: Path, base: TrainedModel, tmp_path: Path
) -> None:
    config = recipe(folder, **{**SHORT, "learning_rate": 1e-12})
    model = {"decoder": config.model.decoder.model_dump(), "encoder_from": "base"}
    config = config.model_copy(update={"model": Config.from_mapping({"model": model}).model})
    said: list[str] = []
    begun = LearntFrom(encoder=base)
    now = fit(config, open_corpora(config), tmp_path / "run", learnt_from=begun, say=said.append)
    before, after = named_weights(base.model), named_weights(now.model)
    taken = {name for name in after if name.startswith(("encoder.", "frontend."))}
    assert taken == {n for n in before if n.startswith(("encoder.", "frontend."))}
    for name in taken:
        torch.testing.assert_close(after[name], before[name])
    weights, total = (sum(after[n].numel() for n in names) for names in (taken, after))
    assert f"from tones: encoder and frontend, {weights:,} of {total:,} weights" in said
    assert now.config.model.frontend == base.config.model.frontend
    assert now.model.frame_output is None
    assert TrainedModel.load(tmp_path / "run").config == now.config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.input.mel_bins": 20}, "data.input must be that of model.encoder_from; got another"),
        (
            {"model.frontend": {"kind": "linear"}},
            "model.frontend must be that of model.encoder_from; got another",
        ),
    ],
)
def test_recordings_that_are_read_otherwise_are_refused(
    changes: dict[str, object], message: str, folder: Path, base: TrainedModel, tmp_path: Path
) -> None:
    config = recipe(folder, **SHORT).updated({"model.encoder_from": "base", **changes})
    with pytest.raises(ConfigError, match=message):
        fit(config, open_corpora(config), tmp_path, learnt_from=LearntFrom(encoder=base))


def test_it_writes_nothing_and_nothing_goes_on_from_it(
    folder: Path, base: TrainedModel, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="model must be one that writes; got one that guesses hid"):
        list(base.predict([str(folder / "train" / "0.wav")], base.config.search))
    config = Config.from_mapping({"model": {"from": "base"}, "data": {"input": {"kind": "audio"}}})
    corpora = open_corpora(recipe(folder))
    with pytest.raises(ModelError, match=r"model\.from must be a model that writes; got one that"):
        fit(config, corpora, tmp_path, learnt_from=LearntFrom(base=base))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training.denoising": "spans"}, "denoising must be none or frames where data.input is"),
        ({"data.input": {"kind": "text"}}, "data.input must be audio or image where training.deno"),
        ({"training.metric": "cer"}, "training.metric must be loss where training.denoising is fr"),
        ({"training.risk_weight": 1.0}, "training.risk_weight must be 0 where training.denoising"),
        ({"training.lora_rank": 2}, "training.lora_rank must be none where training.denoising is"),
        ({"model.from": "x"}, "model.from must be none where training.denoising is frames"),
    ],
)
def test_what_does_not_go_with_guessing_frames(
    changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        require_agreement(recipe(tmp_path, denoising="frames").updated(changes))
