"""The study on the disk, the worker's side of a trial, ways to search, what is shown."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from transduce.config import Config, SearchConfig
from transduce.drawing.trials_picture import TriedOption, TriedValue, draw_trials
from transduce.errors import DataError
from transduce.tuning import search_tuning
from transduce.tuning.board import LineBoard, LiveBoard, Standing
from transduce.tuning.search_tuning import tune_search
from transduce.tuning.space.known_options import option_of
from transduce.tuning.space.tuned_values import TunedOption
from transduce.tuning.trials import worker
from transduce.tuning.trials.study import STORAGE, TrialRecord, TuningStudy
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.fitting import shared_data
from transduce.workflow.trained import TrainedModel

RATE = option_of("rate", "training.learning_rate", 1e-3, [1e-4, 1e-2, 1e-1])
KIND = option_of("attention", "model.decoder.attention", "general", ["dot", "none"])
BEAM = option_of("beam", "search.beam", 4, [1, 2, 8])
LENGTH = option_of("length", "search.length_normalization", "average", ["none", "gnmt"])


def study(folder: Path, *options: TunedOption) -> TuningStudy:
    found = TuningStudy(folder, options or (RATE, KIND), lower_is_better=False, seed=1)
    found.begin()
    return found


def run(trials: TuningStudy, scores: Sequence[float]) -> tuple[TrialRecord, int]:
    """A trial, and after how many scorings it was ended; 12 of them are the whole."""
    trial = trials.next()
    assert trial is not None
    for scoring, score in enumerate(scores[:-1], 1):
        if not trials.report(trial.number, scoring, score):
            trials.ended_early(trial.number, 0.5)
            return trial, scoring
    trials.done(trial.number, scores[-1], 1.0)
    return trial, len(scores)


def test_the_recipes_own_values_come_first_and_all_are_tried_once(tmp_path: Path) -> None:
    trials = study(tmp_path)
    places = []
    while (trial := trials.next()) is not None and len(places) < 20:
        trials.done(trial.number, float(sum(trial.places)), 1.0)
        places.append(trial.places)
    assert places[0] == (RATE.own, KIND.own)
    assert len(places) == len(set(places)) == 12
    best = trials.best()
    assert best is not None
    assert best.places == (3, 2)
    assert set(trials.importances()) == {"rate", "attention"}
    assert study(tmp_path).next() is None  # another process knows


def test_trials_behind_the_median_end_early_but_never_the_recipes_own(tmp_path: Path) -> None:
    trials = study(tmp_path)
    assert run(trials, [0.0] * 12)[1] == 12  # the recipe's own
    for score in (1.0, 2.0, 3.0):
        assert run(trials, [score] * 12)[1] == 12
    assert run(trials, [0.5] * 12)[1] == 3  # the first scoring at which one may end
    assert run(trials, [2.5] * 12)[1] == 12
    ended = trials.trials()[4]
    assert (ended.outcome, ended.score, ended.minutes) == ("ended early", 0.5, 0.5)


def test_a_study_cut_anywhere_goes_on(tmp_path: Path) -> None:
    """What a kill leaves of the last line is taken away, and at most one trial with it."""
    trials = study(tmp_path)
    for score in (1.0, 2.0, 3.0):
        run(trials, [score] * 3)
    trials.note("minutes", 7.5)
    whole = (tmp_path / STORAGE).read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for cut in (last, last + 1, last + 20, len(whole) - 1):
        (tmp_path / STORAGE).write_bytes(whole[:cut])
        again = study(tmp_path)
        assert [trial.score for trial in again.trials()] == [1.0, 2.0, 3.0]
        assert again.noted("minutes") is None
        run(again, [4.0] * 3)
        best = study(tmp_path).best()
        assert best is not None
        assert best.score == 4.0


def test_what_was_running_is_tried_once_more_and_only_once(tmp_path: Path) -> None:
    trials = study(tmp_path)
    own = trials.next()
    assert own is not None
    again = study(tmp_path)  # the first process is gone
    second = again.next()
    assert second is not None
    assert (second.places, second.own) == (own.places, True)
    assert [trial.retried for trial in again.trials()] == [True, False]
    assert not again.lost(second.number, "its process was killed")
    assert again.trials()[1].reason == "its process was killed"
    assert again.own() is None


def test_a_failed_trial_and_a_score_that_is_no_number_win_nothing(tmp_path: Path) -> None:
    trials = study(tmp_path)
    first, second = trials.next(), trials.next()
    assert first is not None
    assert second is not None
    trials.done(first.number, float("nan"), 1.0)
    trials.failed(second.number, "the loss must be a finite number")
    assert [trial.outcome for trial in trials.trials()] == ["failed", "failed"]
    assert trials.best() is None
    assert trials.importances() == {}


# ---------------------------------------------------------------- a worker


def test_a_worker_reads_its_data_once_and_ends_what_it_is_told_to(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    surveys = []
    survey = shared_data.survey
    monkeypatch.setattr(shared_data, "survey", lambda *given: surveys.append(1) or survey(*given))
    monkeypatch.setattr("transduce.training.run.plot_run", lambda *given: False)
    recipe = yaml.safe_load((place / "small.yaml").read_text())
    wide = json.loads(json.dumps(recipe))
    wide["model"]["encoder"]["width"] = 12
    wrong = json.loads(json.dumps(recipe))
    wrong["training"]["tag_orders"] = 2
    said: list[dict[str, Any]] = []
    told = [
        {"do": "train", "recipe": recipe, "folder": "a"},
        *[{"go": True}] * 2,
        {"do": "train", "recipe": wide, "folder": "b"},
        {"go": False},
        {"do": "train", "recipe": wrong, "folder": "c"},
        {"do": "end"},
    ]
    worker.serve(lambda: told.pop(0), said.append, place / "data")
    assert [message["is"] for message in said] == [
        *("ready", "scored", "scored", "done", "scored", "ended early", "failed"),
    ]
    assert [message["scoring"] for message in said if message["is"] == "scored"] == [4, 8, 4]
    best = TrainedModel.load("a").report["training"]["best"]
    assert said[3]["score"] == pytest.approx(best["cer"])  # dev is small: all of it each time
    assert "training.tag_orders must be 1" in said[-1]["reason"]
    assert len(surveys) == 1


# ---------------------------------------------------------------- ways to search


def test_ways_to_search_are_tried_one_option_after_another(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = {(4, "average"): 10.0, (2, "average"): 8.0, (2, "gnmt"): 7.0, (8, "average"): 8.0}

    def score(trained: object, examples: object, search: SearchConfig, metric: str) -> float:
        assert metric == "cer"
        return scores.get((search.beam, search.length_normalization), 11.0)

    monkeypatch.setattr(search_tuning, "_score", score)

    class Stub:
        config = search_tuning.Config.from_mapping(
            {"training": {"metric": "cer"}, "search": {"beam": 4}}
        )

    stub: Any = Stub()
    tried = tune_search(stub, {}, [BEAM, LENGTH], 60, lambda line: None)
    assert tried[-1].score == 7.0
    assert [BEAM.values[tried[-1].places[0]].shown, LENGTH.values[tried[-1].places[1]].shown] == [
        *(2, "gnmt"),
    ]
    assert len(tried) == 6  # four beams, then two more normalizations
    alone = tune_search(stub, {}, [BEAM, LENGTH], 0, lambda line: None)
    assert [trial.score for trial in alone] == [10.0]  # no time: the recipe's own


# ---------------------------------------------------------------- what is shown


def standing() -> Standing:
    trials = [
        TrialRecord(0, (1, 0), "done", 50.0, True, 1.0),
        TrialRecord(1, (2, 1), "done", 62.5, False, 1.0),
        TrialRecord(2, (0, 0), "ended early", 20.0, False, 0.4),
        TrialRecord(3, (3, 0), "failed", None, False, 0.0, "the loss must be finite"),
        TrialRecord(4, (3, 1), "running", 30.0, False, 0.0),
    ]
    return Standing((RATE, KIND), "exact_match", False, trials, 4.5, 66.0)


def test_where_a_tuning_is_stands_in_a_line() -> None:
    assert str(standing()) == (
        "best exact_match 62.50 (the recipe's own 50.00) · 2 trials done, 1 ended early, "
        "1 failed, 1 running · 1:01:30 left"
    )
    lines: list[str] = []
    LineBoard(lines.append).ended(standing().trials[3], standing())
    assert lines[0] == "trial 3: failed (the loss must be finite)  rate 0.1"


@pytest.mark.parametrize("width", [40, 80])
def test_the_board_fits_into_a_terminal(width: int) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=True, color_system=None)
    board = LiveBoard(console)
    board.begin()
    board.show(standing())
    board.ended(standing().trials[3], standing())
    board.end(standing())
    told = stream.getvalue()
    assert "62.50" in told
    assert "recipe's" in told
    assert "30.00 …" in told
    assert "trial 3 failed: the loss must be" in told
    lines = told.replace("\r", "\n").split("\n")
    assert max(len(line) for line in lines if "\x1b" not in line) <= width


def test_a_picture_of_nothing_is_refused(tmp_path: Path) -> None:
    options = [TriedOption("rate", [1, 2], [])]
    with pytest.raises(DataError, match="must show at least one trial; got none"):
        draw_trials(options, tmp_path / "a.png", metric="cer", title="none")
    tried = [TriedValue(0, 1.0, is_own=True), TriedValue(1, 2.0, ended_early=True)]
    draw_trials(
        [TriedOption("attention", ["general", "dot"], tried, 1.0)],
        tmp_path / "a.png",
        metric="cer",
        title="two",
    )
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_scorings_that_a_trial_had_no_time_for_are_filled(tmp_path: Path) -> None:
    """A slow one is compared at the scorings that it makes, whenever the others made theirs."""
    trials = study(tmp_path)
    for score in (4.0, 5.0, 6.0, 7.0):
        trial = trials.next()
        assert trial is not None
        assert trials.report(trial.number, 1, 0.0)
        assert trials.report(trial.number, 4, score)
        trials.done(trial.number, score, 1.0)
    behind = trials.next()
    assert behind is not None
    assert trials.report(behind.number, 1, 0.0)
    assert not trials.report(behind.number, 7, 5.0)  # the median of what was known by then is 5.5


def test_dev_is_scored_in_part_while_a_trial_trains_and_whole_at_its_end(place: Path) -> None:
    config = Config.from_mapping(yaml.safe_load((place / "small.yaml").read_text()))
    corpora = open_corpora(config)
    many = replace(corpora, dev=corpora.dev * 50)
    few = worker._with_few(many)
    assert (len(many.dev), len(few.dev)) == (500, 200)
    assert [e.source for e in few.dev[:3]] == [many.dev[n].source for n in (0, 2, 5)]
