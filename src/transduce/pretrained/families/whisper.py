"""Whisper (Radford et al. 2022): speech to text, from Hugging Face's or CTranslate2's files.

A log-mel spectrogram of 30 seconds (shorter recordings are followed by silence) goes through two
convolutions into 1,500 positions. Outputs begin with tokens that say what is to be done: for
English-only models that there are no timestamps, for the others also the language and
the task. Symbols that the checkpoint says are never to be written get a bias far below the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import decoders, normalizers
from torch import Tensor

from transduce.errors import ModelError
from transduce.pretrained.checkpoint.conversion import filled
from transduce.pretrained.checkpoint.generation import symbol_numbers
from transduce.pretrained.checkpoint.layers import NEVER, ConvertedWeights
from transduce.pretrained.checkpoint.published_checkpoint import PublishedCheckpoint
from transduce.pretrained.checkpoint.published_vocabulary import library_pipeline, special_numbers
from transduce.pretrained.ctranslate2.model_file import BinaryModel
from transduce.pretrained.ctranslate2.stacks import GELU, IDLE, Stack, read_stack
from transduce.tokenization.imported import AUTO, ImportedSymbols
from transduce.tokenization.numbering import Numbering
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.trained import TrainedModel

__all__ = ["read_whisper", "read_whisper_ctranslate2"]

_WINDOW = {"pad_to": 30.0, "cut_at": 30.0}  # seconds that it looks at
_START, _END, _NO_TIMESTAMPS = "<|startoftranscript|>", "<|endoftext|>", "<|notimestamps|>"
_TRANSLATE, _TRANSCRIBE, _ENGLISH = "<|translate|>", "<|transcribe|>", "en"
_ENGLISH_ONLY = 51_864  # symbols of the models for English alone; the others have more
_TIED = ["model.decoder.embed_tokens.weight", "proj_out.weight"]  # one table, two names
_BATCH = 24_000  # frames decoded together: 8 recordings
_ACTIVATIONS = {"gelu": "gelu"}


@dataclass(frozen=True)
class _Contents:
    """What either format gives; numbers of symbols are the checkpoint's own."""

    folder: Path
    encoder: Mapping[str, Any]  # sections of our config
    decoder: Mapping[str, Any]
    weights: Mapping[str, Tensor]  # ours by name, all but the embedding
    embedding: Tensor
    mel_bins: int
    suppressed: Iterable[int]
    suppressed_first: Iterable[int]
    english_only: bool
    source_language: str | None = None
    target_language: str | None = None


def read_whisper(checkpoint: PublishedCheckpoint) -> TrainedModel:
    """A checkpoint of Hugging Face transformers.

    A model of many languages hears English unless another ``source_language`` is named (``auto``:
    it guesses), and writes what it hears; with the ``target_language`` en it translates. Raises
    ModelError.
    """
    checkpoint.require("scale_embedding", False, False)
    weights = ConvertedWeights(checkpoint)
    for number in (0, 1):
        weights.affine(f"frontend.layers.{number}", f"model.encoder.conv{number + 1}")
    options = {side: _options(checkpoint, side) for side in ("encoder", "decoder")}
    for side, section in options.items():
        _fill_stack(weights, side, section["layers"])
    names = [name for name in _TIED if checkpoint.has(name)] or _TIED
    embedding = checkpoint.take_table(names[0])
    checkpoint.refuse_rest(but=("proj_out.weight",))
    settings, folder = checkpoint.generation or checkpoint.config, checkpoint.folder
    return _trained(
        _Contents(
            folder,
            options["encoder"],
            options["decoder"],
            weights.ours,
            embedding,
            checkpoint.size("num_mel_bins", 80),
            symbol_numbers(folder, "suppress_tokens", settings.get("suppress_tokens")),
            symbol_numbers(folder, "begin_suppress_tokens", settings.get("begin_suppress_tokens")),
            not settings.get("is_multilingual", len(embedding) > _ENGLISH_ONLY),
            checkpoint.source_language,
            checkpoint.target_language,
        )
    )


def read_whisper_ctranslate2(
    folder: Path,
    binary: BinaryModel,
    settings: Mapping[str, Any],
    source_language: str | None = None,
    target_language: str | None = None,
) -> TrainedModel:
    """A directory of CTranslate2 whose ``model.bin`` is a WhisperSpec. Raises ModelError.

    For the languages see :func:`read_whisper`.
    """
    encoder = Stack(binary, "encoder", "encoder", settings, activation=GELU)
    decoder = Stack(binary, "decoder", "decoder", settings)
    read_stack(encoder, memory=False)
    read_stack(decoder, memory=True)
    for name in ("scale_embeddings", "start_from_zero_embedding"):
        decoder.require(name, 0)
    if "max_positions" not in decoder.options:
        raise decoder.refuse("position_encodings", "a table of its own")
    weights = {**encoder.weights, **decoder.weights}
    for number in (0, 1):
        for kind in ("weight", "bias"):
            name = f"frontend.layers.{number}.{kind}"
            weights[name] = binary.weight(f"encoder/conv{number + 1}/{kind}")
    if not binary.same("decoder/embeddings/weight", "decoder/projection/weight"):
        raise ModelError(f"{binary.path}: decoder/projection must be the embedding; it is not")
    embedding = binary.weight("decoder/embeddings/weight")
    binary.require_read("decoder/projection/weight", *IDLE)
    return _trained(
        _Contents(
            folder,
            encoder.options,
            decoder.options,
            weights,
            embedding,
            weights["frontend.layers.0.weight"].shape[1],
            symbol_numbers(folder, "suppress_ids", settings.get("suppress_ids")),
            symbol_numbers(folder, "suppress_ids_begin", settings.get("suppress_ids_begin")),
            len(embedding) <= _ENGLISH_ONLY,
            source_language,
            target_language,
        )
    )


