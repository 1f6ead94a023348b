"""Whole searches of noted programs: rows of tokens in, outputs out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from transduce.interfaces import END, PADDING, BeamPlan, Ended
from transduce.kernels.library import Library
from transduce.kernels.running.native_search import search, search_groups, searched_apart
from transduce.kernels.running.runner import Runner
from transduce.light.notes.file_weights import FileWeights
from transduce.light.notes.noted_programs import noted_programs
from transduce.light.searches.decoding import NotedDecoder
from transduce.light.searches.encoding import NotedEncoder
from transduce.untrusted.tensors import TensorFile

__all__ = ["NotedModel"]


class NotedModel:
    """What ``EngineStepper.noted`` said of a model, with the weights of a file."""

    def __init__(self, library: Library, engine: Mapping[str, Any], file: TensorFile) -> None:
        """Raises ModelError where a note is none or does not fit the file, EngineError where the
        kernels refuse it.
        """
        weights = FileWeights(library, file, engine["shapes"])
        runners = [Runner(program) for program in noted_programs(library, engine, weights)]
        self._encoder = NotedEncoder(engine["encoder"], runners, weights.numbers)
        self._decoder = NotedDecoder(engine["decoder"], runners, weights.numbers)

    def search(self, rows: Sequence[Sequence[int]], plan: BeamPlan) -> list[list[Ended]]:
        """The outputs of each row of tokens (without END), best first."""
        groups = search_groups(self._decoder.runner, [len(row) + 1 for row in rows])
        if len(groups) == 1:
            return self._search(rows, plan)
        return searched_apart(
            groups,
            lambda places: self._search([rows[place] for place in places], plan.select(places)),
        )

    def _search(self, rows: Sequence[Sequence[int]], plan: BeamPlan) -> list[list[Ended]]:
        lengths = np.array([len(row) + 1 for row in rows], np.int64)
        tokens = np.full((len(rows), int(lengths.max())), PADDING, np.int64)  # [B, S]
        for place, row in enumerate(rows):
            tokens[place, : len(row)] = row
            tokens[place, len(row)] = END
        encoded = self._encoder(tokens, lengths)
        prepared, first = self._decoder.prepare(encoded), self._decoder.first_rows(encoded)
        return search(self._decoder, prepared, first, plan, source_length=tokens.shape[1])
