"""BART, mBART, Marian, M2M-100, NLLB and Pegasus: their symbols around their weights."""

from __future__ import annotations

from dataclasses import replace

from transduce.pretrained.checkpoint.conversion import Conversion, Side
from transduce.pretrained.checkpoint.generation import generation_settings
from transduce.pretrained.checkpoint.languages import many_languages
from transduce.pretrained.checkpoint.published_checkpoint import PublishedCheckpoint
from transduce.pretrained.checkpoint.published_vocabulary import (
    Vocabulary,
    byte_level_vocabulary,
    marian_vocabularies,
    pegasus_vocabulary,
)
from transduce.pretrained.families.bart import (
    BART,
    M2M100,
    MARIAN,
    MBART,
    PEGASUS,
    Shape,
    read_weights,
)
from transduce.tokenization.numbering import Numbering

__all__ = ["convert_bart", "convert_m2m100", "convert_marian", "convert_mbart", "convert_pegasus"]


def convert_bart(checkpoint: PublishedCheckpoint) -> Conversion:
    """BART (Lewis et al. 2020): every text begins with ``<s>``. Raises ModelError."""
    vocabulary = byte_level_vocabulary(checkpoint)
    numbering = _numbering(checkpoint, _unknown(vocabulary))
    forced = generation_settings(checkpoint).get("forced_bos_token_id") is not None
    begin = (checkpoint.symbol("bos_token_id", 0, numbering.size),)
    both = Side(numbering, vocabulary, begin, forced)
    return _conversion(checkpoint, BART, both, both)


def convert_pegasus(checkpoint: PublishedCheckpoint) -> Conversion:
    """Pegasus (Zhang et al. 2020). Raises ModelError."""
    vocabulary = pegasus_vocabulary(checkpoint)
    side = Side(_numbering(checkpoint, _unknown(vocabulary)), vocabulary)
    return _conversion(checkpoint, PEGASUS, side, side)


def convert_marian(checkpoint: PublishedCheckpoint) -> Conversion:
    """Marian's OPUS-MT (Junczys-Dowmunt et al. 2018): two SentencePiece models, one or two
    lists of pieces. Raises ModelError.
    """
    source, target = marian_vocabularies(checkpoint)
    target_size = checkpoint.size("decoder_vocab_size", checkpoint.size("vocab_size"))
    sides = (
        Side(_numbering(checkpoint, _unknown(source)), source),
        Side(_numbering(checkpoint, _unknown(target), target_size), target),
    )
    return _conversion(checkpoint, MARIAN, *sides)


def convert_mbart(checkpoint: PublishedCheckpoint) -> Conversion:
    """mBART-50 (Tang et al. 2020): a language's code before each text; mBART-25, see below.

    Raises ModelError.
    """
    return _many(checkpoint, MBART)


def convert_m2m100(checkpoint: PublishedCheckpoint) -> Conversion:
    """M2M-100 (Fan et al. 2020) and NLLB (2022): the same. Raises ModelError."""
    return _many(checkpoint, M2M100)


def _many(checkpoint: PublishedCheckpoint, shape: Shape) -> Conversion:
    vocabulary, source, target = many_languages(checkpoint)
    numbering = _numbering(checkpoint, _unknown(vocabulary))
    if numbering.start != numbering.end:
        return _mbart_25(checkpoint, shape, vocabulary, numbering, source, target)
    return _conversion(
        checkpoint,
        shape,
        Side(numbering, vocabulary, (vocabulary.languages[source],)),
        Side(numbering, vocabulary, (vocabulary.languages[target],), forced=True),
    )


def _mbart_25(
    checkpoint: PublishedCheckpoint,
    shape: Shape,
    vocabulary: Vocabulary,
    numbering: Numbering,
    source: str,
    target: str,
) -> Conversion:
    """The first mBART (Liu et al. 2020): a source ends with ``</s>`` and its language, the decoder
    begins with its own. So our END is another symbol on each side.
    """
    codes = vocabulary.languages
    fixed = replace(vocabulary, languages={})  # the weights' order holds the languages
    ends = Numbering(numbering.size, numbering.padding, numbering.unknown, codes[source],
                     codes[source])  # fmt: skip
    begins = replace(numbering, start=codes[target])
    return _conversion(
        checkpoint, shape, Side(ends, fixed, after=(numbering.end,)), Side(begins, fixed)
    )


def _conversion(
    checkpoint: PublishedCheckpoint, shape: Shape, source: Side, target: Side
) -> Conversion:
    model, weights = read_weights(checkpoint, shape, source.numbering, target.numbering)
    return Conversion(model, weights, source, target, shared=source == target)


def _numbering(
    checkpoint: PublishedCheckpoint, unknown: int | None, size: int | None = None
) -> Numbering:
    size = size or checkpoint.size("vocab_size")
    end = checkpoint.symbol("eos_token_id", 2, size)
    return Numbering(
        size=size,
        padding=checkpoint.symbol("pad_token_id", 1, size),
        unknown=unknown,
        start=checkpoint.symbol("decoder_start_token_id", end, size),
        end=end,
    )


def _unknown(vocabulary: Vocabulary) -> int | None:
    if vocabulary.entries is not None:
        return vocabulary.entries.get("<unk>")
    number: int | None = vocabulary.pipeline.token_to_id("<unk>")
    return number
