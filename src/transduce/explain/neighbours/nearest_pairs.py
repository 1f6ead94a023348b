"""The training pairs whose decoder states are nearest: which examples taught the model this."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch

from transduce.explain.asking.outputs import given_output, own_output
from transduce.explain.neighbours.states_of_pairs import decoder_states, model_of_ours
from transduce.interfaces import BEGIN
from transduce.neighbours import Nearest, StateIndex
from transduce.reading.frames import FrameSource
from transduce.reading.parts import Part, find_part
from transduce.tokenization.joint import coder
from transduce.workflow.predicting.other_tokens import token_names
from transduce.workflow.trained import TrainedModel

__all__ = ["NearestPairs", "Neighbour", "nearest_pairs"]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A place in a training pair: what stood there, and how far its state is (squared)."""

    distance: float
    token: str
    source: str
    target: str
    step: int


@dataclass(frozen=True)
class NearestPairs:
    """An output's tokens, each with its neighbours, nearest first."""

    source: str
    output: str
    tokens: tuple[str, ...]
    neighbours: tuple[tuple[Neighbour, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def nearest_pairs(
    trained: TrainedModel,
    source: FrameSource,
    nearest: Nearest,
    target: str | None = None,
    *,
    count: int = 5,
    part: str | None = None,
) -> NearestPairs:
    """The neighbours of each token of an output: the model's own, or ``target``.

    Raises DataError where the source or the target cannot be read.
    """
    model, chosen = model_of_ours(trained), find_part(trained.config, part)
    written = (
        own_output(trained, source, chosen)
        if target is None
        else given_output(trained, source, target, chosen)
    )
    read = torch.tensor([[BEGIN, *written.tokens[:-1]]], device=model.device)
    states = decoder_states(model, trained.reader.encoded(source, chosen).to(model.device), read)
    distances, places = nearest(states[0], count)
    rows = zip(distances.tolist(), places.tolist(), strict=True)
    own = [tuple(_neighbours(trained, nearest.index, chosen, *row)) for row in rows]
    return NearestPairs(str(source), written.text, written.symbols, tuple(own))


def _neighbours(
    trained: TrainedModel, index: StateIndex, part: Part, distances: list[float], places: list[int]
) -> Iterator[Neighbour]:
    names = coder(trained.target_tokenizer, part.name)
    symbols = token_names(index.tokens[places].tolist(), names)
    for distance, place, symbol in zip(distances, places, symbols, strict=True):
        source, target = index.texts[int(index.pairs[place])]
        yield Neighbour(distance, symbol, source, target, int(index.steps[place]))
