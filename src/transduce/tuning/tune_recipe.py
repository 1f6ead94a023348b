"""``transduce.tune``: a recipe, or data alone, to the recipe that trains best."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transduce.automatic.planning import require_minutes
from transduce.config import require_one_input
from transduce.errors import ConfigError, TrainingError
from transduce.metrics.known import metric_named
from transduce.tuning.board import Board, choose_board
from transduce.tuning.plan import TuningPlan, TuningRequest, keep_plan, read_plan, taken_tuning
from transduce.tuning.trials.pool import Launch, Pool, launch_worker
from transduce.tuning.trials.study import TuningStudy, require_optuna
from transduce.tuning.trials.tuner import Tuner
from transduce.tuning.winner import Tuned, Winner
from transduce.workflow.corpora.corpora import open_corpora

__all__ = ["run_tuning", "tune"]

_MOST_JOBS = 1024
_FOR_SEARCH = 0.5  # share of the last minutes for ways to search; the rest is for dev and test


def tune(
    data: str | Path | Sequence[str | Path],
    output: str | Path | None = None,
    *,
    minutes: float = 60.0,
    jobs: int | None = None,
    tried: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    verbose: int = 1,
) -> Tuned:
    """Try what matters in a recipe, and give the recipe that was best on dev.

    ``data`` is a recipe (a file, or the name of one that comes with the package) or files with
    pairs, for which a recipe is chosen first; ``options`` are set in it, dotted:
    ``{"training.metric": "per"}``. ``output`` (``runs/NAME-tuning`` if none) gets ``recipe.yaml``,
    ``tuning.png``, ``trials.tsv`` and the model of the best trial. The same call goes on where
    one was stopped or killed, and after more ``minutes`` are given.

    ``jobs`` trials train side by side, each in a process of its own with one thread; none: one
    for each core that has a gigabyte of memory, or for each GPU. ``tried`` names what is tried, by
    known names (``learning_rate``, ``dropout``, …) or with values: ``"dropout=0,0.1,0.3"``,
    ``"training.weight_decay=0..0.1"``; none: all that is known. See ``trial_minutes`` for how
    long trials train and which are ended early.

    Raises TransduceError; KeyboardInterrupt after Ctrl-C, when all trials so far are kept.
    """
    inputs = [str(data)] if isinstance(data, str | Path) else [str(path) for path in data]
    tuned = run_tuning(
        inputs,
        None if output is None else Path(output),
        minutes=minutes,
        jobs=jobs,
        tried=tried,
        options=options or {},
        board=choose_board(verbose),
        verbose=verbose,
    )
    if tuned is None or tuned.ended == "interrupted":
        raise KeyboardInterrupt("the trials so far are kept; the same call goes on")
    return tuned


def run_tuning(
    inputs: Sequence[str],
    output: Path | None,
    *,
    minutes: float,
    jobs: int | None,
    tried: Sequence[str],
    options: Mapping[str, Any],
    board: Board,
    verbose: int = 1,
    launch: Launch = launch_worker,
) -> Tuned | None:
    """As ``tune``; None where somebody stopped it before a trial was done."""
    require_optuna()
    require_minutes(minutes)
    if jobs is not None and not 1 <= jobs <= _MOST_JOBS:
        raise ConfigError(f"--jobs must be from 1 to {_MOST_JOBS:,}; got {jobs}")

    def say(line: str) -> None:
        if verbose:
            print(line, file=sys.stderr, flush=True)

    asked = TuningRequest(tuple(inputs), dict(options), tuple(tried), minutes, jobs)
    folder = output or Path("runs") / f"{asked.name}-tuning"
    with taken_tuning(folder):
        plan = read_plan(folder, asked)
        for line in plan.untuned.said:
            say(line)
        config = plan.untuned.config
        require_one_input(config, "tuning")
        corpora = open_corpora(config)
        if not corpora.dev:
            raise TrainingError(
                "dev data must hold at least one pair to compare trials by; got none: set "
                "data.dev, or a larger data.dev_fraction"
            )
        keep_plan(folder, plan, asked, [*corpora.fingerprints.values()])
        metric = metric_named(config.training.metric, "training.metric")
        study = TuningStudy(
            folder,
            plan.space.training,
            lower_is_better=metric.lower_is_better,
            seed=config.training.seed,
        )
        say(_beginning(plan, folder, minutes))
        tuner = Tuner(
            folder,
            plan.untuned.recipe,
            plan.space,
            study,
            config.training.metric,
            Pool(folder, launch),
            board,
            plan.shares,
            minutes,
            plan.jobs,
            plan.devices,
        )
        ended = tuner.run()
        if ended == "interrupted" and study.best() is None:
            return None
        winner = Winner(folder, plan.untuned, plan.space, study, corpora, plan.shares.trial, say)
        return winner.finish(ended, 60 * plan.shares.ending * _FOR_SEARCH)


def _beginning(plan: TuningPlan, folder: Path, minutes: float) -> str:
    names = ", ".join(option.name for option in plan.space.options)
    return (
        f"tuning {names}: trials of {plan.shares.trial:g} minutes, {plan.jobs} side by side, "
        f"{minutes:g} minutes in all; in {folder}"
    )
