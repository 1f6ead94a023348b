"""Of a model that is loaded: the record from which the next process predicts without torch."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from transduce.compress.groups import Int4Groups
from transduce.compress.shrunk import Shrunk
from transduce.config import Config, DataConfig, SearchConfig
from transduce.engine.stepper import EngineStepper
from transduce.errors import ConfigError, TransduceError
from transduce.light.noted_options import NotedSearch
from transduce.light.prediction_records import RecordKey, record_key
from transduce.reading.columns import layout_of
from transduce.reading.parts import find_part
from transduce.reading.sources import reads_lines
from transduce.search import Constraints
from transduce.search.demands import asks_steps
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.corpora.digests import digest
from transduce.workflow.predicting.writer import Writer
from transduce.workflow.tokenizer_files import stored_tokenizers
from transduce.workflow.trained import TrainedModel

__all__ = ["ModelNote", "config_name", "model_note", "plain_search", "record_of", "remember"]

# What may differ between a search that is asked for and that of the recipe.
_ASKED = ("beam", "nbest", "max_length")


@dataclass(frozen=True, eq=False)
class ModelNote:
    """What another process loads a model by, without torch: the very model that was noted.

    ``key`` is that of the folder when the model was read.
    """

    folder: Path
    key: RecordKey
    record: Mapping[str, Any]
    search: SearchConfig

    def plain(self, asked: SearchConfig) -> NotedSearch | None:
        """The search as such a process makes it; None where it cannot."""
        return plain_search(self.search, asked)


def model_note(trained: TrainedModel, folder: Path, key: RecordKey | None) -> ModelNote | None:
    """Of a model that was just loaded; None where no other process can search as it does.

    ``key`` is that of the folder before it was loaded.
    """
    if key is None or key != record_key(folder):
        return None
    try:
        record = record_of(trained, folder)
    except TransduceError:  # which who predicts will be told
        return None
    return None if record is None else ModelNote(folder, key, record, trained.config.search)


def plain_search(recipe: SearchConfig, asked: SearchConfig) -> NotedSearch | None:
    """A search that a record of the ``recipe`` is enough for; None for any other."""
    own = {name: getattr(recipe, name) for name in _ASKED}
    if asked.refusal() is not None or asked.model_copy(update=own) != recipe:
        return None
    return NotedSearch.of(asked.model_dump(mode="json"))


def remember(trained: TrainedModel, folder: Path, key: RecordKey | None) -> None:
    """Keep the record of a model that was just loaded, if it can have one.

    ``key`` is that of the folder before it was loaded; where it is another now, nothing is kept.
    """
    if key is None or key != record_key(folder):
        return
    try:
        record = record_of(trained, folder)
    except TransduceError as error:  # which who predicts will be told
        logging.getLogger("transduce").debug("no record of %s: %s", folder, error)
        return
    if record is not None:
        key.write(record)


def record_of(trained: TrainedModel, folder: Path) -> dict[str, Any] | None:
    """All that a prediction of texts needs to know; None where it needs more than that can say."""
    source, target = trained.reader.tokenizer, trained.target_tokenizer
    config, options = trained.config, trained.config.search
    stepper = trained.stepper()
    if not isinstance(source, Tokenizer) or not isinstance(target, Tokenizer):
        return None
    if source.published or target.published or not isinstance(stepper, EngineStepper):
        return None
    if options.sample or options.shortlist or options.refusal() is not None:
        return None
    part = find_part(config, None)
    constraints = Writer(target, part).constraints(options) or Constraints()
    engine = stepper.noted()
    if engine is None or asks_steps(options, constraints) or not reads_lines(part.data):
        return None
    shapes = {
        name: list(weight.shape)
        for name, weight in trained.model.named_parameters()
        if isinstance(weight, Shrunk) and isinstance(weight.numbers, Int4Groups)
    }
    limits = asdict(trained.limits())
    del limits["device"]
    return {
        "engine": {**engine, "shapes": shapes},
        "search": options.model_dump(mode="json"),
        "config": config_name(config),
        "key": _key(part.data),
        "limits": limits,
        "front": part.source(""),
        "prefix": [*constraints.prefix],
        "free": constraints.free,
        "banned_first": [*constraints.banned_first],
        "unwritten": Writer(target, part).unwritten(),
        "tokenizers": [
            {"file": file, "options": _options(side)}
            for file, side in zip(stored_tokenizers(folder, config), (source, target), strict=False)
        ],
    }


def config_name(config: Config) -> str:
    """What names a recipe."""
    return digest(json.dumps(config.model_dump(mode="json"), sort_keys=True))


def _key(data: DataConfig) -> str | None:
    """The name of the source in records that have names; None where they could have none."""
    try:
        return layout_of(data).keyed("parquet").source_keys()[0][0]
    except ConfigError:
        return None


def _options(tokenizer: Tokenizer) -> dict[str, Any]:
    """What encoding and decoding read."""
    names = {"kind", "normalization", "lowercase", "right_to_left"}
    return tokenizer.config.model_dump(mode="json", include=names)
