"""The best and the worst of a model's outputs under the pictures that they are of."""

from __future__ import annotations

from pathlib import Path

from transduce.drawing.panels import SheetEntry, draw_contact_sheet
from transduce.errors import ConfigError
from transduce.evaluation.report import worst_cases
from transduce.image.reader import ImageReader
from transduce.workflow.evaluate import Evaluation
from transduce.workflow.trained import TrainedModel

__all__ = ["draw_sheet", "require_pictures"]

_SHOWN = 14  # of the best, and of the worst


def require_pictures(trained: TrainedModel) -> None:
    """Raise ConfigError where the model's sources are no pictures that can be shown."""
    if not isinstance(trained.source, ImageReader):  # one that transformers reads shows no pixels
        raise ConfigError(
            "--sheet must be asked of a model that reads pictures; "
            f"got one whose data.input is {trained.config.data.input.kind}"
        )


def draw_sheet(
    trained: TrainedModel,
    evaluation: Evaluation,
    path: str | Path,
) -> None:
    """Draw the best and the worst outputs, by the metric that grades most finely.

    Raises ConfigError where the sources are no pictures, DataError where a picture or the sheet's
    file cannot be read or written.
    """
    require_pictures(trained)
    reader = trained.reader
    cases = worst_cases(
        evaluation.scores,
        [example.source for example in evaluation.examples],
        [output.text for output in evaluation.outputs],
        [example.references for example in evaluation.examples],
        count=len(evaluation.examples),
    )
    shown = min(_SHOWN, len(cases) // 2)
    chosen = {"best": cases[::-1][: len(cases) - shown][:_SHOWN], "worst": cases[:shown]}
    groups = [
        (
            f"{name} by {cases[0].metric}",
            [
                SheetEntry(pixels, case.hypothesis, case.references)
                for case in group
                if (pixels := reader.pixels(case.source)) is not None
            ],
        )
        for name, group in chosen.items()
    ]
    draw_contact_sheet(groups, path)
