"""``transduce explain MODEL DATA --measure``: how far each method can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from transduce.commands.arguments import require_output, test_examples, updated, write_json
from transduce.commands.explaining.explain import split_options
from transduce.commands.explaining.progress_bar import shown
from transduce.config import Files
from transduce.errors import DataError
from transduce.explain.known_methods import METHODS, method_with, named
from transduce.explain.measuring.measurement_plot import draw_measurement
from transduce.explain.measuring.measuring_run import measure_methods
from transduce.explain.method import Method
from transduce.pretrained.published_model import load_trained
from transduce.reading.problems import Problems
from transduce.workflow.evaluate import spread

__all__ = ["measure"]


def measure(
    model: Path,
    data: str | None,
    output: Path | None,
    method: str | None,
    part: str | None,
    overrides: Sequence[str],
    count: int,
) -> None:
    """Print the table; write all figures (JSON) or a plot (PNG) to ``output``.

    ``data`` is a file with pairs (the recipe's test set if none), of which ``count`` sources are
    taken, evenly from first to last. ``method`` alone is measured where it is named. Raises
    ConfigError.
    """
    require_output(output, (".json", ".png"), " where --measure is")
    options, others = split_options(overrides)
    chosen = method_with(method, options)
    trained = load_trained(model)
    trained.config = updated(trained.config, others)
    problems = Problems(trained.config.data.on_error)
    files: Files | None = None if data is None else Path(data)
    examples = spread(test_examples(trained.config, files, problems, part), count)
    if not examples:
        raise DataError("data must hold at least one source; got none", file=data)
    sources = [example.source for example in examples]
    measured = measure_methods(trained, shown(sources, "measuring"), _methods(chosen), part=part)
    print(measured.table(), end="")
    if output is None:
        return
    if output.suffix.lower() == ".png":
        draw_measurement(measured, output)
    else:
        write_json(output, measured.to_dict())
    print(f"written to {output}")


def _methods(chosen: str | Method | None) -> dict[str, Method]:
    if chosen is None:
        return dict(METHODS)
    found = named(chosen) if isinstance(chosen, str) else chosen
    return {found.name: found}
