"""Options of a search that would do nothing: refused where they are said, passed over where they
stand in a model of before.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from reversal_run import Run
from small_runs import tiny, train_tiny, words, write_reversals
from transduce import Transducer
from transduce.config import Config, SearchConfig
from transduce.errors import ConfigError
from transduce.workflow.trained import TrainedModel

IDLE = [
    ({"diversity": 2.0}, "search.diverse_groups must be at least 2 for diversity; got 1"),
    (
        {"length_alpha": 1.0},
        "search.length_normalization must be gnmt or power for length_alpha; got average",
    ),
    (
        {"length_alpha": 1.0, "length_normalization": "none"},
        "search.length_normalization must be gnmt or power for length_alpha; got none",
    ),
    *(
        ({name: 0.5 if name != "top_k" else 5},
         "search.sample must be true for temperature, top_k or top_p; got false")
        for name in ("temperature", "top_k", "top_p")
    ),
]  # fmt: skip


@pytest.mark.parametrize(("values", "message"), IDLE)
def test_said_now_they_are_refused(
    values: dict[str, Any], message: str, run: Run, tmp_path: Path
) -> None:
    trained = Transducer.load(run.folder)
    with pytest.raises(ConfigError) as told:
        trained.predict(["ab"], **values)
    assert str(told.value) == message
    with pytest.raises(ConfigError) as told:
        Config().updated({f"search.{name}": value for name, value in values.items()})
    assert str(told.value) == message


def test_a_recipe_with_one_is_refused_before_training(tmp_path: Path) -> None:
    train = write_reversals(tmp_path / "train.tsv", words(1, 40))
    data = {"train": train, "dev_fraction": 0.2}
    for search, message in (
        ({"length_alpha": 1.0}, "search.length_normalization must be gnmt or power for length_alp"),
        ({"temperature": 0.7}, "search.sample must be true for temperature, top_k or top_p; got f"),
        ({"min_length": 9}, "search.min_length must be at most max_length .6.; got 9"),
    ):
        with pytest.raises(ConfigError, match=message):
            train_tiny(tiny(data, search=search), tmp_path / "run")
        assert not (tmp_path / "run").exists()
    # A seed promises the same output each time, which holds without draws too; and groups of a
    # diverse beam do not stand in the way of the greedy scorings.
    search = {"seed": 5, "beam": 4, "diverse_groups": 2, "diversity": 0.8}
    train_tiny(tiny(data, search=search), tmp_path / "run")


@pytest.mark.parametrize(("values", "_"), IDLE)
def test_a_model_of_before_opens_and_answers(
    values: dict[str, Any], _: str, run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "old"
    shutil.copytree(run.folder, folder)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["search"].update(values)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    with caplog.at_level(logging.INFO, "transduce"):
        trained = TrainedModel.load(folder)
    assert f"search.{next(iter(values))} does nothing where" in caplog.text
    learner = Transducer.load(folder)
    assert learner.predict(["ab", "abd"], beam=2) == ["ba", "dba"]
    assert learner.predict(["ab"], sample=True, top_k=1) == ["ba"]
    assert trained.config.search.refusal() is None


def test_what_the_recipe_says_of_another_way_to_search_gives_way() -> None:
    imported = Config.from_mapping(
        {"search": {"length_normalization": "power", "length_alpha": 1.0}}
    )
    assert imported.searching({"length_normalization": "none"}).length_alpha == 0.6
    assert imported.searching({"length_alpha": 2.0}).length_alpha == 2.0
    sampling = Config.from_mapping({"search": {"sample": True, "temperature": 0.7, "top_k": 9}})
    assert sampling.searching({"sample": False, "beam": 3}) == SearchConfig(beam=3)
    assert sampling.updated({"search.sample": False}).search == SearchConfig()
    with pytest.raises(ConfigError, match="sample must be true for temperature, top_k or top_p"):
        sampling.searching({"sample": False, "temperature": 0.7})
    assert sampling.updated({"engine": "reference"}).search is not None