def _options(checkpoint: PublishedCheckpoint, side: str) -> dict[str, Any]:
    positions = "max_source_positions" if side == "encoder" else "max_target_positions"
    return {
        "kind": "transformer",
        "width": checkpoint.size("d_model"),
        "layers": checkpoint.size(f"{side}_layers"),
        "heads": checkpoint.size(f"{side}_attention_heads"),
        "feedforward": checkpoint.size(f"{side}_ffn_dim"),
        "activation": checkpoint.choice("activation_function", _ACTIVATIONS, "gelu"),
        "norm_epsilon": 1e-5,
        "positions": "learned",
        "max_positions": checkpoint.size(positions),
        "dropout": checkpoint.option("dropout", 0.0),
        "attention_dropout": checkpoint.option("attention_dropout", 0.0),
    }


def _fill_stack(weights: ConvertedWeights, side: str, layers: int) -> None:
    theirs = f"model.{side}"
    weights.put(f"{side}.entry.positions.weight", f"{theirs}.embed_positions.weight")
    weights.affine(f"{side}.norm", f"{theirs}.layer_norm")
    for layer in range(layers):
        here, there = f"{side}.layers.{layer}", f"{theirs}.layers.{layer}"
        weights.bart_layer(here, there, memory=side == "decoder")


# ---------------------------------------------------------------- what both formats have


def _trained(contents: _Contents) -> TrainedModel:
    """Our model with its reader of recordings and its tokenizer. Raises ModelError."""
    symbols = _symbols(contents)
    weights = {
        **contents.weights,
        "target_embedding.weight": symbols.numbering.permuted(contents.embedding),
        "output.bias": _bias(symbols, contents.suppressed),
    }
    trained = filled(contents.folder, _config(contents), None, Tokenizer.imported(symbols), weights)
    trained.report = {"imported": {"family": "whisper"}}
    return trained


def _config(contents: _Contents) -> dict[str, Any]:
    return {
        "name": contents.folder.resolve().name,
        "data": {"input": {"kind": "audio", "mel_bins": contents.mel_bins, **_WINDOW}},
        "tokenizer": {"target": {"kind": "imported"}},
        "model": {
            "frontend": {"kind": "convolution"},
            "encoder": dict(contents.encoder),
            "decoder": dict(contents.decoder),
            "tie": "target",
            "scale_embeddings": False,
        },
        "search": {
            "max_length": contents.decoder["max_positions"] // 2,  # as in OpenAI's own program
            "batch_tokens": _BATCH,
        },
    }


def _symbols(contents: _Contents) -> ImportedSymbols:
    pipeline = library_pipeline(contents.folder)
    if pipeline is None:
        raise ModelError(f"{contents.folder}: Whisper must come with tokenizer.json; there is none")
    # Its texts are written with a space before them, as words inside a text are.
    pipeline.normalizer = normalizers.Prepend(" ")
    pipeline.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    names = pipeline.get_vocab()

    def number(name: str) -> int:
        if names.get(name, len(contents.embedding)) >= len(contents.embedding):
            raise ModelError(
                f"{contents.folder}: tokenizer must have the symbol {name}; it has none"
            )
        return names[name]

    before, languages = [number(_NO_TIMESTAMPS)], dict[str, int]()
    if not contents.english_only:
        languages = _languages(names, number(_START), number(_TRANSLATE))
        spoken = contents.source_language or _ENGLISH
        if spoken not in (*languages, AUTO):
            known = ", ".join([AUTO, *sorted(languages)])
            raise ModelError(f"{contents.folder}: language must be one of {known}; got {spoken!r}")
        translated = contents.target_language == _ENGLISH != spoken
        if spoken == AUTO:  # what stands there until the model has guessed
            spoken = _ENGLISH if _ENGLISH in languages else min(languages)
        before = [languages[spoken], number(_TRANSLATE if translated else _TRANSCRIBE), *before]
    numbering = Numbering(len(contents.embedding), None, None, number(_START), number(_END))
    symbols = ImportedSymbols(
        pipeline,
        numbering,
        tuple(before),
        forced=True,
        hidden=special_numbers(pipeline),
        languages=languages,
        their_banned_first=tuple(number for number in contents.suppressed_first if number >= 0),
    )
    return symbols.guessing() if languages and contents.source_language == AUTO else symbols


def _languages(names: Mapping[str, int], start: int, task: int) -> dict[str, int]:
    """The symbols between that of the start and those of the tasks: ``<|en|>`` is ``en``."""
    first, last = sorted((start, task))
    return {
        name.removeprefix("<|").removesuffix("|>"): number
        for name, number in names.items()
        if first < number < last
    }


def _bias(symbols: ImportedSymbols, suppressed: Iterable[int]) -> Tensor:
    """``[V]``: zero, but far below for what is never written; what begins outputs is forced."""
    bias = torch.zeros(symbols.size)
    forbidden = sorted({number for number in suppressed if number >= 0} - set(symbols.before))
    symbols.numbering.require(forbidden, "what is never written")
    bias[[*symbols.numbering.invented(), *symbols.numbering.translate(forbidden)]] = NEVER
    return bias
