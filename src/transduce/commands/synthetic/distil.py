"""``transduce distil``: what teachers write for a recipe's sources, as a recipe of its own."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transduce.commands.arguments import say, search_options, split_overrides, updated
from transduce.commands.synthetic.pair_folder import require_files, tell_left_out, written_to
from transduce.config import Config
from transduce.errors import ConfigError
from transduce.pretrained.published_model import load_trained
from transduce.workflow.synthetic.distilling import Distilled, Distilling
from transduce.workflow.synthetic.distilling import distil as write_pairs

__all__ = ["DistilRequest", "distil"]


@dataclass(frozen=True)
class DistilRequest:
    """The options of the command, as they were given."""

    arguments: Sequence[str]
    output: Path
    data: Sequence[Path] = ()
    sources: Sequence[str] = ()
    beam: int | None = None
    nbest: int | None = None
    nearest: bool = False
    part: str | None = None


def distil(request: DistilRequest) -> None:
    """Write the directory, or go on with it; say what it holds and what to type next.

    Raises ConfigError, DataError, ModelError, BusyError.
    """
    names, overrides = split_overrides(request.arguments)
    if not names:
        raise ConfigError("TEACHER must be at least one model directory; got none")
    require_files(request.sources, "--sources")
    with written_to(request.output):
        _tell(_written(request, names, overrides), names)


def _written(request: DistilRequest, names: Sequence[str], overrides: Sequence[str]) -> Distilled:
    teachers = [load_trained(name) for name in names]
    config = _with_data(updated(teachers[0].config, overrides), request)
    for teacher in teachers:
        teacher.config = teacher.config.updated({"engine": config.engine})
    teachers[0].config = config
    options = search_options(config, request.beam, request.nbest)
    if request.nearest and request.nbest is None:
        options = options.model_copy(update={"nbest": options.beam})
    if request.nearest and options.nbest < 2:
        raise ConfigError(
            f"--nearest must choose among outputs: --nbest or --beam of 2 or more; got "
            f"{options.nbest}"
        )
    pairs = bool(request.data) or config.data.train is not None or config.data.parts is not None
    sources = tuple(request.sources)
    asked = Distilling(options, request.nearest, request.part, sources, pairs or not sources)
    return write_pairs(teachers, names, request.output, asked, say)


def _with_data(config: Config, request: DistilRequest) -> Config:
    """The config with ``--data`` in the place of its training files. Raises ConfigError."""
    if not request.data:
        return config
    key = "data.train"
    if config.data.parts is not None:
        if request.part is None:
            raise ConfigError("--part must be named with --data for a model of a mixture; got none")
        key = f"data.parts.{request.part}.train"
    # Whole, as data.folder is where the recipe's own files are.
    return config.updated({key: [os.path.abspath(path) for path in request.data]})


def _tell(found: Distilled, names: Sequence[str]) -> None:
    for name, file in found.files.items():
        print(f"{found.recipe.parent / name}: {file.pairs:,} pairs from {file.sources:,} sources")
    left: Counter[str] = sum((file.left_out for file in found.files.values()), Counter())
    tell_left_out(left, "sources")
    if found.problems.total:
        print(f"not read: {found.problems.summary()}")
    recipe = shlex.quote(str(found.recipe))
    print("what to type next, with a smaller model of your choice:")
    print(f"  transduce train {recipe} model.encoder.layers=1 --output runs/student")
    print("or, to learn from the teacher's probabilities, too:")
    teachers = shlex.quote(f"training.teacher=[{', '.join(names)}]")
    print(f"  transduce train {recipe} {teachers} model.encoder.layers=1 --output runs/student")
