"""The engine's copy of the weights is as new as the weights, wherever our own code changes them."""

from __future__ import annotations

import copy

import pytest
import torch

from reversal_run import Run
from transduce import Transducer
from transduce.commands import show
from transduce.config import Config, NeighboursConfig, SearchConfig
from transduce.errors import ConfigError
from transduce.interfaces import Memory, Source
from transduce.reading.pair_files import Example
from transduce.workflow.evaluate import DevScorer
from transduce.workflow.fast_form import FastForm
from transduce.workflow.trained import TrainedModel

SOURCES = ["abc", "cab", "bb", "acbca"]


def outputs(trained: TrainedModel, engine: str = "float32") -> list[tuple[str, float]]:
    trained.config = trained.config.model_copy(update={"engine": engine})
    found = trained.predict(SOURCES, SearchConfig(beam=2))
    return [(best.text, pytest.approx(best.log_probability, abs=1e-3)) for best, *_ in found]


def shake(trained: TrainedModel, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in trained.model.parameters():
            weights += 0.3 * torch.randn(weights.shape, generator=generator)


def test_made_once_and_again_when_told(run: Run) -> None:
    trained = TrainedModel.load(run.folder)
    before = outputs(trained)
    form = trained.stepper()
    assert trained.stepper() is form
    shake(trained, 1)
    trained.refresh()
    assert trained.stepper() is not form
    assert outputs(trained) == outputs(trained, "reference") != before


def test_another_model_engine_or_copy(run: Run) -> None:
    trained = TrainedModel.load(run.folder)
    first = trained.stepper()
    sibling = copy.copy(trained)
    assert sibling.stepper() is first  # as of languages, which share the weights
    shake(trained, 2)
    sibling.refresh()
    assert outputs(trained) == outputs(sibling) == outputs(trained, "reference")
    trained.model = copy.deepcopy(trained.model)
    shake(trained, 3)
    assert outputs(trained) == outputs(trained, "reference") != outputs(sibling)


def test_the_model_is_in_evaluation_mode(run: Run) -> None:
    trained = TrainedModel.load(run.folder)
    trained.stepper()
    trained.model.train()
    trained.stepper()
    assert not any(module.training for module in trained.model.modules())


def test_scorings_in_training_see_what_was_learned(run: Run) -> None:
    trained = TrainedModel.load(run.folder)
    trained.config = trained.config.model_copy(update={"engine": "float32"})
    examples = [Example(source, (source[::-1],)) for source in SOURCES]
    scorer = DevScorer(trained, examples)
    good = scorer(trained.model)
    shake(trained, 4)
    bad = scorer(trained.model)
    assert good["exact_match"] > bad["exact_match"]


class Unknown(torch.nn.Module):
    """An encoder that the engine has no program for."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner, self.width = inner, inner.width

    def forward(self, vectors: torch.Tensor, source: Source) -> Memory:
        return self.inner(vectors, source)


def test_a_new_encoder_is_scored_in_training_and_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = TrainedModel.load(run.folder)
    trained.model.encoder = Unknown(trained.model.encoder)
    examples = [Example(source, (source[::-1],)) for source in ("abc", "cab", "bb")]
    assert DevScorer(trained, examples)(trained.model)["exact_match"] == 100
    monkeypatch.setattr(show, "load_trained", lambda _: trained)
    shown = show.show_engine(run.folder)
    assert "the model itself (reference)" in shown
    assert "encoder must be one that the engine has a program for; got Unknown" in shown


def test_training_ends_with_the_best_weights_in_its_engine() -> None:
    sources = ["abc", "bca", "cab", "ab", "ba", "cba"] * 10
    learner = Transducer("gru-tiny", max_steps=8, options={"training.evaluate_every": 2})
    learner = learner.fit(sources, [source[::-1] for source in sources])
    trained = learner._trained()
    assert outputs(trained) == outputs(trained, "reference")


def test_options_of_a_search_by_name() -> None:
    config = Config.from_mapping({"search": {"beam": 4, "nbest": 2}})
    assert config.searching({}) is config.search
    for options in (
        {"beam": 3, "nbest": 1},
        {"sample": True, "beam": 1, "top_k": "5"},
        {"required": ["a"]},
    ):
        updated = config.updated({f"search.{name}": value for name, value in options.items()})
        assert config.searching(options) == updated.search
    for options in ({"bean": 3}, {"beam": "many"}, {"beam": 2**70}, {"prefix": 3}):
        with pytest.raises(ConfigError) as told:
            config.searching(options)
        with pytest.raises(ConfigError) as expected:
            config.updated({f"search.{name}": value for name, value in options.items()})
        assert str(told.value) == str(expected.value)


def test_form_of_nothing_made_is_forgotten_quietly(run: Run) -> None:
    form = FastForm(TrainedModel.load(run.folder).model)
    form.forget()
    assert form.stepper("reference", NeighboursConfig()) is form.model
