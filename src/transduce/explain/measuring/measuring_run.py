"""Measuring all methods on a model's own outputs for some sources."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

import torch

from transduce.errors import DataError, ModelError
from transduce.explain.asking.asked import CELLS, Asked, ask
from transduce.explain.asking.prepared import Cells
from transduce.explain.known_methods import METHODS
from transduce.explain.measuring.faithfulness import WAYS, Faithfulness, measure_weights
from transduce.explain.measuring.measurement import RANDOM, Measurement, compare_methods
from transduce.explain.method import Method
from transduce.reading.frames import FrameSource
from transduce.workflow.trained import TrainedModel

__all__ = ["measure_methods"]

_ORDERS = 4  # random ones of each source, their mean taken


def measure_methods(
    trained: TrainedModel,
    sources: Iterable[FrameSource],
    methods: Mapping[str, Method] = METHODS,
    *,
    part: str | None = None,
    cells: Cells = CELLS,
    seed: int = 1,
) -> Measurement:
    """Comprehensiveness and sufficiency of each method, against random orders of the units.

    What is explained is what the model writes by itself. A method that the model cannot have is
    refused with its reason. Raises DataError where there is no source with an output.
    """
    found: dict[str, list[Faithfulness]] = {RANDOM: []}
    seconds: dict[str, float] = {}
    figures: dict[str, dict[str, float]] = {}
    refused: dict[str, str] = {}
    for number, source in enumerate(sources):
        asked = ask(trained, source, part=part, cells=cells)
        if len(asked.written.tokens) > 0:
            _measure_one(asked, methods, found, seconds, figures, refused, seed + number)
    if not found[RANDOM]:
        raise DataError("sources must have at least one output that is not empty; got none")
    count = len(found[RANDOM])
    means = {name: total / count for name, total in seconds.items()}
    return compare_methods(found, means, figures, refused, seed=seed)


def _measure_one(
    asked: Asked,
    methods: Mapping[str, Method],
    found: dict[str, list[Faithfulness]],
    seconds: dict[str, float],
    figures: dict[str, dict[str, float]],
    refused: dict[str, str],
    seed: int,
) -> None:
    subject = asked.subject
    fixed = 1 if asked.prepared.kind == "text" else 0  # the end
    for name, method in methods.items():
        if name in refused:
            continue
        started = time.perf_counter()
        try:
            weights = method.weigh(subject)
        except ModelError as error:
            refused[name] = str(error)
            continue
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - started
        own = figures.setdefault(name, {})
        for figure, value in weights.figures.items():
            own[figure] = max(own.get(figure, value), value)
        measured = measure_weights(subject, weights.source.cpu(), fixed=fixed, seed=seed)
        found.setdefault(name, []).append(measured)
    chance = torch.Generator().manual_seed(seed)
    shape = subject.question.count, subject.units.count
    orders = [
        measure_weights(subject, torch.rand(shape, generator=chance), fixed=fixed, seed=seed)
        for _ in range(_ORDERS)
    ]
    found[RANDOM].append(_mean(orders))


def _mean(each: Sequence[Faithfulness]) -> Faithfulness:
    def of(kind: str) -> dict[str, torch.Tensor]:
        return {way: torch.stack([getattr(own, kind)[way] for own in each]).mean(0) for way in WAYS}

    return Faithfulness(of("comprehensiveness"), of("sufficiency"))
