"""The pipeline of each kind of tokenizer, in the terms of Hugging Face ``tokenizers``.

Three decisions hold for all kinds:

- The four special symbols are plain entries of the vocabulary and never looked
  for in text. So that no text can spell one by chance, ``<`` is always a piece
  of its own where pieces may hold several characters, and a whole symbol such
  as ``<pad>`` between spaces gets a backslash in front.
- Spaces are not rewritten to another character: pieces of ``word``, ``bpe`` and
  ``unigram`` begin with the space before them (one is put before the text, and
  taken away again by decoding), so every text can be restored.
- Tags (``⟪PL⟫``) are added tokens, cut out before anything else happens.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from transduce.interfaces import UNKNOWN
from transduce.tokenization.text_pipeline import TextPipeline

if TYPE_CHECKING:  # whose library takes its time to load
    from transduce.config import TokenizerConfig

__all__ = [
    "BYTES",
    "SPECIALS",
    "WHITESPACE",
    "bytes_of",
    "escape_special",
    "make_normalizer",
    "make_pipeline",
    "make_pre_tokenizer",
    "surfaces_of",
    "to_state",
    "unescape_special",
]

SPECIALS = ("<pad>", "<unk>", "<bos>", "<eos>")
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))

# What Python's str.split() takes for a gap; without the four separators
# U+001C…U+001F it would be Unicode's White_Space.
WHITESPACE = r"[\s\x1c-\x1f]"

_SPECIAL_AS_SYMBOL = r"(?<!S)(?=\\*<(?:pad|unk|bos|eos)>(?!S))".replace("S", r"[^\s\x1c-\x1f]")
_ANY_CHARACTER = r"[\s\S]"
# No piece holds a space but at its start: the counting and encoding of words rest on it.
_WORDS = r" ?[\p{L}\p{M}\p{N}_]+| ?[^\s\p{L}\p{M}\p{N}_]|\s"
_PIECES = r"<| ?[\p{L}\p{M}]+| ?\p{N}| ?[^\s\p{L}\p{M}\p{N}<]+|\s+(?!\S)|\s+"


def escape_special(symbol: str) -> str:
    """How a symbol of the kind ``whitespace`` is written in the vocabulary."""
    return f"\\{symbol}" if symbol.lstrip("\\") in SPECIALS else symbol


def unescape_special(entry: str) -> str:
    """The inverse of :func:`escape_special`."""
    return entry[1:] if entry.startswith("\\") and entry.lstrip("\\") in SPECIALS else entry


def surfaces_of(kind: str, entries: list[str]) -> list[str]:
    """Entries of a vocabulary as they stand in texts."""
    return [unescape_special(entry) for entry in entries] if kind == "whitespace" else entries


def bytes_of(kind: str, surfaces: Sequence[str]) -> list[bytes]:
    """What each symbol stands for in a text."""
    found = [surface.encode() for surface in surfaces]
    if kind == "word":
        found[UNKNOWN] = b" <unk>"  # nearly always a word after a space
    if kind in ("byte", "bpe", "unigram"):
        found[len(SPECIALS) : len(SPECIALS) + 256] = [bytes([n]) for n in range(256)]
    return found


def make_normalizer(config: TokenizerConfig) -> normalizers.Normalizer | None:
    """Normal form and lower-casing as asked for; None where the text stays as it is."""
    steps: list[normalizers.Normalizer] = []
    if config.normalization != "none":
        forms = {"nfc": normalizers.NFC, "nfd": normalizers.NFD, "nfkc": normalizers.NFKC}
        steps.append(forms[config.normalization]())
    if config.lowercase:
        steps.append(normalizers.Lowercase())
    return normalizers.Sequence(steps) if steps else None


def make_pre_tokenizer(kind: str) -> pre_tokenizers.PreTokenizer | None:
    """What cuts a text before the vocabulary is looked at."""
    if kind == "character":
        return pre_tokenizers.Split(Regex(_ANY_CHARACTER), "isolated")
    if kind == "whitespace":
        return pre_tokenizers.Split(Regex(f"{WHITESPACE}+"), "removed")
    if kind == "word":
        return pre_tokenizers.Split(Regex(_WORDS), "isolated")
    if kind in ("bpe", "unigram"):
        return pre_tokenizers.Split(Regex(_PIECES), "isolated")
    return None


def make_pipeline(
    model: models.Model, config: TokenizerConfig, tags: Sequence[str] = ()
) -> Tokenizer:
    """A whole tokenizer around a model; tags get the ids after its vocabulary."""
    tokenizer = Tokenizer(model)
    steps = []
    normalizer = make_normalizer(config)
    if normalizer is not None:
        steps.append(normalizer)
    if config.kind == "whitespace":
        steps.append(normalizers.Replace(Regex(_SPECIAL_AS_SYMBOL), "\\"))
    if config.kind in ("word", "bpe", "unigram"):
        steps.append(normalizers.Prepend(" "))
    if steps:
        tokenizer.normalizer = normalizers.Sequence(steps)
    pre_tokenizer = make_pre_tokenizer(config.kind)
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    decoder = _make_decoder(config.kind)
    if decoder is not None:
        tokenizer.decoder = decoder
    if not tags:
        return tokenizer
    state = json.loads(tokenizer.to_str())
    size = tokenizer.get_vocab_size()
    state["added_tokens"] = [_added_token(size + n, tag) for n, tag in enumerate(tags)]
    return Tokenizer.from_str(json.dumps(state))


def to_state(tokenizer: TextPipeline, config: TokenizerConfig) -> dict[str, Any]:
    """The content of tokenizer.json, with our options in it.

    The library refuses unknown keys at the top but passes over them in the
    model, so that is where ``transduce`` stands.
    """
    state: dict[str, Any] = json.loads(tokenizer.to_str())
    state["model"]["transduce"] = {"version": 1, **config.model_dump(mode="json")}
    return state


def _make_decoder(kind: str) -> decoders.Decoder | None:
    if kind == "whitespace":
        return None  # the library then joins by one space
    steps: list[decoders.Decoder] = [decoders.Fuse()]
    if kind in ("byte", "bpe", "unigram"):
        steps.insert(0, decoders.ByteFallback())
    if kind in ("word", "bpe", "unigram"):
        steps.append(decoders.Strip(" ", 1, 0))
    return decoders.Sequence(steps)


def _added_token(number: int, content: str) -> Mapping[str, Any]:
    return {
        "id": number,
        "content": content,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": False,
    }
