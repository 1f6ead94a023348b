"""What is asked of ``transduce predict``, and whether its options fit each other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transduce.commands.arguments import require_file_place
from transduce.commands.predicting.answer_forms import FORMS, Form
from transduce.commands.predicting.table_answers import require_table_form
from transduce.errors import ConfigError

__all__ = ["Request", "asked_form", "require_places", "require_together"]


@dataclass(frozen=True)
class Request:
    """The options of the command, as they were given: plain values, which can be sent anywhere."""

    model: Path
    sources: Sequence[str] = ("-",)
    output: Path | None = None
    form: str | None = None
    beam: int | None = None
    nbest: int | None = None
    ensemble: Sequence[Path] = ()
    overrides: Sequence[str] = ()
    part: str | None = None
    timings: bool = False
    source_language: str | None = None
    output_folder: Path | None = None
    column: str | None = None
    confidence: bool = False
    least: float | None = None
    alternatives: int = 0
    alignments: bool | str = False
    adapter: Path | None = None

    @property
    def extras(self) -> list[str]:
        """What stands beside the texts."""
        asked = {"confidence": self.confidence, "alignments": bool(self.alignments)}
        return [name for name, is_asked in asked.items() if is_asked]


def asked_form(request: Request) -> Form:
    """How answers are written. Raises ConfigError for a form that there is not, or does not fit."""
    name = request.form or "text"
    if name not in FORMS:
        raise ConfigError(f"--format must be one of {', '.join(FORMS)}; got {name!r}")
    form = FORMS[name]
    if request.column is not None:
        require_table_form(request.form, request.output, request.sources)
        if request.output_folder is not None or request.timings:
            other = "--timings" if request.timings else "--output-dir"
            raise ConfigError(f"{other} must not be given with --column; got both")
    if request.timings and not form.timed and name != "jsonl":
        raise ConfigError(f"--timings must be used with --format jsonl; got {name}")
    return form


def require_together(request: Request, form: Form) -> None:
    """Raise ConfigError where what is asked beside outputs has no place, or no model."""
    least = request.least
    if least is not None and not 0 <= least <= 1:
        raise ConfigError(f"--minimum-confidence must be from 0 to 1; got {least:g}")
    asked = {"--confidence": request.confidence, "--alignments": bool(request.alignments)}
    for name in [name for name, is_asked in asked.items() if is_asked]:
        if form.timed:
            raise ConfigError(
                f"{name} must be asked for with --format jsonl, csv, tsv or text; got "
                f"{request.form}"
            )
        if request.column is not None:
            raise ConfigError(
                f"{name} must be asked for without --column; got {request.column!r} too"
            )
    if request.ensemble and request.adapter is not None:
        raise ConfigError("--adapter must be given for one model; got several (--ensemble)")
    if request.ensemble and request.alignments:
        raise ConfigError("--alignments must be asked of one model; got several (--ensemble)")
    if request.alternatives and (request.form or "text") != "jsonl":
        raise ConfigError(
            f"--alternatives must be asked for with --format jsonl; got {request.form or 'text'}"
        )
    if request.ensemble and request.alternatives:
        raise ConfigError("--alternatives must be asked of one model; got several (--ensemble)")
    if request.ensemble and (request.confidence or least is not None):
        raise ConfigError("confidence must be asked of one model; got several (--ensemble)")


def require_places(request: Request) -> None:
    """Raise ConfigError where there is no place for the answers."""
    sources, output, folder = request.sources, request.output, request.output_folder
    require_file_place(output, "--output")
    if folder is not None:
        if output is not None:
            raise ConfigError(f"--output must not be given with --output-dir; got {output}")
        if os.path.exists(folder) and not os.path.isdir(folder):
            raise ConfigError(f"--output-dir must be a folder; got the file {folder}")
    if output is None or not os.path.exists(output):
        return
    for source in sources:
        if source != "-" and os.path.exists(source) and output.samefile(source):
            raise ConfigError(f"--output must be another file than INPUT; got {output} for both")
