"""From a trained model and a source to an explanation."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from transduce.config import require_one_input
from transduce.errors import ConfigError
from transduce.explain.asking.asked import CELLS, ask
from transduce.explain.asking.prepared import Cells
from transduce.explain.asking.question import Quantity
from transduce.explain.continuations import continuations
from transduce.explain.explanation import Explanation
from transduce.explain.known_methods import chosen_method
from transduce.explain.method import Method
from transduce.reading.frames import FrameSource
from transduce.reading.parts import find_part
from transduce.workflow.predicting.source_limits import shortage_explained
from transduce.workflow.trained import TrainedModel

__all__ = ["explain"]

_MOST = 20  # alternatives of a token


def explain(
    trained: TrainedModel,
    source: FrameSource,
    target: str | None = None,
    *,
    method: str | Method | None = None,
    against: str | None = None,
    quantity: Quantity = "token",
    unit: str = "symbol",
    cells: Cells = CELLS,
    part: str | None = None,
    alternatives: int = 0,
) -> Explanation:
    """Why a model writes ``target`` (None: what it writes by itself) for a source.

    ``method`` is a name or a method with its options; None: what measured best for this kind of
    source. ``quantity`` is explained: each ``token``'s log-probability, that of the whole
    ``output``, or the ``entropy`` at each step. With ``against`` it is why the target and not that
    output: at the first token where they part, or, with ``output``, as a whole. ``unit`` is
    ``symbol`` or ``word`` for texts; recordings and pictures are cut into at most ``cells``
    columns and rows. With ``alternatives`` it says for so many other tokens at each place how the
    output would have gone on. Raises ConfigError for an option that is not known, DataError for a
    source or target that the model cannot read or write, ModelError where it has not what the
    method looks at.
    """
    require_one_input(trained.config, "an explanation")
    chosen = chosen_method(method, trained)
    if not 0 <= alternatives <= _MOST:
        raise ConfigError(f"alternatives must be from 0 to {_MOST}; got {alternatives}")
    asked = ask(
        trained,
        source,
        target,
        against=against,
        quantity=quantity,
        unit=unit,
        cells=cells,
        part=part,
    )
    started = time.perf_counter()
    with shortage_explained():
        weights = chosen.weigh(asked.subject)
        seconds = time.perf_counter() - started
        scores = asked.subject.scores()[0]
        logs = asked.log_probabilities()
        prepared, written = asked.prepared, asked.written
        chosen_part = find_part(trained.config, part)
        others = continuations(trained, prepared.source, written, chosen_part, alternatives)
    return Explanation(
        kind=prepared.kind,
        source=prepared.names,
        target=written.symbols,
        rows=asked.rows,
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
        continuations=others,
        given=str(source) if isinstance(source, str) or hasattr(source, "__fspath__") else "",
    )


def _options(method: Method) -> dict[str, Any]:
    return dataclasses.asdict(method) if dataclasses.is_dataclass(method) else {}
