"""Sequence-level distillation: what teachers write for the sources of a recipe, as its data.

Kim and Rush (2016), "Sequence-Level Knowledge Distillation": the student learns from the outputs
of the teacher's beam in the place of the references.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from transduce.config import Config, SearchConfig, require_one_input
from transduce.errors import ConfigError, DataError
from transduce.files import locked, write_text
from transduce.reading.columns import layout_of
from transduce.reading.pair_files import Example, Pair
from transduce.reading.parts import Part, find_part, part_tags, parts_of
from transduce.reading.problems import Problems
from transduce.workflow.corpora.corpora import (
    CorpusPart,
    file_list,
    open_part,
    test_set_of,
)
from transduce.workflow.corpora.digests import digest, file_digest
from transduce.workflow.synthetic.asking import Asking, Say, ask
from transduce.workflow.synthetic.distilled_recipe import RECIPE, recipe_text
from transduce.workflow.synthetic.grown_pairs import GrownFile, GrownPairs
from transduce.workflow.synthetic.pair_records import RecordShape, WrittenPart, write_examples
from transduce.workflow.teacher_names import teachers_digest
from transduce.workflow.trained import TrainedModel

__all__ = ["Distilled", "Distilling", "distil"]


@dataclass(frozen=True)
class Distilling:
    """What is asked for: the search, whose ``nbest`` outputs are all kept or, with ``nearest``,
    only that which is nearest to the reference; the pairs of one ``part`` of a mixture alone;
    files of ``sources`` without references beside the pairs, or, with ``pairs`` false, alone.
    """

    options: SearchConfig
    nearest: bool = False
    part: str | None = None
    sources: tuple[str, ...] = ()
    pairs: bool = True


@dataclass(frozen=True)
class Distilled:
    """What was written: the recipe, each file of pairs, and what could not be read."""

    recipe: Path
    files: Mapping[str, GrownFile]
    problems: Problems = field(default_factory=Problems)


def distil(
    teachers: Sequence[TrainedModel],
    names: Sequence[str],
    folder: Path,
    distilling: Distilling,
    say: Say = lambda line: None,
) -> Distilled:
    """Write what the ``teachers`` say to the pairs of the first one's recipe, and a recipe.

    The same again goes on where it was stopped. ``names`` are those of the teachers' directories.
    Raises ConfigError, DataError, ModelError where teachers do not fit each other, BusyError,
    OSError where a file cannot be written.
    """
    config = teachers[0].config
    require_one_input(config, "pairs that a model writes")
    problems = Problems(config.data.on_error)
    parts, tags = _asked_parts(config, distilling), part_tags(parts_of(config))
    asked = _digest(teachers, parts, distilling)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        grown = GrownPairs(folder, asked)
        written = []
        for part in parts.values():
            opened = open_part(part, tags, problems, problems) if distilling.pairs else None
            made = _Made(teachers, part, distilling, opened)
            written.append(made.files(folder, test_set_of(part, problems, tags) or []))
            for asking in made.askings():
                say(f"asking {_named(names)} for {folder / asking.file}")
                ask(asking, distilling.options, grown, say)
        written = [full for each in written if (full := _without_empty(each, grown)).train]
        if not written:
            raise DataError("teachers must answer at least one source with a text; got none")
        recipe = folder / RECIPE
        write_text(recipe, recipe_text(config, names, folder, written))
    return Distilled(recipe, grown.files, problems)


def _named(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} teachers"


def _asked_parts(config: Config, distilling: Distilling) -> dict[str, Part]:
    """The parts whose pairs or sources are asked about."""
    if distilling.part is not None or (distilling.sources and config.data.parts is not None):
        part = find_part(config, distilling.part)
        return {part.name: part}
    return parts_of(config)


def _digest(
    teachers: Sequence[TrainedModel], parts: Mapping[str, Part], distilling: Distilling
) -> str:
    """Names all that the pairs depend on."""
    files = [*distilling.sources]
    for part in parts.values() if distilling.pairs else ():
        if part.data.train is None:
            key = f"data.parts.{part.name}.train" if part.name else "data.train"
            raise ConfigError(
                f"{key} must name a file with pairs, or --data or --sources be given; got neither"
            )
        files += map(str, file_list(part.data.train))
    state = {
        "teachers": teachers_digest(teachers),
        "data": [part.data.model_dump(mode="json") for part in parts.values()],
        "search": distilling.options.model_dump(mode="json"),
        "nearest": distilling.nearest,
        "pairs": distilling.pairs,
        "files": [file_digest(Path(file)) for file in files],
    }
    return digest(json.dumps(state, sort_keys=True))


@dataclass(frozen=True)
class _Made:
    """What is made of one part: its files, and what is asked for them; ``opened`` are its pairs,
    None where only sources are asked about.
    """

    teachers: Sequence[TrainedModel]
    part: Part
    distilling: Distilling
    opened: CorpusPart | None

    def files(self, folder: Path, test: Sequence[Example]) -> WrittenPart:
        """The files' names; dev and test are written as they are. Raises OSError."""
        dev = self.opened.dev if self.opened else []
        splits = {}
        for split, examples in (("dev", dev), ("test", test)):
            if examples:
                splits[split] = self._name(split)
                write_examples(folder / splits[split], examples, self._shape)
        train = [self._name("train")] if self.opened else []
        train += [self._name("sources")] if self.distilling.sources else []
        return WrittenPart(self.part.name, train, self._shape, **splits)

    def askings(self) -> Iterator[Asking]:
        """Of pairs first, then of sources alone."""
        name, teachers = self.part.name or None, self.teachers
        config = teachers[0].config.for_part(self.part.name)
        alone = len(teachers) == 1
        predictor = teachers[0].predictor(name) if alone else TrainedModel.ensemble(teachers, name)
        nearest_by = config.targets if self.distilling.nearest else None
        way = predictor, self._shape.record, self._shape.in_files, nearest_by
        if self.opened:
            yield Asking(self._name("train"), partial(_of_pairs, self.opened.plain), *way)
        if self.distilling.sources:
            yield Asking(self._name("sources"), self._sources, *way)

    def _sources(self) -> Iterator[Example | DataError]:
        for given in self.teachers[0].reader.given(self.distilling.sources, self.part.data):
            yield given if isinstance(given, DataError) else Example(given, ())

    @property
    def _shape(self) -> RecordShape:
        return RecordShape(layout_of(self.part.data), self.teachers[0].reader.in_files)

    def _name(self, split: str) -> str:
        return f"{self.part.name}.{split}.jsonl" if self.part.name else f"{split}.jsonl"


def _without_empty(part: WrittenPart, grown: GrownPairs) -> WrittenPart:
    return replace(part, train=[file for file in part.train if grown.of(file).pairs])


def _of_pairs(pairs: Callable[[], Iterator[Pair]]) -> Iterator[Example | DataError]:
    """Pairs with the same source one after another are one source with several references."""
    for source, own in itertools.groupby(pairs(), key=lambda pair: pair.source):
        yield Example(source, tuple(dict.fromkeys(pair.target or "" for pair in own)))
