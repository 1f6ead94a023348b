"""SentencePiece's map of characters: what is let through leads nowhere outside itself."""

from __future__ import annotations

from pathlib import Path

from tokenizers import normalizers

from fuzz.feeding.sentencepieces import charsmap_of, trained_pieces
from fuzz.harness import Files, Harness
from fuzz.mutations.octets import at_end, at_start, octets, several
from transduce.errors import ModelError
from transduce.tokenization.pieces.rewriting import Rules
from transduce.untrusted.charsmap import require_whole
from transduce.untrusted.tokenizer_json import library

_TEXTS = [
    "hello ABC abc é ﬁ \u200b Ａ",
    "".join(map(chr, range(1, 0x180))),
    "ﷺ㍿ｱﾞ가각e\u0301 ½ ① Ⅷ",
    "\U0001f600\U0001d400 \uffff\U0010ffff",
    "a" * 300,
]


def feed(files: Files, folder: Path) -> object:
    """Texts in the form that a map gives."""
    try:
        require_whole(files["charsmap"])
        own = Rules(files["charsmap"])
    except ValueError as error:
        raise ModelError(str(error)) from None
    for text in _TEXTS:
        own.apply(text)
    with library("map of characters must be one that the library knows"):
        step = normalizers.Precompiled(files["charsmap"])
        found = [step.normalize_str(text) for text in _TEXTS]
    return [min(3, 2 * len(now) // len(text)) for now, text in zip(found, _TEXTS, strict=True)]


def _samples() -> list[Files]:
    return [{"charsmap": charsmap_of(trained_pieces())}]


HARNESSES = [
    Harness(
        "charsmap",
        _samples,
        {"*": several(octets, at_start(80), at_end(60))},
        feed,
        quick=1500,
        needs=("sentencepiece",),
    ),
    Harness(
        "charsmap-nfkc",
        lambda: [{"charsmap": charsmap_of(trained_pieces(rules=False))}],
        {"*": several(octets, at_start(4000), at_end(8000))},
        feed,
        quick=20,
        needs=("sentencepiece",),
    ),
]
