"""The decoder's states over pairs: what an index is made of."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from torch import Tensor

from transduce.batches.batching import Batches
from transduce.config import require_one_input
from transduce.errors import DataError, ModelError
from transduce.interfaces import PADDING, Source
from transduce.models.seq2seq import Seq2Seq
from transduce.neighbours import StateIndex
from transduce.neighbours.index import fingerprint_of
from transduce.reading.pair_files import Example
from transduce.reading.parts import Part, find_part
from transduce.tokenization.joint import coder
from transduce.workflow.fitting.pair_limits import target_positions
from transduce.workflow.predicting.source_limits import longest_source
from transduce.workflow.trained import TrainedModel

__all__ = ["decoder_states", "make_index", "model_of_ours"]


@torch.no_grad()
def decoder_states(model: Seq2Seq, source: Source, read: Tensor) -> Tensor:
    """What the output layer reads where int64 ``[B, T]`` is read, ``[B, T, D]``."""
    return model.decoder.step(model.target_embedding(read), model.start(source))[0]


def make_index(
    trained: TrainedModel, examples: Sequence[Example], part: str | None = None
) -> StateIndex:
    """The states over all tokens of pairs. Raises DataError where no pair is left."""
    require_one_input(trained.config, "an index of neighbours")
    model, chosen = model_of_ours(trained), find_part(trained.config, part)
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


def model_of_ours(trained: TrainedModel) -> Seq2Seq:
    """The network. Raises ModelError where another library runs it."""
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
    end = 0 if trained.reader.in_files else 1  # of a text, which its length does not count
    kept = [
        pair
        for pair, length in zip(pairs, lengths, strict=True)
        if (longest is None or length + end <= longest)
        and (most is None or len(own.encode(part.target(pair[1]))) < most)
    ]
    if len(kept) < len(pairs):
        logging.getLogger("transduce").warning(
            "the index is without %s of %s pairs, which are longer than the model's positions",
            *(len(pairs) - len(kept), len(pairs)),
        )
    return kept
