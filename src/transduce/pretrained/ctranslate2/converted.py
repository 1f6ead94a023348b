"""CTranslate2's Transformers as models of our own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from transduce.config import TokenizerConfig
from transduce.errors import ModelError, naming
from transduce.pretrained.checkpoint.conversion import filled
from transduce.pretrained.checkpoint.symbols import listed_tokenizer
from transduce.pretrained.ctranslate2.model_file import BINARY, BinaryModel, read_binary
from transduce.pretrained.ctranslate2.older import FLAGS, TRANSFORMERS, older_settings
from transduce.pretrained.ctranslate2.stacks import IDLE, Stack, read_stack
from transduce.pretrained.ctranslate2.vocabulary_file import (
    ConvertedNumbering,
    read_config,
    read_symbols,
)
from transduce.pretrained.families.whisper import read_whisper_ctranslate2
from transduce.tokenization.pipelines import SPECIALS
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.trained import TrainedModel

__all__ = ["is_ctranslate2", "never_written", "read_ctranslate2"]

_ENCODER, _DECODER = "encoder/embeddings_0", "decoder/embeddings"
_OUTPUT = "decoder/projection"
_SOURCE_TOKENIZER, _TARGET_TOKENIZER = "source.tokenizer.json", "target.tokenizer.json"
_NEVER = -1e4  # as a logit: below every other
_WITH_CONFIG = 6  # the version of the file from which on config.json goes with it
_BEGIN, _END = "<s>", "</s>"
_FROM_ZERO = "decoder/start_from_zero_embedding"
_PADDING_OF_TRANSFORMERS = "<pad>"  # OpenNMT's is <blank>


def is_ctranslate2(folder: Path) -> bool:
    """Whether a directory holds a model of CTranslate2."""
    return (folder / BINARY).is_file()


def read_ctranslate2(
    folder: Path, source_language: str | None = None, target_language: str | None = None
) -> TrainedModel:
    """A Transformer with its tokenizers, or a Whisper, which may be told its languages.

    Where the directory has no tokenizers of ours the symbols of the vocabulary are the text's,
    parted by spaces, which is what CTranslate2 itself takes. Raises ModelError naming the file
    and what our Transformer has no place for.
    """
    with closing(read_binary(folder / BINARY)) as binary:
        return _read(binary, folder, source_language, target_language)


def _read(
    binary: BinaryModel, folder: Path, source_language: str | None, target_language: str | None
) -> TrainedModel:
    settings = read_config(folder)
    if binary.specification == "WhisperSpec":
        languages = source_language, target_language
        return read_whisper_ctranslate2(folder, binary, settings, *languages)
    if binary.specification not in TRANSFORMERS:
        raise ModelError(
            f"{binary.path}: model must be a TransformerSpec or WhisperSpec; "
            f"got a {binary.specification}"
        )
    settings = {**_older(binary), **settings}
    from_zero = bool(binary.number(_FROM_ZERO, 0))
    source, target = _numberings(folder, settings, from_zero)
    _require_end(folder, settings, from_zero or source.padding == _PADDING_OF_TRANSFORMERS)
    encoder = Stack(binary, "encoder", "encoder", settings)
    decoder = Stack(binary, "decoder", "decoder", settings)
    read_stack(encoder, memory=False)
    read_stack(decoder, memory=True)
    with naming(binary.path):
        model, weights = _embeddings(binary, source, target)
    binary.require_read(*IDLE)
    tokenizers = _tokenizers(folder, source, target)
    values = {
        "name": folder.name or "ctranslate2",
        "model": {"encoder": encoder.options, "decoder": decoder.options, **model},
        "tokenizer": {
            "source": tokenizers[0].config.model_dump(),
            "target": tokenizers[1].config.model_dump(),
        },
    }
    return filled(
        binary.path, values, *tokenizers, {**encoder.weights, **decoder.weights, **weights}
    )


def never_written(numbering: ConvertedNumbering, bias: Tensor | None) -> Tensor:
    """The output's bias ``[V]``, that keeps what is no symbol of theirs below all others."""
    whole = torch.zeros(len(numbering)) if bias is None else numbering.reorder(bias)
    whole[numbering.absent] = _NEVER
    return whole


def _older(binary: BinaryModel) -> dict[str, Any]:
    """What a file says that is older than its config.json."""
    if binary.version >= _WITH_CONFIG:
        return {}
    flags = {name: bool(binary.number(name)) for name in FLAGS if name in binary}
    return older_settings(flags, _BEGIN, _END)


