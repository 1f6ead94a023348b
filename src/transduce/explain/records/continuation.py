"""Another token in an output, and how the output would have gone on after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from transduce.errors import DataError
from transduce.explain.records.checked_record import Record

__all__ = ["Continuation", "continuations_of"]


@dataclass(frozen=True)
class Continuation:
    """At ``step`` of an output (from 0) the token ``name`` of this ``log_probability`` (nats).

    ``text`` is the whole output with it, as the most probable tokens go on; where it is not
    ``finished`` it was cut.
    """

    step: int
    name: str
    log_probability: float
    text: str
    finished: bool

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def continuations_of(
    values: Sequence[object], name: str | Path, steps: int
) -> tuple[Continuation, ...]:
    """Of a file that nobody vouches for. Raises DataError."""
    found = []
    for value in values:
        record = Record.of(value, name)
        step = record.of_type("step", int)
        if not 0 <= step < steps:
            raise DataError(f"step must be from 0 to {steps - 1}; got {step}", file=name)
        found.append(
            Continuation(
                step,
                record.of_type("name", str),
                record.number("log_probability"),
                record.of_type("text", str),
                record.of_type("finished", bool),
            )
        )
    return tuple(found)
