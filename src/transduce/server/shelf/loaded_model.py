"""A model that a server answers with: what it reads, how long sources are, its answers."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from transduce.config import SearchConfig
from transduce.config.audio import AudioConfig
from transduce.config.image import ImageConfig
from transduce.errors import ConfigError, DataError
from transduce.light.recording import ModelNote
from transduce.reading.frames import FrameSource
from transduce.reading.parts import find_part, parts_of
from transduce.server.limits.request_errors import RequestError
from transduce.server.queue.requested import Requested
from transduce.server.queue.search_process import ApartSearch
from transduce.server.shelf.media import Recorded, checked_picture, read_recording
from transduce.tokenization.joint import coder
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.asked_details import asked_details
from transduce.workflow.predicting.output import Output
from transduce.workflow.predicting.predictor import Predictor
from transduce.workflow.trained import TrainedModel

__all__ = ["LoadedModel"]

_SOME_TEXT = "The quick brown fox jumps over the lazy dog, as it has done for a hundred years."
_PREDICTORS = 64  # ways of asking that are kept ready
_ANY = SearchConfig()


class LoadedModel:
    """One model by its name. ``answer`` is for the engine's thread, all else for any."""

    def __init__(
        self,
        name: str,
        trained: TrainedModel,
        size: int = 0,
        adapted: Mapping[str, TrainedModel] | None = None,
        note: ModelNote | None = None,
    ) -> None:
        """``size``: bytes of memory that all take, about; ``adapted``: with adapters, by name.

        ``note``: what a process beside this one loads it by, where one can.
        """
        self.name = name
        self.trained = trained
        self.size = size
        self.note = note
        self._adapted = dict(adapted or {})
        self.kind: str = trained.config.data.input.kind  # text, audio or image
        self._tokens_a_character = 1.0
        self._predictor = lru_cache(maxsize=_PREDICTORS)(self._made)
        self.apart = lru_cache(maxsize=_PREDICTORS)(self._apart)

    def warm(self) -> None:
        """Make its fast form now and not at the first request."""
        for each in (self.trained, *self._adapted.values()):
            each.stepper()
        if self.kind == "text":
            self._learn_lengths(_SOME_TEXT)

    def _learn_lengths(self, text: str) -> None:
        part = next(iter(parts_of(self.trained.config)))
        own = coder(self.trained.source_tokenizer, part)
        with contextlib.suppress(DataError):
            self._tokens_a_character = max(1, len(own.encode(text))) / len(text)

    def searching(self, given: Mapping[str, Any]) -> SearchConfig:
        """The model's search with some options replaced; ``nbest`` widens a beam that nobody named.

        Raises ConfigError.
        """
        search, nbest = self.trained.config.search, given.get("nbest")
        if isinstance(nbest, int) and "beam" not in given and nbest > search.beam:
            sampled = given.get("sample", search.sample)
            given = given if sampled else {**given, "beam": nbest}
        return self.trained.config.searching(given)

    def has_adapter(self, name: str) -> bool:
        """Whether there is an adapter of this name for it."""
        return name in self._adapted

    def with_adapter(self, name: str | None) -> TrainedModel:
        """It with an adapter, None: as it is. Raises RequestError (404) where none has the name."""
        if name is None:
            return self.trained
        if name not in self._adapted:
            raise RequestError(
                f"adapter must be one that the server has for {self.name}; got {name[:50]!r}", 404
            )
        return self._adapted[name]

    def require(self, asked: Requested) -> None:
        """Raise TransduceError where the model cannot answer what is asked."""
        self._predictor(asked)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of a mixture; () where there are none."""
        return tuple(self.trained.config.data.parts or ())

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """The languages of a model of many, in its own words; () where it has none to choose."""
        tokenizer = self.trained.target_tokenizer
        published = tokenizer.published if isinstance(tokenizer, Tokenizer) else None
        return () if published is None else tuple(published.languages)

    @property
    def guesses(self) -> bool:
        """Whether it guesses what language is spoken, in the first window of a recording."""
        tokenizer = self.trained.target_tokenizer
        return isinstance(tokenizer, Tokenizer) and bool(tokenizer.first_of)

    def recording(self, content: bytes, most_seconds: float, *, guesses: bool) -> Recorded:
        """A file's content as sources. Raises RequestError, DataError."""
        config = self.trained.config.data.input
        if not isinstance(config, AudioConfig):
            raise RequestError(
                f"model must be one of recordings for a file of sound; got {self.kind}"
            )
        return read_recording(content, config, most_seconds, together=guesses)

    def picture(self, content: bytes, pixels: int) -> FrameSource:
        """A file's content as a source. Raises RequestError, DataError."""
        config = self.trained.config.data.input
        if not isinstance(config, ImageConfig):
            raise RequestError(f"model must be one of pictures for a picture; got {self.kind}")
        return checked_picture(content, config, pixels)

    def costs(self, sources: Sequence[FrameSource]) -> list[int]:
        """Tokens of each text, or frames of a recording or picture: about.

        Texts are cut into tokens when they are searched, and reckoned by their characters until
        then.
        """
        share = self._tokens_a_character
        return [
            1 + int(share * len(source)) if isinstance(source, str) else _frames(source)
            for source in sources
        ]

    def answer(self, asked: Requested, sources: Sequence[FrameSource]) -> list[list[Output]]:
        """The outputs of each source, as ``predict`` gives them; errors in the place of some."""
        found = self._predictor(asked).predict(
            sources, asked.options, window=max(1, len(sources)), keep_going=True
        )
        return list(found)

    def _made(self, asked: Requested) -> Predictor:
        trained = self.with_adapter(asked.adapter)
        if asked.languages != (None, None):
            trained = trained.speaking(*asked.languages)
        if asked.timings and trained.reader.frames_a_second is None:
            raise ConfigError(f"timings must be asked of a model of recordings; got {self.kind}")
        find_part(trained.config, asked.part)
        details = asked_details(
            trained,
            asked.confidence,
            asked.least,
            alternatives=asked.alternatives,
            alignments=asked.alignments,
        )
        return trained.predictor(asked.part, timings=asked.timings, details=details)

    def _apart(self, asked: Requested) -> ApartSearch | None:
        """What a process beside this one answers it by; None where it cannot."""
        if self.note is None or replace(asked, options=_ANY, bare=False) != Requested(_ANY):
            return None
        plain = self.note.plain(asked.options)
        return None if plain is None else ApartSearch(self.note, asdict(plain), asked.bare)


def _frames(source: FrameSource) -> int:
    """About: a hundredth of a second is a frame; of a picture a column of a hundred bytes."""
    samples = source[0] if isinstance(source, tuple) else source
    size = samples.size if isinstance(samples, np.ndarray) else len(str(samples))
    if isinstance(source, bytes):
        size = len(source)
    return 1 + size // 160
