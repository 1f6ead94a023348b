"""A model that was predicted with before, asked for nothing but outputs: no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any

from transduce.commands.answering.corpus_models import (
    CorpusModels,
    CorpusRecord,
    OpenedFile,
    model_sums,
)
from transduce.commands.predicting.request import Request
from transduce.light.light_model import LightModel, known_model
from transduce.light.noted_options import NotedSearch
from transduce.workflow.predicting.output import Output

__all__ = ["light_models"]

_ASKED = ("model", "sources", "output", "form", "beam", "nbest")  # all else is left to others


def light_models(request: Request) -> CorpusModels | None:
    """What answers the files of a request; None where more is needed for that."""
    plain = Request(request.model)
    others = [field.name for field in fields(Request) if field.name not in _ASKED]
    if any(getattr(request, name) != getattr(plain, name) for name in others):
        return None
    if (model := known_model(request.model)) is None or not all(map(model.reads, request.sources)):
        return None
    options = model.search.asked(request.beam, request.nbest)
    return None if options is None else _LightModels(model, options, request.model)


class _LightModels:
    """A model that needs no torch, and how it searches."""

    in_files = False

    def __init__(self, model: LightModel, options: NotedSearch, folder: Path) -> None:
        self._model, self._options, self._folder = model, options, folder

    @property
    def nbest(self) -> int:
        """Outputs for each record."""
        return self._options.nbest

    def opened(self, path: str) -> AbstractContextManager[OpenedFile]:
        """A file that the model reads."""
        return nullcontext(OpenedFile(map(CorpusRecord, self._model.given(path))))

    def predict(self, sources: Iterable[Any], window: int) -> Iterator[list[Output]]:
        """As of the whole model."""
        return self._model.predict(sources, self._options, window=window, keep_going=True)

    def names(self) -> dict[str, Any]:
        """As of the whole model."""
        asked = {"beam": self._options.beam, "nbest": self._options.nbest}
        return {
            "weights": [model_sums(self._folder)],
            "config": self._model.named.config,
            "search": {**self._model.named.search, **asked},
        }
