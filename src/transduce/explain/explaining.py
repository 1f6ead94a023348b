"""From a trained model and a source to an explanation."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import torch

from transduce.errors import ConfigError, did_you_mean
from transduce.explain.explanation import Explanation
from transduce.explain.known_methods import chosen_method
from transduce.explain.method import Method
from transduce.explain.outputs import given_output, own_output, questions
from transduce.explain.prepared import UNITS, Cells, prepare_source
from transduce.explain.question import QUANTITIES, Quantity, Question
from transduce.explain.subject import Subject
from transduce.reading.frames import FrameSource
from transduce.reading.parts import find_part
from transduce.workflow.predicting.source_limits import shortage_explained
from transduce.workflow.trained import TrainedModel

__all__ = ["explain"]


def explain(
    trained: TrainedModel,
    source: FrameSource,
    target: str | None = None,
    *,
    method: str | Method | None = None,
    against: str | None = None,
    quantity: Quantity = "token",
    unit: str = "symbol",
    cells: Cells = (24, 8),
    part: str | None = None,
) -> Explanation:
    """Why a model writes ``target`` (None: what it writes by itself) for a source.

    ``method`` is a name or a method with its options; None: what measured best for this kind of
    source. ``quantity`` is explained: each ``token``'s log-probability, that of the whole
    ``output``, or the ``entropy`` at each step. With ``against`` it is why the target and not that
    output: at the first token where they part, or, with ``output``, as a whole. ``unit`` is
    ``symbol`` or ``word`` for texts; recordings and pictures are cut into at most ``cells``
    columns and rows. Raises ConfigError for an option that is not known, DataError for a source
    or target that the model cannot read or write, ModelError where it has not what the method
    looks at.
    """
    for name, value, known in (("quantity", quantity, QUANTITIES), ("unit", unit, UNITS)):
        if value not in known:
            meant = did_you_mean(value, known)
            raise ConfigError(f"{name} must be {' or '.join(known)}; got {value!r}{meant}")
    trained.model.eval()
    chosen_part = find_part(trained.config, part)
    prepared = prepare_source(trained, source, chosen_part, unit=unit, most=cells)
    chosen = chosen_method(method, prepared.kind, trained)
    if target is None:
        written = own_output(trained, source, chosen_part)
    else:
        written = given_output(trained, source, target, chosen_part)
    other = None
    if against is not None:
        other = given_output(trained, source, against, chosen_part, "against")
    question, subtracted, rows = questions(written, quantity, other)
    subject = prepared.subject(trained, question, subtracted)
    started = time.perf_counter()
    with shortage_explained():
        weights = chosen.weigh(subject)
        seconds = time.perf_counter() - started
        scores = subject.scores()[0]
        logs = _log_probabilities(subject)
    return Explanation(
        kind=prepared.kind,
        source=prepared.names,
        target=written.symbols,
        rows=rows,
        weights=prepared.on_all(weights.source).cpu().numpy(),
        prefix=("begin", *written.symbols[:-1]),
        prefix_weights=None if weights.prefix is None else weights.prefix.cpu().numpy(),
        signed=weights.signed,
        log_probabilities=tuple(logs.tolist()),
        scores=tuple(scores.tolist()),
        output=written.text,
        quantity=quantity,
        against=against,
        method=chosen.name,
        options=_options(chosen),
        seconds=round(seconds, 6),
        figures=dict(weights.figures),
        canvas=prepared.canvas,
        given=str(source) if isinstance(source, str) or hasattr(source, "__fspath__") else "",
    )


def _options(method: Method) -> dict[str, Any]:
    return dataclasses.asdict(method) if dataclasses.is_dataclass(method) else {}


def _log_probabilities(subject: Subject) -> torch.Tensor:
    """Of each token of the target, whatever the question is."""
    every = dataclasses.replace(
        subject, question=Question.of(subject.question.target.tolist()), other=None
    )
    return every.scores()[0]
