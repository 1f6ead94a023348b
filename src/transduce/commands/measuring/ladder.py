"""``transduce ladder``: what each step of making a model smaller gains and costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from transduce.commands.arguments import require_file_place, say, test_examples, updated, write_json
from transduce.commands.measuring.compare import test_files
from transduce.engine import choose_engine
from transduce.errors import ConfigError
from transduce.ladder.climbing import Climb, climb
from transduce.ladder.ladder_picture import draw_ladder
from transduce.ladder.rung import rungs_of
from transduce.reading.problems import Problems
from transduce.workflow.trained import TrainedModel

__all__ = ["ladder"]


def ladder(
    arguments: Sequence[str],
    data: str | None,
    output: Path | None,
    plot: Path | None,
    part: str | None = None,
    *,
    threads: int | None = None,
    rounds: int = 5,
) -> None:
    """Print the table; the first model's recipe says how the data is read and what is measured.

    Raises ConfigError, ModelError, DataError.
    """
    require_file_place(output, "--json")
    require_file_place(plot, "--plot")
    if rounds < 1 or (threads is not None and threads < 1):
        raise ConfigError("--rounds and --threads must be at least 1")
    rungs = rungs_of(arguments)
    for rung in rungs:
        updated(TrainedModel.read_config(rung.folder), rung.options)  # what cannot be, before work
    config = TrainedModel.read_config(rungs[0].folder)
    if config.data.parts is not None and part is None:
        raise ConfigError("--part must be named for models of a mixture; got none")
    problems = Problems(config.data.on_error)
    examples = test_examples(config, test_files(data), problems, part)
    choose_engine("auto", torch.device("cpu"))  # compiles the kernels, which is no rung's cost
    asked = Climb(examples, threads or torch.get_num_threads(), part, rounds)
    found = climb(rungs, asked, say)
    print(found.table())
    if problems.total:
        print(f"not tested: {problems.summary()}")
    if output is not None:
        write_json(output, found.to_dict(), "--json")
    if plot is not None:
        draw_ladder(found, plot)
