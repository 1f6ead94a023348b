"""The end of a tuning: search options on the best model, its scores on dev and test, the recipe."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from transduce.automatic.choosing.recipe_lines import nested
from transduce.automatic.runs import RECIPE
from transduce.config import Config
from transduce.config.search import SearchConfig
from transduce.drawing.trials_picture import TriedOption, TriedValue, draw_trials
from transduce.errors import CheckpointError, DataError, TrainingError
from transduce.evaluation.by_part import means
from transduce.evaluation.tables import render_table, score
from transduce.files import write_text
from transduce.metrics.known import METRICS
from transduce.reading.parts import part_tags, parts_of
from transduce.reading.problems import Problems
from transduce.tuning.search_tuning import Examples, SearchTrial, search_values, tune_search
from transduce.tuning.space.search_space import SearchSpace
from transduce.tuning.space.tuned_values import TunedOption, shown_value
from transduce.tuning.trials.study import TrialRecord, TuningStudy
from transduce.tuning.trials.tuner import Ended, trial_folder
from transduce.tuning.tuned_recipe import tuned_lines, tuned_text
from transduce.tuning.untuned import Untuned
from transduce.workflow.corpora.corpora import Corpora, test_set_of
from transduce.workflow.evaluate import evaluate, spread
from transduce.workflow.trained import TrainedModel

__all__ = ["PICTURE", "Tuned", "Winner"]

PICTURE, TRIALS = "tuning.png", "trials.tsv"

Scores = dict[str, dict[str, float]]  # "own" and "tuned", by metric


@dataclass(frozen=True)
class Tuned:
    """What a tuning came to. ``recipe`` is a file to train with, ``config`` what is in it.

    ``score`` and ``own_score`` are those of the best trial and of the recipe's own values by
    ``metric``, each of its best dev scoring in training. ``dev`` and ``test`` hold the scores of
    both models, ``own`` and ``tuned``, each with its search; none where somebody stopped it.
    ``model`` is the best trial's directory.
    """

    recipe: Path
    picture: Path | None
    model: Path
    config: Config
    ended: Ended
    metric: str
    score: float
    own_score: float | None
    values: dict[str, float | str]
    own_values: dict[str, float | str]
    importances: dict[str, float]
    trials: tuple[TrialRecord, ...]
    trial_minutes: float
    dev: Scores = field(default_factory=dict)
    test: Scores = field(default_factory=dict)

    def table(self) -> str:
        """For the terminal: values, then scores."""
        rows = [
            [
                name,
                shown_value(self.own_values[name]),
                shown_value(value),
                f"{100 * self.importances[name]:.0f} %" if name in self.importances else "",
            ]
            for name, value in self.values.items()
        ]
        tables = [render_table(self._title(), ["option", "recipe", "tuned", "importance"], rows)]
        scored = {"dev": self.dev, "test": self.test}
        rows = [
            [split, name, score(name, own), score(name, found["tuned"][name])]
            for split, found in scored.items()
            if found
            for name, own in found["own"].items()
        ]
        if rows:
            tables.append(render_table("", ["", "metric", "recipe", "tuned"], rows, texts=2))
        return "\n".join(tables)

    def _title(self) -> str:
        done = [trial for trial in self.trials if not trial.retried]
        early = sum(trial.outcome == "ended early" for trial in done)
        failed = sum(trial.outcome == "failed" for trial in done)
        more = f", {failed} failed" if failed else ""
        return (
            f"{len(done)} trials of {self.trial_minutes:.3g} minutes, {early} ended early{more}; "
            f"dev {self.metric}: {score(self.metric, self.score)}"
            + ("" if self.own_score is None else f" (recipe {score(self.metric, self.own_score)})")
        )


@dataclass
class Winner:
    """What is made of a study's best trial."""

    folder: Path
    untuned: Untuned
    space: SearchSpace
    study: TuningStudy
    corpora: Corpora
    trial_minutes: float
    say: Callable[[str], None]

    def finish(self, ended: Ended, seconds: float) -> Tuned:
        """Write recipe, picture and table of trials; unless interrupted tune search and test first.

        ``seconds`` are left for trying ways to search. Raises TrainingError where no trial
        trained to its end.
        """
        trials = [trial for trial in self.study.trials() if trial.outcome != "running"]
        best, own = self.study.best(), self.study.own()
        if best is None:
            raise TrainingError(_no_winner(trials, self.trial_minutes))
        searches: list[SearchTrial] = []
        dev: Scores = {}
        test: Scores = {}
        if ended != "interrupted":
            searches, dev, test = self._measured(best, own or best, seconds)
        places = searches[-1].places if searches else [option.own for option in self.space.search]
        chosen = [
            *zip(self.space.training, best.places, strict=True),
            *zip(self.space.search, places, strict=True),
        ]
        lines = tuned_lines(self.untuned.lines, chosen)
        recipe = self.folder / RECIPE
        tuned = Tuned(
            recipe,
            None,
            trial_folder(self.folder, best.number),
            self._config(chosen),
            ended,
            self.untuned.config.training.metric,
            best.score or 0.0,
            None if own is None else own.score,
            {option.name: option.values[place].shown for option, place in chosen},
            {option.name: option.values[option.own].shown for option, _ in chosen},
            self.study.importances(),
            tuple(trials),
            self.trial_minutes,
            dev,
            test,
        )
        self._write(RECIPE, tuned_text(lines, list(self._heading(tuned))))
        self._write(TRIALS, _trials_table(trials, self.space.training))
        picture = self._draw(tuned, best, searches)
        return Tuned(**{**tuned.__dict__, "picture": picture})

    def _config(self, chosen: Sequence[tuple[TunedOption, int]]) -> Config:
        return Config.from_mapping(nested(tuned_lines(self.untuned.lines, chosen)))

    # ---------------------------------------------------------------- measuring

    def _measured(
        self, best: TrialRecord, own: TrialRecord, seconds: float
    ) -> tuple[list[SearchTrial], Scores, Scores]:
        """Ways to search, then both models on dev and on test, where there is one."""
        noted = self.study.noted("measured")
        if noted and noted["trials"] == [best.number, own.number]:
            return (
                [SearchTrial(tuple(p), s) for p, s in noted["searches"]],
                noted["dev"],
                noted["test"],
            )
        model = TrainedModel.load(trial_folder(self.folder, best.number))
        dev: Examples = self.corpora.dev_by_part()
        searches = []
        if self.space.search:
            most = self.untuned.config.training.dev_sentences
            few = {part: spread(own, most) for part, own in dev.items()}
            searches = tune_search(model, few, self.space.search, seconds, self.say)
        search = model.config.search
        if searches:
            given = search_values(self.space.search, searches[-1].places)
            search = model.config.searching(given)
        first = model
        if own.number != best.number:
            first = TrainedModel.load(trial_folder(self.folder, own.number))
        pair = {"own": (first, first.config.search), "tuned": (model, search)}
        found = []
        for what, examples in (("dev", dev), ("test", self._test_examples())):
            if examples:
                self.say(f"scoring the recipe's own values and the winner on {what}")
            found.append({name: _scores(*of, examples) for name, of in pair.items() if examples})
        measured = {
            "trials": [best.number, own.number],
            "searches": [[list(trial.places), trial.score] for trial in searches],
            "dev": found[0],
            "test": found[1],
        }
        self.study.note("measured", measured)
        return searches, found[0], found[1]

    def _test_examples(self) -> Examples:
        """Of each part that has a test set."""
        parts = parts_of(self.untuned.config)
        tags, problems = part_tags(parts), Problems("skip")
        found = {name: test_set_of(part, problems, tags) for name, part in parts.items()}
        return {name: examples for name, examples in found.items() if examples is not None}

    # ---------------------------------------------------------------- writing

    def _heading(self, tuned: Tuned) -> Sequence[str]:
        config = self.untuned.config.training
        lines = [f"Tuned by transduce: {tuned.table().splitlines()[0]}."]
        for split, found in (("dev", tuned.dev), ("test", tuned.test)):
            if found:
                names = [tuned.metric] if tuned.metric in found["own"] else list(found["own"])[:2]
                scores = ", ".join(
                    f"{name} {score(name, found['tuned'][name])} "
                    f"(with the recipe's own values {score(name, found['own'][name])})"
                    for name in names
                )
                lines.append(f"On {split}: {scores}.")
        if config.max_minutes and config.max_minutes > 1.5 * self.trial_minutes:
            lines += [
                f"Trials trained for {self.trial_minutes:.3g} minutes, this recipe trains for "
                f"{config.max_minutes:g}:",
                "sizes and rates that are best in so short a time may not be the best in more.",
            ]
        return [*lines, "", f"Train it: transduce train {shlex.quote(str(tuned.recipe))}"]

    def _write(self, name: str, text: str) -> None:
        try:
            write_text(self.folder / name, text)
        except OSError as error:
            raise CheckpointError(
                f"{self.folder / name}: cannot be written ({error.strerror})"
            ) from None

    def _draw(
        self, tuned: Tuned, best: TrialRecord, searches: Sequence[SearchTrial]
    ) -> Path | None:
        shown = [t for t in tuned.trials if t.score is not None and t.outcome != "failed"]
        options = [
            TriedOption(
                option.name,
                [value.shown for value in option.values],
                [
                    TriedValue(
                        trial.places[number],
                        float(trial.score or 0.0),
                        trial.outcome == "ended early",
                        trial.own,
                        trial.number == best.number,
                    )
                    for trial in shown
                ],
                tuned.importances.get(option.name),
            )
            for number, option in enumerate(self.space.training)
        ]
        metric = METRICS[tuned.metric]
        path = self.folder / PICTURE
        way = "lower" if metric.lower_is_better else "higher"
        try:
            draw_trials(
                [*options, *_search_panels(self.space.search, searches)],
                path,
                metric=f"{metric.label} on dev ({way} is better)",
                title=f"{len(shown)} trials. Red: the best; a diamond: the recipe's own values; "
                "hollow: ended early",
            )
        except DataError as error:  # the recipe is worth more than a picture
            logging.getLogger("transduce").warning("no picture: %s", error)
            return None
        return path


