"""``transduce index`` and ``transduce explain --neighbours``: what taught a model what it says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from transduce.commands.arguments import (
    require_file_place,
    require_output,
    split_overrides,
    test_examples,
    updated,
    write_json,
)
from transduce.config import Files
from transduce.errors import ConfigError, DataError
from transduce.explain.neighbours.nearest_pairs import nearest_pairs
from transduce.explain.neighbours.states_of_pairs import make_index
from transduce.explain.neighbours.table_of_pairs import table_of_pairs
from transduce.neighbours import Nearest, StateIndex
from transduce.pretrained.published_model import load_trained
from transduce.reading.parts import find_part
from transduce.reading.problems import Problems

__all__ = ["explain_by_neighbours", "index"]


def index(model: Path, arguments: Sequence[str], output: Path, part: str | None) -> None:
    """Write the decoder's states over pairs, those of the named files or the recipe's own."""
    require_file_place(output, "--output")
    inputs, overrides = split_overrides(arguments)
    trained = load_trained(model)
    trained.config = updated(trained.config, overrides)
    problems = Problems(trained.config.data.on_error)
    given: Files | None = [Path(text) for text in inputs] or None
    files = given or find_part(trained.config, part).data.train
    if files is None:
        raise ConfigError("DATA must name a file with pairs, or the recipe data.train; got none")
    examples = test_examples(trained.config, files, problems, part)
    made = make_index(trained, examples, part)
    try:
        made.save(output)
    except OSError as error:
        raise DataError(f"--output must be writable; got {error.strerror}", file=output) from None
    print(f"{len(made):,} states of {len(made.texts):,} pairs written to {output}")
    if problems.total:
        print(f"left out: {problems.summary()}")


def explain_by_neighbours(
    model: Path,
    source: str,
    index: Path,
    target: str | None = None,
    output: Path | None = None,
    part: str | None = None,
    *,
    count: int = 5,
    overrides: Sequence[str] = (),
) -> None:
    """Print the nearest pairs of each token, or write them as JSON."""
    require_output(output, (".json",), " for neighbours")
    trained = load_trained(model)
    trained.config = updated(trained.config, overrides)
    read = StateIndex.load(index)
    read.require_of(trained.model, index)
    found = nearest_pairs(trained, source, Nearest(read), target, count=count, part=part)
    if output is None:
        print(table_of_pairs(found))
        return
    write_json(output, found.to_dict())
    print(f"{found.output}\nneighbours written to {output}")
