"""Back-translation and self-training: real pairs, and pairs that a model makes of text alone.

Sennrich et al. (2016), "Improving Neural Machine Translation Models with Monolingual Data": a
model that goes from targets to sources writes sources for real targets. In self-training a model
that goes with the recipe writes targets for real sources (He et al. 2020). Caswell et al. (2019),
"Tagged Back-Translation": a symbol in front of such a source says that it is one.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from transduce.config import Config, DataConfig, SearchConfig, require_one_input
from transduce.errors import ConfigError, DataError
from transduce.files import locked, write_text
from transduce.reading.columns import Layout, SourceColumn, layout_of
from transduce.reading.held_out import shares
from transduce.reading.pair_files import Example
from transduce.reading.parts import Part, find_part, part_tags, parts_of
from transduce.reading.problems import Problems
from transduce.workflow.asked_details import asked_details
from transduce.workflow.corpora.corpora import (
    CorpusPart,
    open_part,
    test_set_of,
)
from transduce.workflow.corpora.digests import digest, file_digest
from transduce.workflow.synthetic.asking import Asking, Say, ask
from transduce.workflow.synthetic.augmented_recipe import (
    MadePairs,
    augmented_text,
    synthetic_part,
)
from transduce.workflow.synthetic.distilled_recipe import RECIPE
from transduce.workflow.synthetic.grown_pairs import GrownFile, GrownPairs
from transduce.workflow.synthetic.kept_pairs import Keeping, KeptPairs, usual_ratios
from transduce.workflow.synthetic.model_direction import require_direction
from transduce.workflow.synthetic.pair_records import (
    RecordShape,
    WrittenPart,
    write_examples,
    write_records,
)
from transduce.workflow.teacher_names import teachers_digest
from transduce.workflow.trained import TrainedModel

__all__ = ["Augmented", "Augmenting", "augment"]

_ANSWERS = "answers.jsonl"
_KEPT = "synthetic.jsonl"
_TAGS = {False: "BT", True: "ST"}  # of back-translation, of self-training
_PLAIN = RecordShape(Layout((SourceColumn(0),), 1))
_LOOKED_AT = 50  # pairs that say which way a model goes


@dataclass(frozen=True)
class Augmenting:
    """What is asked for. ``files`` hold real targets or, with ``forward``, real sources.

    ``least``: only pairs whose confidence is at least that; ``best``: this share of them, the
    surest. ``noise`` and ``tag`` bear on the sources that are written. ``part`` is one of the
    recipe's mixture, ``model_part`` one of the model's.
    """

    files: tuple[str, ...]
    options: SearchConfig
    forward: bool = False
    noise: bool = False
    tag: bool = True
    least: float = 0.0
    best: float = 1.0
    part: str | None = None
    model_part: str | None = None

    @property
    def looks_at_confidence(self) -> bool:
        """Whether the model must say how sure it is."""
        return self.least > 0 or self.best < 1


@dataclass(frozen=True)
class Augmented:
    """What was written: the recipe and the ``kept`` pairs of what was ``asked``; ``left_out``
    counts texts without a pair, and pairs that are not kept, by why.
    """

    recipe: Path
    asked: GrownFile
    kept: int
    left_out: Counter[str]
    name: str  # of the part that they are
    problems: Problems = field(default_factory=Problems)


def augment(
    config: Config,
    trained: TrainedModel,
    folder: Path,
    augmenting: Augmenting,
    say: Say = lambda line: None,
) -> Augmented:
    """Write pairs that the model makes of the files' texts, and a recipe with both kinds of pairs.

    The same again goes on where it was stopped; with another tag, noise or least confidence what
    was said is not asked for again. Raises ConfigError, DataError, ModelError, BusyError, OSError.
    """
    for own in (config, trained.config):
        require_one_input(own, "pairs that a model makes")
    part = _own_part(config, augmenting.part)
    made = _MadeFromText(config, trained, part, augmenting)
    made.require_fit()
    problems = Problems(config.data.on_error)
    opened = {
        name: open_part(own, part_tags(parts_of(config)), problems, problems)
        for name, own in parts_of(config).items()
    }
    if not made.in_files:
        _require_direction(trained, augmenting, opened[part.name])
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        grown = GrownPairs(folder, made.digest())
        say(f"asking for {folder / _ANSWERS}")
        ask(made.asking(), augmenting.options, grown, say)
        asked = grown.of(_ANSWERS)
        keeping = made.keeping(opened[part.name])
        kept = KeptPairs(folder / _ANSWERS, keeping)
        count = write_records(folder / _KEPT, kept.records()) if asked.pairs else 0
        if not count:
            told = ", ".join(f"{n:,} {why}" for why, n in (asked.left_out + kept.left_out).items())
            raise DataError(f"the model must make at least one good pair; got none ({told})")
        written = {
            name: _write_real(folder, one, part_tags(parts_of(config)), problems)
            for name, one in opened.items()
            if any(shares(one.part.data))
        }
        pairs = MadePairs(part, folder / _KEPT, made.shape, keeping.tag is not None)
        write_text(folder / RECIPE, augmented_text(config, pairs, written))
    left = asked.left_out + kept.left_out
    name = synthetic_part(config, part.name)
    return Augmented(folder / RECIPE, asked, count, left, name, problems)


def _own_part(config: Config, name: str | None) -> Part:
    parts = config.data.parts
    if parts is not None and name is None:
        raise ConfigError(f"--part must be one of {', '.join(parts)}; got none")
    part = find_part(config, name)
    if parts is not None and (clash := synthetic_part(config, part.name)) in parts:
        raise ConfigError(f"data.parts must not have {clash} before pairs are made; got it")
    return part


def _require_direction(trained: TrainedModel, asked: Augmenting, opened: CorpusPart) -> None:
    pairs = list(itertools.islice(opened.plain(), _LOOKED_AT))
    require_direction(trained, asked.model_part, pairs, forward=asked.forward)


@dataclass(frozen=True)
class _MadeFromText:
    """How pairs are made for a recipe, by a model."""

    config: Config
    trained: TrainedModel
    part: Part
    augmenting: Augmenting

    def require_fit(self) -> None:
        """Raise ConfigError where recipe, model and texts do not fit each other."""
        asked, data = self.augmenting, self.part.data
        kind, own = data.input.kind, self.trained.config.data.input.kind
        if asked.forward:
            if kind != own:
                raise ConfigError(
                    f"--model must read {kind} with --sources, as the recipe does; got one of {own}"
                )
        elif kind != "text" or own != "text":
            raise ConfigError(
                "recipe and --model must read text with --text, whose sources the model writes; "
                f"got {kind} and {own}"
            )
        elif not (layout_of(data).is_plain and layout_of(self._read_as).is_plain):
            raise ConfigError(
                "data.source must be one column of text, of the recipe and of --model, with "
                "--text, whose sources the model writes; got columns of tags or several columns"
            )
        if asked.noise and self.in_files:
            raise ConfigError(f"noise must be asked of sources that are text; got {kind}")
        if asked.looks_at_confidence and asked.options.nbest > 1:
            raise ConfigError(
                "search.nbest must be 1 where pairs are chosen by confidence, which a text's best "
                f"output has; got {asked.options.nbest}"
            )

    @property
    def in_files(self) -> bool:
        return self.trained.reader.in_files

    @property
    def shape(self) -> RecordShape:
        """How pairs stand in the files."""
        if not self.augmenting.forward:
            return _PLAIN
        return RecordShape(layout_of(self.part.data), self.in_files)

    @property
    def _read_as(self) -> DataConfig:
        """How files are read: sources as the recipe says, text as the model's own sources."""
        if self.augmenting.forward:
            return self.part.data
        return find_part(self.trained.config, self.augmenting.model_part).data

    def digest(self) -> str:
        """Names all that the model's answers depend on."""
        asked = self.augmenting
        data = self._read_as.model_dump(mode="json", exclude={"train", "dev", "test"})
        state = {
            "model": teachers_digest([self.trained]),
            "part": asked.model_part,
            "data": data,
            "search": asked.options.model_dump(mode="json"),
            "forward": asked.forward,
            "confidence": asked.looks_at_confidence,
            "files": [file_digest(Path(file)) for file in asked.files],
        }
        return digest(json.dumps(state, sort_keys=True))

    def asking(self) -> Asking:
        """What the model is asked about."""
        asked = self.augmenting
        details = asked_details(self.trained, confidence=asked.looks_at_confidence)
        predictor = self.trained.predictor(asked.model_part, details=details)
        record = self.shape.record if asked.forward else _back
        return Asking(_ANSWERS, self._texts, predictor, record, self.in_files)

    def _texts(self) -> Iterator[Example | DataError]:
        for given in self.trained.reader.given(self.augmenting.files, self._read_as):
            yield given if isinstance(given, DataError) else Example(given, ())

    def keeping(self, opened: CorpusPart) -> Keeping:
        """What is kept, by the real pairs' lengths too."""
        asked, shape = self.augmenting, self.shape
        noise = self.config.training.seed if asked.noise else None
        if self.in_files:
            return Keeping((), least=asked.least, best=asked.best)
        texts = shape.text_keys
        real = (shape.record(pair.source, pair.target or "") for pair in opened.plain())
        tag = _TAGS[asked.forward] if asked.tag else ("" if asked.noise else None)
        own = self.config.for_part(self.part.name).tokenizer.source.kind
        ratios = usual_ratios(real, texts)
        return Keeping(texts, ratios, asked.least, asked.best, tag, noise, own == "character")


def _back(text: str, written: str) -> dict[str, object]:
    """A real target with the source that was written for it."""
    return {"source": written, "target": text}


def _write_real(
    folder: Path, opened: CorpusPart, tags: frozenset[str], problems: Problems
) -> WrittenPart:
    """The files of a part that keeps shares of train for dev or test: who reads the recipe with
    made pairs would keep shares of those, too.
    """
    part = opened.part
    shape = RecordShape(layout_of(part.data), part.data.input.kind != "text")
    place: Callable[[str], Path] = partial(_place, folder, part.name or "real")
    write_records(place("train"), (shape.record(p.source, p.target or "") for p in opened.plain()))
    splits = {}
    for split, examples in (("dev", opened.dev), ("test", test_set_of(part, problems, tags))):
        if examples:
            write_examples(place(split), examples, shape)
            splits[split] = str(place(split).absolute())
    return WrittenPart(part.name, [str(place("train").absolute())], shape, **splits)


def _place(folder: Path, name: str, split: str) -> Path:
    return folder / f"{name}.{split}.jsonl"
