"""The training pairs whose decoder states are nearest: which examples taught the model this."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from transduce.batches.batching import Batches
from transduce.errors import DataError, ModelError
from transduce.explain.outputs import given_output, own_output
from transduce.interfaces import BEGIN, END, PADDING, Source
from transduce.models.seq2seq import Seq2Seq
from transduce.neighbours import Nearest, StateIndex
from transduce.neighbours.index import fingerprint_of
from transduce.reading.frames import FrameSource
from transduce.reading.pair_files import Example
from transduce.reading.parts import Part, find_part
from transduce.tokenization.joint import coder
from transduce.workflow.fitting.pair_limits import target_positions
from transduce.workflow.predicting.source_limits import longest_source
from transduce.workflow.trained import TrainedModel

__all__ = ["NearestPairs", "Neighbour", "decoder_states", "make_index", "nearest_pairs"]


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


@torch.no_grad()
def decoder_states(model: Seq2Seq, source: Source, read: Tensor) -> Tensor:
    """What the output layer reads where int64 ``[B, T]`` is read, ``[B, T, D]``."""
    return model.decoder.step(model.target_embedding(read), model.start(source))[0]


def make_index(
    trained: TrainedModel, examples: Sequence[Example], part: str | None = None
) -> StateIndex:
    """The states over all tokens of pairs. Raises DataError where no pair is left."""
    model, chosen = _of_ours(trained), find_part(trained.config, part)
    pairs = [(e.source, text) for e in examples for text in e.references]
    pairs = _within_positions(trained, pairs, chosen)
    texts = ((chosen.source(source), chosen.target(target)) for source, target in pairs)
    data = trained.config.data.model_copy(
        update={"max_source_length": None, "max_target_length": None, "max_length_ratio": None}
    )
    corpus = trained.reader.corpus({chosen.name: texts}, trained.target_tokenizer, data)
    model.eval()
    found: list[list[Tensor]] = []
    for batch in Batches(corpus, trained.config.training.batch_tokens, seed=0).iterate(0):
        batch = batch.to(model.device)
        real = batch.target_output != PADDING  # [B, T]
        states = decoder_states(model, batch.source, batch.target_input)[real]
        steps = torch.arange(real.shape[1], device=model.device).expand_as(real)[real]
        numbers = torch.tensor(batch.indices, device=model.device)[:, None].expand_as(real)[real]
        parts = [states.half(), batch.target_output[real].int(), numbers.int(), steps.int()]
        found.append([part.cpu() for part in parts])
    if not found:
        raise DataError("pairs to make an index of must hold at least one; got none")
    states, tokens, numbers, steps = (torch.cat(column) for column in zip(*found, strict=True))
    return StateIndex(states, tokens, numbers, steps, pairs, fingerprint_of(model))


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
    model, chosen = _of_ours(trained), find_part(trained.config, part)
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
    for distance, place in zip(distances, places, strict=True):
        token = int(index.tokens[place])
        symbol = "end" if token == END else names.symbols([token])[0]
        source, target = index.texts[int(index.pairs[place])]
        yield Neighbour(distance, symbol, source, target, int(index.steps[place]))


def _of_ours(trained: TrainedModel) -> Seq2Seq:
    if not isinstance(trained.model, Seq2Seq):
        raise ModelError("neighbours must be asked of a model of ours; got one of transformers")
    return trained.model


def _within_positions(
    trained: TrainedModel, pairs: list[tuple[str, str]], part: Part
) -> list[tuple[str, str]]:
    """Those that the model has positions for; how many others there are is told."""
    longest, most = longest_source(trained.config.model), target_positions(trained.config.model)
    if longest is None and most is None:
        return pairs
    own = coder(trained.target_tokenizer, part.name)
    lengths = trained.reader.lengths([part.source(source) for source, _ in pairs], part.name)
    kept = [
        pair
        for pair, length in zip(pairs, lengths, strict=True)
        if (longest is None or length <= longest)
        and (most is None or len(own.encode(part.target(pair[1]))) < most)
    ]
    if len(kept) < len(pairs):
        logging.getLogger("transduce").warning(
            "the index is without %s of %s pairs, which are longer than the model's positions",
            *(len(pairs) - len(kept), len(pairs)),
        )
    return kept
