"""``transduce adapt``: a small change of a model, learnt from corrections in seconds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from transduce.adapters import LARGEST_RANK, write_adapter
from transduce.commands.arguments import require_file_place, say
from transduce.errors import ConfigError, DataError
from transduce.interfaces import UNKNOWN
from transduce.pretrained.published_model import load_trained
from transduce.reading.pair_files import Pair, read_pairs
from transduce.reading.parts import Part, find_part, part_tags, parts_of, refuse_tags
from transduce.reading.problems import Problems
from transduce.tokenization.joint import coder
from transduce.workflow.adapting.adapter_of import checksum_of_base, require_adaptable
from transduce.workflow.adapting.edits import Edit
from transduce.workflow.adapting.known_pairs import known_pairs
from transduce.workflow.adapting.learning import learn_adapter
from transduce.workflow.trained import TrainedModel

__all__ = ["AdaptRequest", "adapt"]

_MOST_STEPS = 1_000_000
_SHOWN = 12  # edits


@dataclass(frozen=True)
class AdaptRequest:
    """The options of the command, as they were given."""

    model: Path
    corrections: Sequence[Path]
    output: Path
    part: str | None = None
    rank: int = 4
    steps: int = 600


def adapt(request: AdaptRequest) -> None:
    """Learn, write the file and say what was learnt. Raises TransduceError."""
    began = time.monotonic()
    _require_numbers(request)
    require_file_place(request.output, "--output")
    for path in request.corrections:
        if request.output.exists() and path.exists() and request.output.samefile(path):
            raise ConfigError(f"--output must be another file than the pairs; got {path} for both")
    trained = load_trained(request.model)
    require_adaptable(trained)
    part = find_part(trained.config, request.part)
    pairs = _corrections(trained, part, request.corrections)
    known, missing = known_pairs(trained)
    if missing:
        say(f"the model's training data are not there ({missing}): its own outputs hold it instead")
    learnt = learn_adapter(
        trained,
        checksum_of_base(request.model),
        pairs,
        part,
        known,
        rank=request.rank,
        steps=request.steps,
    )
    try:
        write_adapter(learnt.adapter, request.output)
    except OSError as error:
        reason = error.strerror
        raise DataError(f"--output must be writable; got {reason}", file=request.output) from None
    size, seconds = request.output.stat().st_size, time.monotonic() - began
    count = len(pairs)
    print(f"adapter: {request.output} ({size / 1e3:,.0f} kB, rank {request.rank})")
    print(
        f"{count:,} corrections: {learnt.before:,} written so before, {learnt.after:,} now "
        f"(greedy search); {seconds:.1f} s"
    )
    if learnt.edits:
        print(f"what they change: {_shown(trained, learnt.edits)}")
    print(f"to use it: transduce predict {request.model} --adapter {request.output}")


def _require_numbers(request: AdaptRequest) -> None:
    if not 1 <= request.rank <= LARGEST_RANK:
        raise ConfigError(f"--rank must be from 1 to {LARGEST_RANK}; got {request.rank}")
    if not 1 <= request.steps <= _MOST_STEPS:
        raise ConfigError(f"--steps must be from 1 to {_MOST_STEPS:,}; got {request.steps}")


def _corrections(trained: TrainedModel, part: Part, paths: Sequence[Path]) -> list[tuple[str, str]]:
    """The pairs of all files. Raises DataError for none, and for what the model cannot write."""
    data = part.data
    if data.format == "lines":  # of the recipe's own pairs of files
        data = data.model_copy(update={"format": "auto"})
    problems = Problems("stop")
    tags = part_tags(parts_of(trained.config))
    pairs = [*refuse_tags(read_pairs([*paths], data, problems), tags, problems)]
    _refuse_unwritable(trained, part, pairs)
    return [(pair.source, pair.target or "") for pair in pairs]


def _refuse_unwritable(trained: TrainedModel, part: Part, pairs: Sequence[Pair]) -> None:
    own = coder(trained.target_tokenizer, part.name)
    for pair, row in zip(pairs, own.encode_batch([p.target or "" for p in pairs]), strict=True):
        if UNKNOWN in row:
            raise DataError(
                "target must hold only symbols that the model can write; got "
                f"{(pair.target or '')[:200]!r}",
                file=pair.file,
                line=pair.line,
            )


def _shown(trained: TrainedModel, edits: Mapping[Edit, int]) -> str:
    """``AO → AA (12), R → nothing (5)``, the most frequent first."""
    order = sorted(edits.items(), key=lambda item: -item[1])
    named = [
        f"{_symbol(trained, old)} → {_symbol(trained, new)} ({count})"
        for (old, new), count in order[:_SHOWN]
    ]
    return ", ".join([*named, *(["…"] if len(order) > _SHOWN else [])])


def _symbol(trained: TrainedModel, token: int | None) -> str:
    return "nothing" if token is None else trained.target_tokenizer.symbols([token])[0]
