"""A shortlist for a trained model, learnt from pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from transduce.batches.batching import Batches
from transduce.batches.encoded_corpus import EncodedCorpus
from transduce.errors import DataError, ModelError
from transduce.models.copying import copy_map
from transduce.models.seq2seq import Seq2Seq
from transduce.reading.parts import parts_of
from transduce.shortlists.attended import attended_lexicon
from transduce.shortlists.choosing import Chosen, Heard, choose_shortlist
from transduce.shortlists.lexicon import learn_lexicon
from transduce.shortlists.unlisted import learn_unlisted
from transduce.workflow.trained import TrainedModel

__all__ = ["By", "learn_shortlist", "require_texts"]

By = Literal["alignment", "attention"]

Texts = Mapping[str, Sequence[tuple[str, str]]]  # pairs by part


def require_texts(trained: TrainedModel) -> Seq2Seq:
    """The network. Raises ModelError where it is none of ours, or reads no texts."""
    if not isinstance(trained.model, Seq2Seq):
        raise ModelError("model must be of a family with modules of ours to have a shortlist")
    if trained.reader.tokenizer is None:
        kind = trained.config.data.input.kind
        raise ModelError(f"model must read text to have a shortlist; got one that reads {kind}")
    return trained.model


def learn_shortlist(
    trained: TrainedModel, pairs: Texts, sources: Mapping[str, Sequence[str]], by: By, share: float
) -> Chosen:
    """The shortest lists with which at least ``share`` of what is written for ``sources`` stays.

    Raises ModelError for a model that can have none, DataError where there are no pairs.
    """
    model = require_texts(trained)
    parts = parts_of(trained.config)
    texts = {
        name: [(parts[name].source(source), parts[name].target(target)) for source, target in own]
        for name, own in pairs.items()
    }
    corpus = trained.reader.corpus(texts, trained.target_tokenizer, trained.config.data)
    if not isinstance(corpus, EncodedCorpus) or not len(corpus):
        raise DataError("pairs to learn a shortlist from must hold at least one; got none")
    sizes = trained.reader.width, trained.target_tokenizer.size
    if by == "alignment":
        lexicon = learn_lexicon(corpus, sizes)
    else:
        batches = Batches(corpus, trained.config.training.batch_tokens, seed=0)
        lexicon = attended_lexicon(model.eval(), batches.iterate(0), sizes)
    counts = np.bincount(corpus.target.tokens, minlength=sizes[1])
    seen = [each for name, own in sources.items() for each in _seen(trained, name, own)]
    chosen = choose_shortlist(lexicon, counts, _copies(trained), seen, share)
    unlisted = learn_unlisted(model.eval(), chosen.shortlist, seen)
    return replace(chosen, shortlist=replace(chosen.shortlist, unlisted=unlisted))


def _seen(trained: TrainedModel, name: str, sources: Sequence[str]) -> Iterator[Heard]:
    """What the model writes from all tokens."""
    part = parts_of(trained.config)[name]
    options = trained.config.search.model_copy(update={"shortlist": False, "nbest": 1})
    found = trained.predict(sources, options, part=name or None)
    for source, outputs in zip(sources, found, strict=True):
        row = trained.reader.encoded(source, part).tokens[0].tolist()
        yield Heard(row, outputs[0].numbers)


def _copies(trained: TrainedModel) -> np.ndarray:
    """The target token that is the same symbol as each source token."""
    source, target = trained.source_tokenizer, trained.target_tokenizer
    symbols = copy_map(source.symbols(range(source.size)), target.symbols(range(target.size)))
    return symbols.numpy()
