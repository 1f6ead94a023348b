"""Tokens that a checkpoint lists beside its tokenizer, each found in texts as it is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizers import AddedToken

from transduce.errors import ModelError
from transduce.pretrained.checkpoint.published_checkpoint import read_json
from transduce.untrusted.tokenizer_json import MOST_SYMBOLS

__all__ = ["added_tokens", "listed_tokens", "tokenizer_settings"]

_LIST, _SETTINGS, _MAP = "added_tokens.json", "tokenizer_config.json", "special_tokens_map.json"
_DECODER = "added_tokens_decoder"
_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")
_MOST = 1 << 17
_LONGEST = 512  # characters of a token


def tokenizer_settings(folder: Path) -> dict[str, Any]:
    """tokenizer_config.json and special_tokens_map.json together; empty where neither is there."""
    settings: dict[str, Any] = {}
    for name in (_MAP, _SETTINGS):
        if (folder / name).is_file():
            settings |= read_json(folder / name)
    return settings


def listed_tokens(folder: Path) -> list[str]:
    """The contents of additional_special_tokens. Raises ModelError where one is no text."""
    settings = tokenizer_settings(folder)
    found = settings.get("additional_special_tokens") or settings.get("extra_special_tokens")
    tokens = found if isinstance(found, list) else []
    names = [token.get("content") if isinstance(token, dict) else token for token in tokens]
    texts = [name for name in names if isinstance(name, str) and 0 < len(name) <= _LONGEST]
    if len(texts) < len(names):
        raise ModelError(
            f"{folder}: additional_special_tokens must be texts of 1 to {_LONGEST} characters"
        )
    return texts


def added_tokens(folder: Path) -> dict[int, AddedToken]:
    """By number: what added_tokens.json and tokenizer_config.json list, the latter with how each
    is found. Raises ModelError where a number is none of a symbol.
    """
    settings, special = tokenizer_settings(folder), set(listed_tokens(folder))
    added: dict[int, AddedToken] = {}
    if (folder / _LIST).is_file():
        for content, number in read_json(folder / _LIST).items():
            _require(folder / _LIST, content, number)
            added[number] = AddedToken(content, normalized=False, special=content in special)
    for number, content, flags in _decoder(folder / _SETTINGS, settings.get(_DECODER)):
        added[number] = AddedToken(content, **flags)
    if len(added) > _MOST:
        raise ModelError(f"{folder}: added tokens must be {_MOST:,} at most; got {len(added):,}")
    return dict(sorted(added.items()))


def _decoder(path: Path, given: object) -> Iterator[tuple[int, str, dict[str, bool]]]:
    if given is None:
        return
    if not isinstance(given, dict):
        raise ModelError(f"{path}: {_DECODER} must be tokens by number")
    for key, token in given.items():
        if not isinstance(token, dict):
            raise ModelError(f"{path}: {_DECODER} must be tokens by number; got {token!r:.40}")
        number = int(key) if key.isascii() and key.isdecimal() and len(key) < 10 else key
        content = token.get("content")
        _require(path, content, number)
        yield int(number), str(content), {flag: token.get(flag) is True for flag in _FLAGS}


def _require(path: Path, content: object, number: object) -> None:
    if type(number) is not int or not 0 <= number < MOST_SYMBOLS:
        raise ModelError(
            f"{path}: added tokens must be numbered 0 to {MOST_SYMBOLS - 1}; got {number!r:.40}"
        )
    if not isinstance(content, str) or not 0 < len(content) <= _LONGEST:
        raise ModelError(f"{path}: added tokens must have 1 to {_LONGEST} characters")