def _require_end(folder: Path, settings: Mapping[str, Any], of_transformers: bool) -> None:
    """Raise ModelError unless sources have an end, be it put there by CTranslate2 or before it:
    transformers' converter leaves it to the tokenizer, which always does.
    """
    if settings.get("add_source_bos"):
        raise ModelError(f"{folder}: add_source_bos must be false for this Transformer; got true")
    if not (settings.get("add_source_eos", False) or of_transformers):
        raise ModelError(
            f"{folder}: add_source_eos must be true for this Transformer, whose sources have an "
            "end; got false (where the model was trained with one, say so in config.json)"
        )


def _numberings(
    folder: Path, settings: Mapping[str, Any], from_zero: bool
) -> tuple[ConvertedNumbering, ConvertedNumbering]:
    for name in ("unk_token", "bos_token", "eos_token", "decoder_start_token"):
        if not isinstance(settings.get(name), str | None):
            raise ModelError(f"{folder}: {name} must be a symbol; got {settings[name]}")
    unknown, end = settings.get("unk_token", "<unk>"), settings.get("eos_token", _END)
    begin = settings.get("bos_token", _BEGIN)
    start = settings.get("decoder_start_token", begin)
    if start is None:
        raise ModelError(f"{folder}: decoder_start_token must be a symbol; got null")
    with naming(folder):
        return (
            ConvertedNumbering.of(
                read_symbols(folder, "source_vocabulary", "shared_vocabulary"),
                unknown=unknown,
                start=begin,
                end=end,
            ),
            ConvertedNumbering.of(
                read_symbols(folder, "target_vocabulary", "shared_vocabulary"),
                unknown=unknown,
                start=None if from_zero else start,  # a row of zeros
                end=end,
            ),
        )


def _embeddings(
    binary: BinaryModel, source: ConvertedNumbering, target: ConvertedNumbering
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Options of the model and weights of both embeddings and the output.

    Ours are multiplied by √D or not when they are read, and a tied output reads what is stored:
    other scales are worked into the weights.
    """
    tables = [binary.weight(f"{scope}/weight") for scope in (_ENCODER, _DECODER, _OUTPUT)]
    root = math.sqrt(tables[1].shape[1])
    read = [_scale(binary, scope, root) for scope in ("encoder", "decoder")]
    written = binary.number("decoder/scale_outputs", 1)
    scaled = not math.isclose(read[1] / written, 1, rel_tol=1e-3)
    ours = root if scaled else 1.0
    tied = binary.same(f"{_DECODER}/weight", f"{_OUTPUT}/weight")
    tied = tied and math.isclose(read[1] / written, ours, rel_tol=1e-3)
    shared = binary.same(f"{_ENCODER}/weight", f"{_DECODER}/weight") and source == target
    shared = shared and tied and math.isclose(read[0], read[1], rel_tol=1e-3)
    weights = {
        "source_embedding.weight": source.reorder(_times(tables[0], read[0] / ours)),
        "target_embedding.weight": target.reorder(_times(tables[1], read[1] / ours)),
        "output.weight": target.reorder(_times(tables[2], written)),
        "output.bias": never_written(target, binary.optional(f"{_OUTPUT}/bias")),
    }
    if tied:
        del weights["output.weight"]
    if shared:
        del weights["target_embedding.weight"]  # the first of the three names it
    tie = "all" if shared else "target" if tied else "none"
    return {"tie": tie, "scale_embeddings": scaled}, weights


def _scale(binary: BinaryModel, scope: str, root: float) -> float:
    """What an embedding is multiplied by: a flag says whether by √D, a float says by what."""
    name = f"{scope}/scale_embeddings"
    given = binary.number(name, 1)
    flag = name not in binary or binary.variables[name].dtype.kind == "i"
    return (root if given else 1.0) if flag else given


def _times(table: Tensor, factor: float) -> Tensor:
    return table if math.isclose(factor, 1, rel_tol=1e-6) else table * factor


def _tokenizers(
    folder: Path, source: ConvertedNumbering, target: ConvertedNumbering
) -> tuple[Tokenizer, Tokenizer]:
    paths = folder / _SOURCE_TOKENIZER, folder / _TARGET_TOKENIZER
    if not all(path.is_file() for path in paths):
        plain = TokenizerConfig(kind="whitespace")
        return listed_tokenizer(source.symbols, plain), listed_tokenizer(target.symbols, plain)
    loaded = Tokenizer.load(paths[0]), Tokenizer.load(paths[1])
    for path, tokenizer, numbering in zip(paths, loaded, (source, target), strict=True):
        if tokenizer.size != len(numbering) or not numbering.is_theirs:
            raise ModelError(
                f"{path}: tokenizer must have the {len(SPECIALS)} special symbols first and "
                f"{len(numbering)} in all, as the vocabulary has; got {tokenizer.size}"
            )
    return loaded
