"""``transduce explain``: why a model says what it says of a source, or of each of many."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transduce.commands.arguments import require_file_place, require_output, updated
from transduce.commands.explaining.progress_bar import shown
from transduce.errors import ConfigError, DataError
from transduce.explain.explaining import explain as weigh
from transduce.explain.explanation import Explanation
from transduce.explain.known_methods import method_with
from transduce.explain.method import Method
from transduce.explain.showing.lines import print_explanation
from transduce.explain.showing.weight_picture import draw_explanation
from transduce.files import replacing
from transduce.pretrained.published_model import load_trained
from transduce.reading.frames import FrameSource
from transduce.workflow.trained import TrainedModel

__all__ = ["ExplainRequest", "explain", "split_options"]

_OPTION = "method."
_ALTERNATIVES = 3  # of each token, whose continuations a page shows
_WRITERS: dict[str, Callable[[Explanation, Path], Any]] = {
    ".html": Explanation.save_page,
    ".json": Explanation.save,
    ".png": draw_explanation,
    ".svg": draw_explanation,
}


@dataclass(frozen=True)
class ExplainRequest:
    """What is asked at the terminal; ``source`` or ``every``, a file of sources."""

    model: Path
    source: str | None = None
    target: str | None = None
    method: str | None = None
    against: str | None = None
    quantity: str = "token"
    unit: str = "symbol"
    output: Path | None = None
    part: str | None = None
    every: str | None = None
    overrides: tuple[str, ...] = ()
    alternatives: int | None = None

    def explanation(
        self, trained: TrainedModel, source: FrameSource, method: str | Method | None
    ) -> Explanation:
        """Of one source. Raises what :func:`transduce.explain.explaining.explain` does."""
        return weigh(
            trained,
            source,
            self.target,
            method=method,
            against=self.against,
            quantity=self.quantity,  # type: ignore[arg-type]
            unit=self.unit,
            part=self.part,
            alternatives=self._alternatives,
        )

    @property
    def _alternatives(self) -> int:
        """As asked; else a few for a page and JSON of one source, and none where none are seen."""
        if self.alternatives is not None:
            return self.alternatives
        kind = "" if self.output is None else self.output.suffix.lower()
        return _ALTERNATIVES if self.every is None and kind in (".html", ".json") else 0


def explain(request: ExplainRequest) -> None:
    """Print an explanation, or write it to a file of the kind that its name says.

    Of many sources each is a line of JSON, on standard output or in the file. Raises ConfigError.
    """
    if (request.source is None) == (request.every is None):
        got = "neither" if request.source is None else "both"
        raise ConfigError(f"SOURCE must be given, or --all FILE; got {got}")
    if request.every is not None:
        _explain_all(request, request.every)
        return
    require_output(request.output, _WRITERS)
    trained, method = _opened(request)
    found = request.explanation(trained, request.source or "", method)
    if request.output is None:
        print_explanation(found)
    else:
        _WRITERS[request.output.suffix.lower()](found, request.output)
        print(f"{found.output}\nexplanation written to {request.output}")


def split_options(overrides: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """What the method is told (``method.steps=64``), and what the model is."""
    own = [text.removeprefix(_OPTION) for text in overrides if text.startswith(_OPTION)]
    options = dict(text.split("=", 1) for text in own)
    return options, [text for text in overrides if not text.startswith(_OPTION)]


def _opened(request: ExplainRequest) -> tuple[TrainedModel, str | Method | None]:
    for text in request.overrides:
        if "=" not in text:
            raise ConfigError(f"option must be given as KEY=VALUE; got {text!r}")
    options, others = split_options(request.overrides)
    method = method_with(request.method, options)
    trained = load_trained(request.model)
    trained.config = updated(trained.config, others)
    return trained, method


def _explain_all(request: ExplainRequest, file: str) -> None:
    """One JSON line a source; one that cannot be explained has ``error`` in its line."""
    if request.target is not None or request.against is not None:
        raise ConfigError("--target and --against must be given for one SOURCE; got --all")
    require_file_place(request.output, "--output")
    trained, method = _opened(request)
    sources = list(trained.reader.given([file], trained.config.data))
    if not sources:
        raise DataError("file must hold at least one source; got none", file=file)
    failed = 0

    def lines() -> Iterator[str]:
        nonlocal failed
        for source in shown(sources, "explaining"):
            try:
                if isinstance(source, DataError):
                    raise source
                yield request.explanation(trained, source, method).to_json()
            except DataError as error:
                failed += 1
                yield json.dumps({"error": str(error), "given": str(source)}, ensure_ascii=False)

    if request.output is None:
        for line in lines():
            print(line, flush=True)
    else:
        with replacing(request.output) as aside, open(aside, "w", encoding="utf-8") as stream:
            stream.writelines(f"{line}\n" for line in lines())
        print(f"{len(sources) - failed:,} explanations written to {request.output}")
    if failed:
        print(f"not explained: {failed:,} of {len(sources):,}", file=sys.stderr)
