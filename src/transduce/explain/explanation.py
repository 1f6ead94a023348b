"""Why a model wrote what it wrote: the record that a person gets, its JSON and its looks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transduce.errors import DataError
from transduce.explain.records.canvas import Canvas
from transduce.explain.records.checked_record import Record
from transduce.explain.records.continuation import continuations_of
from transduce.explain.records.weighed import Weighed
from transduce.explain.showing.page import fragment, page
from transduce.files import write_text

__all__ = ["Explanation"]

_VERSION = 1


@dataclass(frozen=True, eq=False)
class Explanation(Weighed):
    """What was :class:`~transduce.explain.records.weighed.Weighed`, as a file and in a notebook."""

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, texts, lists and mappings, ready for JSON."""
        prefix = self.prefix_weights
        return {
            "transduce": "explanation",
            "version": _VERSION,
            "kind": self.kind,
            "given": self.given,
            "output": self.output,
            "quantity": self.quantity,
            "against": self.against,
            "method": self.method,
            "options": dict(self.options),
            "figures": dict(self.figures),
            "seconds": self.seconds,
            "source": list(self.source),
            "target": list(self.target),
            "rows": list(self.rows),
            "log_probabilities": list(self.log_probabilities),
            "scores": list(self.scores),
            "signed": self.signed,
            "weights": self.weights.tolist(),
            "prefix": list(self.prefix),
            "prefix_weights": None if prefix is None else prefix.tolist(),
            "canvas": None if self.canvas is None else self.canvas.to_dict(),
            "continuations": [other.to_dict() for other in self.continuations],
        }

    def to_json(self) -> str:
        """One line, which :meth:`from_json` reads."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str, name: str | Path = "explanation") -> Explanation:
        """Read what :meth:`to_json` gave. Raises DataError where it is none, or broken."""
        record = Record.parsed(text, name, version=_VERSION)
        source, target, rows = (record.texts(key) for key in ("source", "target", "rows"))
        prefix = record.texts("prefix")
        canvas = record.values.get("canvas")
        others = record.of_type("continuations", list) if "continuations" in record.values else []
        return cls(
            kind=record.one_of("kind", ("text", "audio", "image")),  # type: ignore[arg-type]
            source=source,
            target=target,
            rows=rows,
            weights=record.matrix("weights", len(rows), len(source)),
            prefix=prefix,
            prefix_weights=record.optional_matrix("prefix_weights", len(rows), len(prefix)),
            signed=record.of_type("signed", bool),
            log_probabilities=record.numbers("log_probabilities", len(target)),
            scores=record.numbers("scores", len(rows)),
            output=record.of_type("output", str),
            quantity=record.of_type("quantity", str),
            against=record.optional_text("against"),
            method=record.of_type("method", str),
            options=record.of_type("options", dict),
            seconds=record.number("seconds"),
            figures=record.figures("figures"),
            canvas=None if canvas is None else Canvas.from_dict(canvas, name, len(source)),
            continuations=continuations_of(others, name, len(target)),
            given=record.of_type("given", str),
        )

    def save(self, path: str | Path) -> None:
        """Write it as JSON. Raises DataError where the file cannot be written."""
        _write(self.to_json() + "\n", path)

    def save_page(self, path: str | Path) -> None:
        """Write it as one HTML file. Raises DataError where the file cannot be written."""
        _write(page(self, self.to_json()), path)

    @classmethod
    def load(cls, path: str | Path) -> Explanation:
        """Read what :meth:`save` wrote. Raises DataError."""
        try:
            return cls.from_json(Path(path).read_text(encoding="utf-8"), path)
        except (OSError, UnicodeDecodeError):
            raise DataError("file must be a readable explanation", file=path) from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Explanation) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def _repr_html_(self) -> str:
        return fragment(self)


def _write(text: str, path: str | Path) -> None:
    try:
        write_text(Path(path), text)
    except OSError as error:
        message = f"explanation must be a writable file; got {error.strerror}"
        raise DataError(message, file=path) from None
