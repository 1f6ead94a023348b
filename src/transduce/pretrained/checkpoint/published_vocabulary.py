"""The tokenizer of a checkpoint as a pipeline of Hugging Face ``tokenizers``.

tokenizer.json is such a pipeline already. Where a checkpoint has none it is made from what
there is: SentencePiece models, lists of pieces, merges.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from transduce.errors import ModelError
from transduce.pretrained.checkpoint.added_tokens import (
    added_tokens,
    listed_tokens,
    tokenizer_settings,
)
from transduce.pretrained.checkpoint.published_checkpoint import PublishedCheckpoint, read_json
from transduce.pretrained.checkpoint.sentencepiece import Pieces, pipeline_of, read_pieces
from transduce.tokenization.pieces.piece_pipeline import PiecePipeline
from transduce.tokenization.pipelines import BYTES
from transduce.tokenization.text_pipeline import TextPipeline
from transduce.untrusted import tokenizer_json
from transduce.untrusted.bounded import read_text
from transduce.untrusted.json import LARGEST
from transduce.untrusted.tokenizer_json import MOST_SYMBOLS, library

__all__ = [
    "Vocabulary",
    "byte_level_vocabulary",
    "fairseq_vocabulary",
    "library_pipeline",
    "listed_vocabulary",
    "marian_vocabularies",
    "pegasus_vocabulary",
    "read_pipeline",
    "special_numbers",
    "t5_vocabulary",
]

_JSON = "tokenizer.json"
_SENTENCEPIECE = ("spiece.model", "sentencepiece.bpe.model", "sentencepiece.model")
_EXTRA = 100  # T5's <extra_id_0> … where tokenizer_config.json says nothing
_EXTRA_BYTES = 125  # ByT5's
_MOST_SPECIAL = 10_000
_LONGEST = 512  # characters of a symbol


@dataclass(frozen=True)
class Vocabulary:
    """A pipeline; ``hidden`` numbers are no text; for the rest see ``ImportedSymbols``."""

    pipeline: TextPipeline
    hidden: frozenset[int] = frozenset()
    entries: Mapping[str, int] | None = None
    languages: Mapping[str, int] = field(default_factory=dict)


def library_pipeline(folder: Path) -> Tokenizer | None:
    """tokenizer.json, None where there is none. Raises ModelError where it is broken."""
    path = folder / _JSON
    if not path.is_file():
        return None
    pipeline, _ = tokenizer_json.read_pipeline(_text(path), path)
    for number, token in added_tokens(folder).items():
        known = pipeline.token_to_id(token.content)
        if known is None and pipeline.get_vocab_size() == number:
            pipeline.add_tokens([token])
        elif known != number:
            logging.getLogger("transduce").warning(
                "%s: added token %s of number %d is not taken over", folder, token.content, number
            )
    return pipeline


def read_pipeline(folder: Path) -> Vocabulary | None:
    """Likewise with what is no text. Raises ModelError where it is broken."""
    if (pipeline := library_pipeline(folder)) is None:
        return None
    return Vocabulary(pipeline, special_numbers(pipeline))


def special_numbers(pipeline: Tokenizer) -> frozenset[int]:
    """Of added tokens that are no text."""
    added = pipeline.get_added_tokens_decoder().items()
    return frozenset(number for number, token in added if token.special)


def t5_vocabulary(checkpoint: PublishedCheckpoint) -> Vocabulary:
    """T5's and mT5's SentencePiece with its extra symbols, or ByT5's bytes. Raises ModelError."""
    if (found := read_pipeline(checkpoint.folder)) is not None:
        return found
    settings = tokenizer_settings(checkpoint.folder)
    bytes_ = "ByT5" in str(settings.get("tokenizer_class", checkpoint.option("tokenizer_class")))
    extra = settings.get("extra_ids", _EXTRA_BYTES if bytes_ else _EXTRA)
    if type(extra) is not int or not 0 <= extra <= _MOST_SPECIAL:
        raise ModelError(
            f"{checkpoint.folder}: extra_ids must be 0 to {_MOST_SPECIAL}; got {extra}"
        )
    if bytes_:
        return _bytes(extra)
    pieces = read_pieces(sentencepiece_file(checkpoint.folder))
    names = [f"<extra_id_{number}>" for number in reversed(range(extra))]
    return _with_tokens(pieces, names, checkpoint.folder)


