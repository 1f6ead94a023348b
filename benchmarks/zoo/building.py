"""Rows built one after another: trained where that is still to do, then measured, then told."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.zoo.measuring import complaints, measure, weights_digest
from benchmarks.zoo.pages import Pages
from benchmarks.zoo.results import Result, read_results, write_results
from benchmarks.zoo.rows import Place, Row, Zoo, require_files
from benchmarks.zoo.settings import require_same
from transduce.commands.train import train
from transduce.config import Config
from transduce.errors import ModelError, TransduceError
from transduce.files import place as file_place
from transduce.training.record.checkpoint import has_checkpoint
from transduce.workflow.model_folder import REPORT
from transduce.workflow.trained import read_report

__all__ = ["Builder", "StoppedError"]


class StoppedError(Exception):
    """Somebody stopped a training; the same command goes on with it."""


class Builder:
    """Builds rows of one zoo in one place, and keeps their results and pages."""

    def __init__(self, zoo: Zoo, place: Place, pages: Pages, say: Callable[[str], None]) -> None:
        """``say`` takes a line for each row."""
        self.zoo = zoo
        self.place = place
        self.pages = pages
        self.say = say

    def build(self, names: list[str]) -> bool:
        """All rows of these names, of all if none; whether each is as it should be.

        A row that fails is told, and the others go on. Raises ConfigError for a name that is none,
        StoppedError.
        """
        wrong = []
        for row in self.zoo.with_needs(names):
            try:
                found = self._built(row)
            except (TransduceError, OSError) as error:
                found = [str(error)]
            for complaint in found:
                self.say(f"{row.name}: failed: {complaint}")
            wrong += [row.name] if found else []
        if wrong:
            self.say(f"failed: {' '.join(wrong)}")
        return not wrong

    def enter(self, name: str, run: Path, processor_minutes: float | None) -> bool:
        """Measure a run that was trained elsewhere with the row's own settings.

        Raises ConfigError where they differ, ModelError for a run that is not finished.
        """
        row = self.zoo.row(name)
        config = self.place.config(row)
        require_files(self.zoo, row, config)
        if not _is_finished(run):
            raise ModelError(f"{run} must be a finished run; got none, or one that was stopped")
        require_same(run, config)
        found = self._measured(row, config, run, processor_minutes)
        for complaint in found:
            self.say(f"{row.name}: failed: {complaint}")
        return not found

    def _built(self, row: Row) -> list[str]:
        """What is wrong with the row in the end."""
        config = self.place.config(row)
        require_files(self.zoo, row, config)
        run, minutes = self.place.run(row.name), None
        if _is_finished(run):
            require_same(run, config)
        else:
            minutes = self._trained(row, run)
        known = read_results(self.pages.results).get(row.name)
        if known is not None and known.is_of(row) and known.weights == weights_digest(run):
            self._tell(row, known)
            return complaints(row, known)
        return self._measured(row, config, run, minutes)

    def _trained(self, row: Row, run: Path) -> float | None:
        """Train to the end; minutes of processor time where it began here, else none."""
        self.say(f"{row.name}: training in {run}")
        resume, began = has_checkpoint(run), time.process_time()
        run.parent.mkdir(parents=True, exist_ok=True)
        words = [self.place.recipe(row), *self.place.overrides(row)]
        if not train(words, run, None, resume=resume):
            raise StoppedError(row.name)
        return None if resume else round((time.process_time() - began) / 60, 1)

    def _measured(
        self, row: Row, config: Config, run: Path, processor_minutes: float | None
    ) -> list[str]:
        self.say(f"{row.name}: measuring {run}")
        result = measure(
            row,
            config,
            run,
            self.place.run(f"{row.name}-int8"),
            processor_minutes,
            read_results(self.pages.results).get(row.name),
        )
        results = read_results(self.pages.results)  # others may have written meanwhile
        write_results(self.pages.results, {**results, row.name: result})
        self.pages.write(self.zoo)
        self._tell(row, result)
        return complaints(row, result)

    def _tell(self, row: Row, result: Result) -> None:
        """A line: the first score in float32 and int8, megabytes of int8."""
        scores = result.test or result.dev
        on = "test" if result.test else "dev"
        values = " and ".join(
            f"{one.metrics[row.metric]:.2f} in {form}" for form, one in scores.items()
        )
        size = result.megabytes["int8"]
        self.say(f"{row.name}: {row.scores[row.metric]} {values} on {on}; int8 {size:.2f} MB")


def _is_finished(run: Path) -> bool:
    if not file_place(run, REPORT).is_file():
        return False
    training = read_report(run).get("training", {})
    return training.get("stopped") not in (None, "interrupted")