def _search_panels(
    options: Sequence[TunedOption], searches: Sequence[SearchTrial]
) -> list[TriedOption]:
    """Each option of search, the others as they were best."""
    panels = []
    for number, option in enumerate(options):
        tried = [
            TriedValue(
                trial.places[number],
                trial.score,
                is_own=trial.places[number] == option.own,
                is_best=trial is searches[-1],
            )
            for trial in searches
            if _is_of(trial, number, options, searches[-1])
        ]
        if tried:
            panels.append(TriedOption(option.name, [v.shown for v in option.values], tried))
    return panels


def _is_of(
    trial: SearchTrial, number: int, options: Sequence[TunedOption], best: SearchTrial
) -> bool:
    """Whether it tried that option: earlier ones were at their best, later ones as they were."""
    before, after = slice(None, number), slice(number + 1, None)
    own = tuple(option.own for option in options)
    if trial.places[before] != best.places[before]:
        return False
    return trial is best or trial.places[after] == own[after]


def _no_winner(trials: Sequence[TrialRecord], minutes: float) -> str:
    failed = [trial for trial in trials if trial.outcome == "failed" and trial.reason]
    if failed:
        return (
            f"at least one trial must train to its end; got {len(failed)} that failed, "
            f"the last: {failed[-1].reason}"
        )
    return (
        f"at least one trial must train to its end, which takes {minutes:.3g} minutes and a "
        "little more; got none: go on with more --minutes"
    )


def _scores(trained: TrainedModel, search: SearchConfig, examples: Examples) -> dict[str, float]:
    """Metrics, of a mixture the means over its parts."""
    problems = Problems("skip")
    found = {}
    for part, own in examples.items():
        made = evaluate(trained, own, search, part=part or None, problems=problems)
        found[part] = dict(made.report.metrics)
    return means(found)


def _trials_table(trials: Sequence[TrialRecord], options: Sequence[TunedOption]) -> str:
    head = ["trial", "outcome", "score", "minutes", *(option.name for option in options), "reason"]
    rows = [head]
    for trial in trials:
        values = [
            shown_value(option.values[place].shown)
            for option, place in zip(options, trial.places, strict=True)
        ]
        found = "" if trial.score is None else f"{trial.score:.6g}"
        reason = " ".join(trial.reason.split())
        rows.append(
            [str(trial.number), trial.outcome, found, f"{trial.minutes:.3f}", *values, reason]
        )
    return "".join("\t".join(row) + "\n" for row in rows)