def _with_tokens(pieces: Pieces, names: Sequence[str], folder: Path) -> Vocabulary:
    """Pieces, ``names`` behind them, and what is listed beside the model. Pieces that no text
    becomes stay so, and are no text.
    """
    first, own = len(pieces.names), set(pieces.reserved)
    tokens = {
        first + place: AddedToken(name, normalized=False, special=True)
        for place, name in enumerate(names)
    }
    for number, token in added_tokens(folder).items():
        if token.content not in own:
            tokens = {n: known for n, known in tokens.items() if known.content != token.content}
            tokens[number] = token
    special = {number for number, token in tokens.items() if token.special}
    hidden = {n for n, kind in enumerate(pieces.types) if kind in (2, 3)}
    return Vocabulary(PiecePipeline(pieces, tokens), frozenset(hidden | special))


def byte_level_vocabulary(checkpoint: PublishedCheckpoint) -> Vocabulary:
    """BART's and GPT-2's pieces of bytes (Radford et al. 2019). Raises ModelError."""
    if (found := read_pipeline(checkpoint.folder)) is not None:
        return found
    folder = checkpoint.folder
    numbers = _numbers(folder / "vocab.json")
    merges = _merges(folder / "merges.txt")
    added = added_tokens(folder)
    numbers |= {token.content: number for number, token in added.items()}
    with library(f"{folder / 'merges.txt'}: merges must be of pieces in vocab.json"):
        pipeline = Tokenizer(models.BPE(numbers, merges))
    pipeline.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pipeline.decoder = decoders.ByteLevel()
    special: list[str] = [
        name for name in ("<s>", "<pad>", "</s>", "<unk>", "<|endoftext|>") if name in numbers
    ]
    tokens = [AddedToken(name, normalized=False) for name in special]
    if "<mask>" in numbers:
        special.append("<mask>")
        tokens.append(AddedToken("<mask>", lstrip=True, normalized=False))
    own = [token for token in added.values() if token.content not in special]
    special += [token.content for token in own if token.special]
    pipeline.add_special_tokens([*tokens, *(token for token in own if token.special)])
    pipeline.add_tokens([token for token in own if not token.special])
    return Vocabulary(pipeline, frozenset(numbers[name] for name in special))


def pegasus_vocabulary(checkpoint: PublishedCheckpoint) -> Vocabulary:
    """Pegasus' tokenizer.json. Raises ModelError where there is none."""
    if (found := read_pipeline(checkpoint.folder)) is None:
        raise ModelError(f"model must come with {_JSON}; got {checkpoint.folder}, which has none")
    return found


def marian_vocabularies(checkpoint: PublishedCheckpoint) -> tuple[Vocabulary, Vocabulary]:
    """source.spm and target.spm, whose pieces vocab.json numbers. Raises ModelError.

    What stands in it as ``>>fra<<`` chooses a model's target language at the head of a source.
    """
    folder = checkpoint.folder
    entries = _numbers(folder / "vocab.json")
    target_file = folder / "target_vocab.json"
    target_entries = _numbers(target_file) if target_file.is_file() else entries
    return (
        _listed(folder / "source.spm", entries),
        _listed(folder / "target.spm", target_entries),
    )


def listed_vocabulary(checkpoint: PublishedCheckpoint) -> Vocabulary:
    """M2M-100's SentencePiece with vocab.json, and the languages after it. Raises ModelError."""
    entries = _numbers(checkpoint.folder / "vocab.json")
    first = len(entries)
    names = _additional(checkpoint)
    languages = {name: first + place for place, name in enumerate(names) if name not in entries}
    path = sentencepiece_file(checkpoint.folder)
    return _listed(path, {**entries, **languages}, tuple(languages))


