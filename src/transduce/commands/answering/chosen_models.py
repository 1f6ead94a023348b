"""Which models answer a request."""

from __future__ import annotations

from transduce.commands.answering.corpus_models import CorpusModels
from transduce.commands.answering.light_models import light_models
from transduce.commands.predicting.request import Request

__all__ = ["chosen_models"]


def chosen_models(request: Request) -> CorpusModels:
    """Of one whose sources are files. Raises TransduceError."""
    if (light := light_models(request)) is not None:
        return light
    from transduce.commands.answering.whole_models import WholeModels  # loads torch

    return WholeModels(request)
