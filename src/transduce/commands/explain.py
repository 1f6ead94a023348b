"""``transduce explain``: why a model says what it says of a source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transduce.commands.arguments import require_file_place, updated
from transduce.errors import ConfigError
from transduce.explain.explaining import explain as weigh
from transduce.explain.explanation import Explanation
from transduce.explain.known_methods import method_with
from transduce.explain.showing.lines import print_explanation
from transduce.pretrained.published_model import load_trained

__all__ = ["ExplainRequest", "explain"]

_OPTION = "method."


@dataclass(frozen=True)
class ExplainRequest:
    """What is asked at the terminal."""

    model: Path
    source: str
    target: str | None = None
    method: str | None = None
    against: str | None = None
    quantity: str = "token"
    unit: str = "symbol"
    output: Path | None = None
    part: str | None = None
    overrides: tuple[str, ...] = ()


def explain(request: ExplainRequest) -> None:
    """Print an explanation, or write it to a file of the kind that its name says."""
    writer = _writer(request.output)
    options, others = _split(request.overrides)
    trained = load_trained(request.model)
    trained.config = updated(trained.config, others)
    found = weigh(
        trained,
        request.source,
        request.target,
        method=method_with(request.method, options),
        against=request.against,
        quantity=request.quantity,  # type: ignore[arg-type]
        unit=request.unit,
        part=request.part,
    )
    if writer is None or request.output is None:
        print_explanation(found)
    else:
        writer(found, request.output)
        print(f"{found.output}\nexplanation written to {request.output}")


def _split(overrides: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """What the method is told (``method.steps=64``), and what the model is."""
    own = [text.removeprefix(_OPTION) for text in overrides if text.startswith(_OPTION)]
    options = dict(text.split("=", 1) for text in own)
    return options, [text for text in overrides if not text.startswith(_OPTION)]


def _writer(output: Path | None) -> Callable[[Explanation, Path], Any] | None:
    """What writes files of this kind; none: the terminal shows it. Raises ConfigError."""
    if output is None:
        return None
    known: dict[str, Callable[[Explanation, Path], Any]] = {
        ".json": Explanation.save,
        ".html": Explanation.save_page,
    }
    if output.suffix.lower() not in known:
        raise ConfigError(f"--output must end in {', '.join(known)}; got {output}")
    require_file_place(output, "--output")
    return known[output.suffix.lower()]
