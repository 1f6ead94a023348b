"""Pairs in batches, as numbers: sources encoded once, targets, what a model writes and thinks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from transduce.adapters import EncodedSources, TaughtBatch, Teacher
from transduce.config import SearchConfig
from transduce.models.seq2seq import Seq2Seq
from transduce.reading.parts import Part
from transduce.search import decode
from transduce.tokenization.joint import coder
from transduce.workflow.predicting.writer import Writer
from transduce.workflow.trained import TrainedModel

__all__ = ["ReadPairs", "own_outputs", "read_pairs", "teachers"]

_LIKELIEST = 16  # tokens that are kept of a distribution


@dataclass(frozen=True)
class ReadPairs:
    """A batch of pairs of one part; ``targets`` are tokens without END."""

    part: Part
    encoded: EncodedSources
    targets: list[list[int]]


def read_pairs(
    trained: TrainedModel, part: Part, pairs: Sequence[tuple[str, str]], rows: int
) -> list[ReadPairs]:
    """Batches of at most ``rows`` pairs of like lengths; what is too long for the recipe is none.

    Raises DataError.
    """
    tagged = [(part.source(source), part.target(target)) for source, target in pairs]
    corpus = trained.reader.corpus({part.name: tagged}, trained.target_tokenizer, part.data)
    order = np.lexsort((corpus.source_lengths, corpus.target_lengths))
    found = []
    for first in range(0, len(order), rows):
        batch = corpus.batch(order[first : first + rows])
        targets = [
            row[: int(length) - 1]
            for row, length in zip(
                batch.target_output.tolist(), batch.target_lengths.tolist(), strict=True
            )
        ]
        encoded = EncodedSources.of(trained.model, batch.source)
        found.append(ReadPairs(part, encoded, targets))
    return found


def own_outputs(trained: TrainedModel, batch: ReadPairs) -> list[list[int]]:
    """What the model writes for each source by greedy search, as tokens without END."""
    writer = Writer(coder(trained.target_tokenizer, batch.part.name), batch.part)
    options = SearchConfig(max_length=trained.config.search.max_length)
    found = decode(
        trained.stepper(),
        batch.encoded.source,
        trained.limits().capped(options),
        writer.constraints(options),
    )
    return [writer.read(hypotheses[0]) for hypotheses in found]


def teachers(model: Seq2Seq, batch: ReadPairs, targets: Sequence[Sequence[int]]) -> list[Teacher]:
    """What the model holds likely at each place of each target, and at its end."""
    read = TaughtBatch.of(batch.encoded, targets)
    with torch.no_grad():
        logits, _ = model.step(read.inputs, batch.encoded.start(model))
        log_probs = torch.log_softmax(logits.float(), dim=-1)
        best = log_probs.topk(min(_LIKELIEST, log_probs.shape[-1]), dim=-1)
    tokens, values = best.indices.cpu(), best.values.cpu()
    return [
        Teacher(tokens[row, : len(target) + 1], values[row, : len(target) + 1])
        for row, target in enumerate(targets)
    ]
