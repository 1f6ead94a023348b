"""tokenizer.json files of every sort of model and step that the library knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

from fuzz.feeding.sentencepieces import charsmap_of, trained_pieces

__all__ = ["STEPS", "pipelines"]

_SPACE = "\u2581"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"

# What steps are called and say, so that mutations put one in the place of another.
STEPS: tuple[Any, ...] = (
    *(
        "Sequence",
        "BPE",
        "Unigram",
        "WordPiece",
        "WordLevel",
        "Precompiled",
        "Metaspace",
        "ByteLevel",
    ),
    *("Split", "Replace", "Prepend", "Strip", "StripAccents", "NFKC", "Nmt", "Lowercase", "Digits"),
    *("ByteFallback", "Fuse", "CTC", "TemplateProcessing", "BertProcessing", "RobertaProcessing"),
    *("Isolated", "Removed", "MergedWithPrevious", "always", "never", "first", _SPACE, "##"),
    *({"Regex": "a*a*b"}, {"Regex": "(a+)+"}, {"Regex": ""}, {"Regex": "^"}, {"Regex": "\\b"}),
    *({"String": ""}, {"String": "a"}, {"Regex": "(?<=a)b|$"}, {"Regex": "["}, {"String": _SPACE}),
    *({"type": "Precompiled", "precompiled_charsmap": "AAAA"}, {"type": "Nmt"}, {"type": "Fuse"}),
    *({"type": "Replace", "pattern": {"String": "a"}, "content": "b" * 60}, {"type": "ByteLevel"}),
    *({"type": "Prepend", "prepend": "x"}, {"type": "FixedLength", "length": 0}, {"type": "CTC"}),
    {"type": "Strip", "content": " ", "start": 1 << 40, "stop": 1 << 62},
    {"type": "Strip", "content": " ", "start": 1, "stop": 1},
    {"type": "Split", "pattern": {"Regex": ""}, "behavior": "Isolated", "invert": True},
)


def pipelines() -> list[bytes]:
    """Each as its file's text."""
    return [tokenizer.to_str().encode() for tokenizer in _all()]


def _all() -> Iterator[Tokenizer]:
    special = ["<pad>", "</s>", "<unk>"]
    names = [*special, _SPACE, *_LETTERS, *(_SPACE + letter for letter in _LETTERS)]
    unigram = Tokenizer(models.Unigram([(name, -n / 10) for n, name in enumerate(names)], 2, False))
    unigram.pre_tokenizer = pre_tokenizers.Metaspace(_SPACE, "always")
    unigram.decoder = decoders.Metaspace(_SPACE, "always")
    unigram.add_special_tokens(special)
    yield unigram

    letters = ["<s>", "<unk>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    level = Tokenizer(models.BPE({name: n for n, name in enumerate(letters)}, []))
    level.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    level.decoder = decoders.ByteLevel()
    level.post_processor = processors.RobertaProcessing(("<s>", 0), ("<s>", 0))
    level.add_special_tokens(["<s>", "<unk>"])
    yield level

    for bpe, byte_fallback in ((False, False), (True, False), (False, True)):
        yield _of_pieces(bpe, byte_fallback)

    vocabulary = {"[UNK]": 0, "a": 1, "##b": 2, "[CLS]": 3, "[SEP]": 4, "ab": 5}
    bert = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    bert.normalizer = normalizers.BertNormalizer()
    bert.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    bert.decoder = decoders.WordPiece()
    bert.post_processor = processors.BertProcessing(("[SEP]", 4), ("[CLS]", 3))
    yield bert

    yield _everything()


def _of_pieces(bpe: bool, byte_fallback: bool) -> Tokenizer:
    """As transformers makes one of a SentencePiece model."""
    names = ["<unk>", *(f"<0x{n:02X}>" for n in range(256)), _SPACE, *_LETTERS, "th", "the"]
    numbers = {name: n for n, name in enumerate(names)}
    model = models.Unigram([(name, -n / 10) for name, n in numbers.items()], 0, byte_fallback)
    if bpe:
        model = models.BPE(
            numbers, [("t", "h"), ("th", "e")], unk_token="<unk>", fuse_unk=True,
            byte_fallback=byte_fallback,
        )  # fmt: skip
    tokenizer = Tokenizer(model)
    steps = [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    charsmap = normalizers.Precompiled(charsmap_of(trained_pieces()))
    tokenizer.normalizer = normalizers.Sequence([charsmap, *steps])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(_SPACE, "always", split=False)
    after = [decoders.ByteFallback()] if byte_fallback else []
    tokenizer.decoder = decoders.Sequence([*after, decoders.Metaspace(_SPACE, "always")])
    tokenizer.add_special_tokens(["<extra>"])
    return tokenizer


def _everything() -> Tokenizer:
    merges = [("a", "b"), ("ab", "</w>")]
    numbers = {"a": 0, "b": 1, "ab": 2, "<unk>": 3, "</w>": 4, "ab</w>": 5}
    pipe = Tokenizer(
        models.BPE(numbers, merges, unk_token="<unk>", end_of_word_suffix="</w>", dropout=0.1)
    )
    pipe.normalizer = normalizers.Sequence(
        [
            *(normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " "), normalizers.Nmt()),
            *(normalizers.Prepend("_"), normalizers.StripAccents(), normalizers.Strip()),
        ]
    )
    pipe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            *(pre_tokenizers.Split(Regex(r"\d+"), "isolated"), pre_tokenizers.Digits(True)),
            *(pre_tokenizers.Punctuation(), pre_tokenizers.UnicodeScripts()),
            *(pre_tokenizers.WhitespaceSplit(), pre_tokenizers.CharDelimiterSplit("-")),
        ]
    )
    pipe.decoder = decoders.Sequence(
        [
            *(decoders.CTC(), decoders.Strip(" ", 1, 0), decoders.Replace("a", "b")),
            *(decoders.BPEDecoder(), decoders.Fuse(), decoders.Metaspace()),
        ]
    )
    pipe.post_processor = processors.TemplateProcessing(
        "<unk> $A <unk>", "<unk> $A </w> $B:1", [("<unk>", 3), ("</w>", 4)]
    )
    pipe.enable_padding()
    pipe.enable_truncation(10)
    return pipe
