"""Models of many languages: which codes there are, and which two a checkpoint begins with."""

from __future__ import annotations

import re
from dataclasses import replace

from transduce.errors import LanguageError
from transduce.pretrained.checkpoint.added_tokens import tokenizer_settings
from transduce.pretrained.checkpoint.generation import generation_settings
from transduce.pretrained.checkpoint.published_checkpoint import PublishedCheckpoint
from transduce.pretrained.checkpoint.published_vocabulary import (
    Vocabulary,
    fairseq_vocabulary,
    listed_vocabulary,
    read_pipeline,
)

__all__ = ["many_languages"]

# mBART's en_XX, NLLB's eng_Latn, M2M-100's __en__, whose code is en
_CODE = re.compile(r"__([a-z]{2,3})__|([a-z]{2}_[A-Z]{2})|([a-z]{3}_[A-Z][a-z]{3})")


def many_languages(checkpoint: PublishedCheckpoint) -> tuple[Vocabulary, str, str]:
    """The vocabulary with its languages, the source's and the target's. Raises LanguageError where
    one must be chosen (``source_language``, ``target_language``) and was not.
    """
    vocabulary = _vocabulary(checkpoint)
    settings = tokenizer_settings(checkpoint.folder)
    forced = generation_settings(checkpoint).get("forced_bos_token_id")
    by_number = {number: code for code, number in vocabulary.languages.items()}
    source = checkpoint.source_language or settings.get("src_lang")
    target = checkpoint.target_language or settings.get("tgt_lang")
    if target is None and isinstance(forced, int):
        target = by_number.get(forced)
    if target is None:  # mBART-25 begins with it
        target = by_number.get(checkpoint.number("decoder_start_token_id", -1))
    return (
        vocabulary,
        _known(vocabulary, "source_language", source),
        _known(vocabulary, "target_language", target),
    )


def _vocabulary(checkpoint: PublishedCheckpoint) -> Vocabulary:
    if (vocabulary := read_pipeline(checkpoint.folder)) is None:
        if (checkpoint.folder / "vocab.json").is_file():
            return _with_languages(listed_vocabulary(checkpoint))
        vocabulary = fairseq_vocabulary(checkpoint)
    return _with_languages(vocabulary)


def _with_languages(vocabulary: Vocabulary) -> Vocabulary:
    names: dict[str, int] = dict(vocabulary.entries or {})
    if vocabulary.entries is None:
        added = vocabulary.pipeline.get_added_tokens_decoder()
        names = {token.content: number for number, token in added.items()}
    codes = ((_code(name), number) for name, number in names.items())
    return replace(vocabulary, languages={code: number for code, number in codes if code})


def _code(name: str) -> str:
    """``en`` of ``__en__``, other codes themselves; nothing of what is no code."""
    found = _CODE.fullmatch(name)
    return next(filter(None, found.groups()), "") if found else ""


def _known(vocabulary: Vocabulary, option: str, language: object) -> str:
    if isinstance(language, str) and language in vocabulary.languages:
        return language
    some = sorted(vocabulary.languages)
    shown = ", ".join(some[:8]) + (f", … ({len(some)} in all)" if len(some) > 8 else "")
    said = f"{option} must be one of {shown}; got {language or 'none'}"
    raise LanguageError(said, tuple(some))