def fairseq_vocabulary(checkpoint: PublishedCheckpoint) -> Vocabulary:
    """MBART's and NLLB's SentencePiece: fairseq puts four symbols of its own in front, languages
    and ``<mask>`` behind. Raises ModelError.
    """
    pieces = read_pieces(sentencepiece_file(checkpoint.folder))
    own = 3  # <unk>, <s>, </s>, which are among fairseq's
    fairseq = replace(
        pieces,
        names=("<s>", "<pad>", "</s>", "<unk>", *pieces.names[own:]),
        scores=(0.0, 0.0, 0.0, 0.0, *pieces.scores[own:]),
        types=(3, 3, 3, 2, *pieces.types[own:]),
    )
    names = [name for name in _additional(checkpoint) if name != "<mask>"]
    return _with_tokens(fairseq, [*names, "<mask>"], checkpoint.folder)


def _additional(checkpoint: PublishedCheckpoint) -> list[str]:
    names = listed_tokens(checkpoint.folder)
    if len(names) > _MOST_SPECIAL or not (names or added_tokens(checkpoint.folder)):
        raise ModelError(
            f"{checkpoint.folder}: special_tokens_map.json or tokenizer_config.json must list the "
            "languages as additional_special_tokens"
        )
    return names


def _listed(path: Path, entries: Mapping[str, int], special: tuple[str, ...] = ()) -> Vocabulary:
    """Pieces numbered by ``entries``, and tokens that are found in texts: languages, others."""
    pieces, added = read_pieces(path), added_tokens(path.parent)
    codes = [name for name in entries if name.startswith(">>") and name.endswith("<<")]
    ends = [name for name in ("<unk>", "<s>", "</s>", "<pad>") if name in entries]
    own = {token.content: number for number, token in added.items() if token.content not in ends}
    entries = {**own, **entries}
    found = dict.fromkeys((*special, *codes, *own))
    # The pipeline's numbers of them are its own; nobody asks for those.
    beyond = {name: place for place, name in enumerate(found, len(pieces.names))}
    others = (token.content for token in added.values() if token.special)
    hidden = {entries[name] for name in (*special, *codes, *ends, *others)}
    return Vocabulary(pipeline_of(pieces, beyond), frozenset(hidden), entries)


def _numbers(path: Path) -> dict[str, int]:
    values = read_json(path)
    if not all(type(n) is int and 0 <= n < MOST_SYMBOLS for n in values.values()):
        raise ModelError(f"{path} must number symbols, 0 to {MOST_SYMBOLS - 1} at most")
    if not all(0 < len(name) <= _LONGEST for name in values):
        raise ModelError(f"{path} must have symbols of 1 to {_LONGEST} characters")
    return values


def _text(path: Path) -> str:
    try:
        return read_text(path, LARGEST)
    except OSError as error:
        raise ModelError(f"{path} must be readable; {error.strerror}") from None
    except UnicodeDecodeError:
        raise ModelError(f"{path} must be UTF-8 text") from None


def _merges(path: Path) -> list[tuple[str, str]]:
    # By its line feeds alone: U+0085 and its like are pieces.
    lines = [line.removesuffix("\r") for line in _text(path).split("\n")]
    pairs = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    if any(len(pair) != 2 for pair in pairs):
        raise ModelError(f"{path}: merges must be two pieces a line")
    return [(pair[0], pair[1]) for pair in pairs]


def _bytes(extra: int) -> Vocabulary:
    """Three special symbols, the bytes, then the extra ones, the first of them last or first."""
    names = ("<pad>", "</s>", "<unk>", *BYTES)
    numbers = {name: number for number, name in enumerate(names)}
    pipeline = Tokenizer(models.BPE(numbers, [], unk_token="<unk>", byte_fallback=True))
    pipeline.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    pipeline.add_special_tokens(
        [AddedToken(f"<extra_id_{n}>", normalized=False) for n in range(extra)]
    )
    return Vocabulary(pipeline, frozenset({0, 1, 2, *range(len(names), len(names) + extra)}))


def sentencepiece_file(folder: Path) -> Path:
    """The SentencePiece model of a directory. Raises ModelError where there is no tokenizer."""
    for name in _SENTENCEPIECE:
        if (folder / name).is_file():
            return folder / name
    raise ModelError(
        f"model must come with its tokenizer: {_JSON} or {_SENTENCEPIECE[0]}; "
        f"got {folder}, which has neither"
    )
