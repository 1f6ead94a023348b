"""From data to a whole recipe: looked at, held out, chosen; nothing is trained yet."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import Any

from transduce.automatic.choosing.frames_chosen import FrameFacts, measure_frames
from transduce.automatic.choosing.holding_out import HeldOut, hold_out
from transduce.automatic.choosing.machine_speed import measure_machine
from transduce.automatic.choosing.recipe_lines import (
    RecipeLine,
    given_by_person,
    nested,
    recipe_text,
)
from transduce.automatic.choosing.whole_recipe import choose
from transduce.automatic.looking.describing import describe
from transduce.automatic.looking.facts import Facts, facts_of
from transduce.automatic.looking.layouts import understand
from transduce.config import Config, DataConfig, ParallelFiles, require_agreement, require_one_input
from transduce.config.data import Files
from transduce.errors import ConfigError, DataError
from transduce.reading.formats import format_of
from transduce.reading.held_out import split_key
from transduce.reading.pair_files import Pair, read_pairs
from transduce.reading.problems import Problems
from transduce.reading.streams import open_stream
from transduce.workflow.corpora.corpora import file_list

__all__ = ["ChosenRecipe", "plan_files", "plan_pairs", "require_minutes"]

_READ = 100_000  # pairs
_HASHED = 20_000  # of these
_BAD = 0.2  # share of bad lines above which the file is thought to be something else
_DEV_LOOKED_AT = 1000  # pairs
_BEGINNING = 1 << 20  # bytes
_PACKED = 3  # times as large that a packed file becomes
_MOST_MINUTES = 1_000_000


@dataclass(frozen=True)
class ChosenRecipe:
    """A recipe, each of its lines with a reason, and what was seen in the data."""

    config: Config
    choices: tuple[RecipeLine, ...]
    facts: Facts
    lines: tuple[str, ...]  # what was understood and found
    seconds: float  # that it took
    trains_on_all: bool = False  # as there are too few sources to hold any out

    def recipe(self, command: str = "") -> str:
        """The recipe as YAML with a comment beside each line."""
        heading = ["Chosen by transduce from what is in the data. What was seen:", ""]
        heading += [f"  {line}" for line in self.lines]
        if command:
            heading += ["", f"Change what you like, then: {command}"]
        return recipe_text(self.choices, heading)


def require_minutes(minutes: Any, name: str = "--minutes") -> float:
    """Raises ConfigError where there is no time, or more than anybody has."""
    is_number = isinstance(minutes, Real) and not isinstance(minutes, bool)
    if not is_number or not 0 < minutes <= _MOST_MINUTES:
        shown = f"{minutes:g}" if is_number else repr(minutes)
        raise ConfigError(f"{name} must be more than 0 and at most {_MOST_MINUTES:,}; got {shown}")
    return float(minutes)


def plan_files(paths: Sequence[str], given: Mapping[str, Any], minutes: float) -> ChosenRecipe:
    """``given`` are the options that a person set, dotted, which count before all choices.

    Raises DataError, ConfigError.
    """
    began = time.perf_counter()
    understood = understand(paths)
    said = {f"data.{key}": value for key, value in understood.data.items()}
    layout = [RecipeLine("data.train", understood.files, "your data")]
    layout += [RecipeLine(key, value, "as its first lines show") for key, value in said.items()]
    of_data = _of_data(given)
    layout = _replaced(layout, of_data)
    planned = Config.from_mapping(nested(layout))
    require_one_input(planned, "a chosen recipe")
    data = planned.data
    if data.parts is not None:
        raise ConfigError("data.parts must stand in a recipe; got it beside files with pairs")
    pairs, complete, problems = _first_pairs(data)
    lines = list(understood.lines)
    if problems.total:
        layout = _replaced([*layout, _skipping(problems)], of_data)
        lines.append(f"warning: unusable lines: {problems.summary()}")
    total = len(pairs) if complete else _estimated(pairs, data)
    sources = [pair.source for pair in pairs]
    kind = data.input.kind
    dev = data.dev is None and "data.dev_fraction" not in given
    test = data.test is None and "data.test_fraction" not in given
    held: HeldOut | None = HeldOut(0.0, 0.0, 0, 0)
    if dev or test:
        keys = map(split_key(data), pairs if complete else pairs[:: len(pairs) // _HASHED])
        held = hold_out(keys, total, dev=dev, test=test)
    facts = facts_of([(p.source, p.target or "") for p in pairs], total=total, kind=kind)
    layout += _held_out_choices(held, data, understood.files, lines)
    frames = None if kind == "text" else measure_frames(kind, sources)
    dev_sources = held.dev_sources if held and held.dev_sources else _dev_sources(data, pairs)
    return _planned(layout, facts, given, minutes, lines, dev_sources, frames, _name(paths), began)


def plan_pairs(
    sources: Sequence[str],
    targets: Sequence[str],
    given: Mapping[str, Any],
    minutes: float,
    *,
    dev_sources: int | None = None,
) -> ChosenRecipe:
    """The same for pairs in memory. ``dev_sources``: those of a dev set that is given."""
    began = time.perf_counter()
    looked_at = list(zip(sources, targets, strict=True))[:_READ]
    if not looked_at:
        raise DataError("sources must hold at least one text; got none")
    planned = Config.from_mapping(nested(given_by_person([], _of_data(given))))
    require_one_input(planned, "a chosen recipe")
    data = planned.data
    kind, lines = data.input.kind, list[str]()
    facts = facts_of(looked_at, total=len(sources), kind=kind)
    pairs = (Pair(source, None, "", 1) for source in sources)
    held = hold_out(
        map(split_key(data), pairs),
        len(set(sources)),
        dev=dev_sources is None and "data.dev_fraction" not in given,
        test="data.test_fraction" not in given,
    )
    choices: list[RecipeLine] = []
    if held is None:
        lines.append(_TOO_FEW)
    else:
        choices = [c for c in held.choices() if c.value]
    frames = None if kind == "text" else measure_frames(kind, [s for s, _ in looked_at])
    dev = dev_sources if dev_sources is not None else held.dev_sources if held else len(sources)
    plan = _planned(choices, facts, given, minutes, lines, dev, frames, "model", began)
    return replace(plan, trains_on_all=held is None)


_TOO_FEW = (
    "warning: there are too few sources to hold any out: the model is chosen and measured on "
    "its training data"
)


def _planned(
    layout: Sequence[RecipeLine],
    facts: Facts,
    given: Mapping[str, Any],
    minutes: float,
    lines: Sequence[str],
    dev_sources: int,
    frames: FrameFacts | None,
    name: str,
    began: float,
) -> ChosenRecipe:
    minutes = given.get("training.max_minutes") or minutes
    device, threads = given.get("training.device", "auto"), given.get("training.threads")
    machine = measure_machine(device, threads)
    chosen = choose(facts, minutes, machine, dev_sources=dev_sources, frames=frames)
    choices = [RecipeLine("name", name, "the name of the data"), *layout, *chosen]
    if threads is None and machine.threads == 1 and machine.device == "cpu":
        choices.append(RecipeLine("training.threads", 1, "more are not faster at present"))
    choices = _ordered(_replaced(choices, given))
    config = Config.from_mapping(nested(choices))
    require_agreement(config)
    seen = (*lines, *describe(facts))
    return ChosenRecipe(config, tuple(choices), facts, seen, time.perf_counter() - began)


# ---------------------------------------------------------------- what a person said


def _replaced(choices: Sequence[RecipeLine], given: Mapping[str, Any]) -> list[RecipeLine]:
    """The choices under what a person said; what no longer fits to it goes."""
    gone = []
    for key, value in given.items():
        if key in ("model.preset", "model.from"):
            gone += ["model.", *(["tokenizer."] if key == "model.from" else [])]
            gone += ["training.learning_rate", "training.warmup_steps", "training.schedule"]
        elif key.endswith(".kind") and any(c.key == key and c.value != value for c in choices):
            gone.append(key.removesuffix("kind"))
        if key == "tokenizer" or key.startswith(("tokenizer.target", "tokenizer.shared")):
            gone.append("search.max_length")
        if key.startswith("model.") and key.endswith(".width"):
            gone.append("training.learning_rate")
    kept = [c for c in choices if not any(c.key.startswith(start) for start in gone)]
    return given_by_person(kept, given)


def _of_data(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key.partition(".")[0] == "data"}


def _ordered(choices: Sequence[RecipeLine]) -> list[RecipeLine]:
    """By section, as recipes are written."""
    order = {name: number for number, name in enumerate(Config.model_fields)}
    return sorted(choices, key=lambda choice: order.get(choice.key.partition(".")[0], len(order)))


# ---------------------------------------------------------------- pairs of files


def _first_pairs(data: DataConfig) -> tuple[list[Pair], bool, Problems]:
    problems = Problems("skip")
    files = _train(data)
    pairs = list(itertools.islice(read_pairs(files, data, problems), _READ + 1))
    if problems.total > _BAD * (problems.total + len(pairs)):
        example = next(iter(problems.examples.values()))[0]
        raise DataError(f"lines must be pairs, nearly all; got {problems.summary()}: {example}")
    return pairs[:_READ], len(pairs) <= _READ, problems


def _train(data: DataConfig) -> Files:
    if data.train is None:
        raise ConfigError("data.train must name a file with pairs; got none")
    return data.train


def _skipping(problems: Problems) -> RecipeLine:
    return RecipeLine("data.on_error", "skip", f"some lines cannot be used: {problems.summary()}")


def _estimated(pairs: Sequence[Pair], data: DataConfig) -> int:
    """Pairs of all files, from their sizes and how long the first lines are."""
    total = 0.0
    for path in file_list(_train(data)):
        if os.path.isfile(path) and format_of(path) not in ("parquet", "xlsx"):
            with open_stream(path) as stream:
                beginning = stream.read(_BEGINNING)
            packed = path.suffix.lower() in (".gz", ".zst")
            size = os.path.getsize(path) * (_PACKED if packed else 1)
            total += size * beginning.count(b"\n") / max(1, len(beginning))
    if isinstance(data.train, ParallelFiles):
        total /= 2
    return max(len(pairs), round(total))


def _held_out_choices(
    held: HeldOut | None, data: DataConfig, files: Any, lines: list[str]
) -> list[RecipeLine]:
    if held is not None:
        return [choice for choice in held.choices() if choice.value]
    lines.append(_TOO_FEW)
    if data.dev is not None:
        return []
    return [RecipeLine("data.dev", files, "too few sources to hold any out")]


def _dev_sources(data: DataConfig, pairs: Sequence[Pair]) -> int:
    """Different sources of dev, as far as they are looked at."""
    if data.dev is None:
        return round(len({pair.source for pair in pairs}) * data.dev_fraction)
    found = read_pairs(data.dev, data, Problems("skip"))
    return len({pair.source for pair in itertools.islice(found, _DEV_LOOKED_AT)})


def _name(paths: Sequence[str]) -> str:
    name = Path(os.path.abspath(paths[0])).name
    return name.partition(".")[0] or "model"
