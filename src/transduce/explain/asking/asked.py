"""One source and one output with a question about them: what a method is given."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch

from transduce.errors import ConfigError, did_you_mean
from transduce.explain.asking.outputs import Written, given_output, own_output, questions
from transduce.explain.asking.prepared import UNITS, Cells, Prepared, prepare_source
from transduce.explain.asking.question import QUANTITIES, Quantity, Question
from transduce.explain.asking.subject import Subject
from transduce.reading.frames import FrameSource
from transduce.reading.parts import find_part
from transduce.workflow.trained import TrainedModel

__all__ = ["CELLS", "Asked", "ask"]

CELLS: Cells = (16, 6)  # columns and rows of a recording or picture


@dataclass(frozen=True)
class Asked:
    """What was read, what was written, and what is explained of it, with names for its numbers."""

    prepared: Prepared
    written: Written
    subject: Subject
    rows: tuple[str, ...]

    def log_probabilities(self) -> torch.Tensor:
        """Of each token of the output, ``[T]``, whatever the question is."""
        question = Question.of(self.written.tokens)
        return dataclasses.replace(self.subject, question=question, other=None).scores()[0]


def ask(
    trained: TrainedModel,
    source: FrameSource,
    target: str | None = None,
    *,
    against: str | None = None,
    quantity: Quantity = "token",
    unit: str = "symbol",
    cells: Cells = CELLS,
    part: str | None = None,
) -> Asked:
    """See :func:`transduce.explain.explaining.explain`, which raises what this does."""
    for name, value, known in (("quantity", quantity, QUANTITIES), ("unit", unit, UNITS)):
        if value not in known:
            meant = did_you_mean(value, known)
            raise ConfigError(f"{name} must be {' or '.join(known)}; got {value!r}{meant}")
    trained.model.eval()
    chosen = find_part(trained.config, part)
    prepared = prepare_source(trained, source, chosen, unit=unit, most=cells)
    if target is None:
        written = own_output(trained, source, chosen)
    else:
        written = given_output(trained, source, target, chosen)
    other = None
    if against is not None:
        other = given_output(trained, source, against, chosen, "against")
    question, subtracted, rows = questions(written, quantity, other)
    return Asked(prepared, written, prepared.subject(trained, question, subtracted), rows)
