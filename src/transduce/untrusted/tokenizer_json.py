"""tokenizer.json of Hugging Face ``tokenizers``: looked through before the library reads it.

The library believes its file: a number, a pattern or a map of characters in it can end the process
or keep it busy for ever. What it raises where something is wrong is of many kinds, among them
panics, which are no ``Exception``; :func:`library` makes one error of them.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tokenizers import Tokenizer

from transduce.errors import ModelError, TransduceError
from transduce.untrusted.charsmap import require_whole
from transduce.untrusted.json import parse_json
from transduce.untrusted.patterns import needs_something, require_bearable

__all__ = ["MOST_SYMBOLS", "library", "read_pipeline"]

MOST_SYMBOLS = 1 << 22  # of a vocabulary; the largest published ones have a fourth
_PANIC = "PanicException"  # of the bridge between Python and Rust, which has no name to import
_CHARSMAP = "precompiled_charsmap"
_LONGEST = 4096  # characters of a symbol, or of what a step puts into a text
_MOST_GAPS = 1 << 16  # numbers that no symbol has
_MOST_ADDED = 1 << 17
_MOST_ADDED_CHARACTERS = 1 << 22
_MOST_STEPS = 256
_MOST_GROWTH = 64  # times that normalizers may lengthen a text
_COUNTED = ("BPE", "WordLevel", "WordPiece")


@contextmanager
def library(what: str) -> Iterator[None]:
    """Make whatever the library raises inside the block a ModelError that says ``what`` must be."""
    try:
        yield
    except (TransduceError, MemoryError):
        raise
    except BaseException as error:  # nothing more exact is raised
        if not isinstance(error, Exception) and type(error).__name__ != _PANIC:
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{what}; {reason}") from None


def read_pipeline(text: str, name: object) -> tuple[Tokenizer, dict[str, Any]]:
    """The library's tokenizer of a file's text, and the text's JSON.

    Truncation and padding that the file asks for are left out. Raises ModelError, which names the
    file by ``name``.
    """
    must = f"{name}: tokenizer must be whole and valid"
    try:
        state = parse_json(text)
        if not isinstance(state, dict):
            raise ValueError("it must be a JSON object")
        _require_symbols(state)
        for stage in ("normalizer", "pre_tokenizer", "decoder", "post_processor"):
            _require_steps(state.get(stage), stage)
    except ValueError as error:
        raise ModelError(f"{must}; {error}") from None
    cut = state.get("truncation") is not None or state.get("padding") is not None
    if cut or _CHARSMAP in text:  # which must not be written with escapes
        state |= {"truncation": None, "padding": None}
        text = json.dumps(state, ensure_ascii=False)
    with library(must):
        return Tokenizer.from_str(text), state


def _require_symbols(state: Mapping[str, Any]) -> None:
    """Raise ValueError where the vocabulary's numbers are none, or twice, or far beyond it."""
    model, added = state.get("model"), state.get("added_tokens", [])
    if not isinstance(model, dict) or not isinstance(added, list):
        raise ValueError("it must have a model and a list of added_tokens")
    vocabulary = model.get("vocab")
    if isinstance(vocabulary, dict):
        numbers, names = list(vocabulary.values()), list(vocabulary)
    elif isinstance(vocabulary, list):
        if not all(isinstance(p, list) and len(p) == 2 and _scored(*p) for p in vocabulary):
            raise ValueError("its vocabulary must be pieces with their scores")
        numbers, names = list(range(len(vocabulary))), [name for name, _ in vocabulary]
        unknown = model.get("unk_id")
        if unknown is not None and (type(unknown) is not int or not 0 <= unknown < len(names)):
            raise ValueError(f"unk_id must be 0 to {len(names) - 1}; got {unknown}")
    else:
        raise ValueError("it must have a vocabulary")
    given = [token.get("content") for token in added if isinstance(token, dict)]
    own = [content for content in given if isinstance(content, str) and content]
    if len(own) < len(added):
        raise ValueError("added_tokens must have a content each")
    if len(own) > _MOST_ADDED or sum(map(len, own)) > _MOST_ADDED_CHARACTERS:
        raise ValueError(f"added_tokens must be {_MOST_ADDED:,} at most; got {len(own):,}")
    if any(len(name) > _LONGEST for name in (*names, *own)):
        raise ValueError(f"symbols must have {_LONGEST} characters at most")
    if len(set(own)) < len(own):
        raise ValueError("added_tokens must be different")
    _require_merges(model)
    most = min(MOST_SYMBOLS, 2 * (len(numbers) + len(added)) + _MOST_GAPS)
    _require_numbers(numbers, most, "symbols")
    _require_numbers([token.get("id") for token in added], most, "added_tokens")


def _require_merges(model: Mapping[str, Any]) -> None:
    """The library takes the prefix of inner pieces off whatever a merge has on its right, and what
    a merge makes for no longer than the longest symbol.
    """
    prefix, merges = model.get("continuing_subword_prefix") or "", model.get("merges")
    known = model.get("vocab")
    if not isinstance(prefix, str) or not isinstance(merges, list) or not isinstance(known, dict):
        return
    for merge in merges:
        pair = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(pair, list) or [type(piece) for piece in pair] != [str, str]:
            raise ValueError("merges must be of two symbols each")
        if not pair[1].startswith(prefix):
            raise ValueError("merges must have the prefix of inner pieces on their right")
        if pair[0] + pair[1][len(prefix) :] not in known:
            raise ValueError("merges must make symbols of the vocabulary")


def _scored(name: object, score: object) -> bool:
    return isinstance(name, str) and type(score) in (int, float)


def _require_numbers(numbers: list[object], most: int, what: str) -> None:
    for number in numbers:
        if type(number) is not int or not 0 <= number < most:
            raise ValueError(f"{what} must be numbered 0 to {most - 1}; got {number!r:.40}")
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"{what} must have numbers of their own")


def _require_steps(value: object, stage: str) -> None:
    """Raise ValueError where a step asks for too much: patterns, maps, texts that grow."""
    growth, steps = 1.0, 0
    waiting = [value]
    while waiting:
        found = waiting.pop()
        steps += 1
        if isinstance(found, list):
            waiting += found
            continue
        if not isinstance(found, dict):
            continue
        waiting += [inner for inner in found.values() if isinstance(inner, dict | list)]
        if any(
            isinstance(t, str) and len(t) > _LONGEST for k, t in found.items() if k != _CHARSMAP
        ):
            raise ValueError(f"{stage} must have texts of {_LONGEST} characters at most")
        if isinstance(pattern := found.get("Regex"), str):
            require_bearable(pattern)
        if _CHARSMAP in found or found.get("type") == "Precompiled":
            _require_map(found.get(_CHARSMAP))
        if found.get("type") == "FixedLength" and not found.get("length"):
            raise ValueError(f"{stage} must cut texts into pieces of one character at least")
        if stage == "decoder" and found.get("stop") and "start" in found:
            # A token that is nothing else, or nothing, ends the library in a panic.
            raise ValueError("decoder must strip no characters from a token's end")
        growth *= _growth(found)
        if growth > _MOST_GROWTH:
            raise ValueError(f"{stage} must make texts {_MOST_GROWTH} times as long at most")
    if steps > _MOST_STEPS and stage != "post_processor":
        raise ValueError(f"{stage} must have {_MOST_STEPS} steps at most")


def _require_map(charsmap: object) -> None:
    if not isinstance(charsmap, str) or not charsmap:
        raise ValueError(f"a step of type Precompiled must have a {_CHARSMAP}")
    try:
        require_whole(base64.b64decode(charsmap, validate=True))
    except binascii.Error:
        raise ValueError(f"{_CHARSMAP} must be base64") from None


def _growth(step: Mapping[str, Any]) -> float:
    """How many times as long a replacement makes a text at most."""
    content, pattern = step.get("content"), step.get("pattern")
    if not isinstance(content, str) or not isinstance(pattern, dict):
        return 1.0
    replaced, matched = pattern.get("String"), pattern.get("Regex")
    if replaced == "" or (isinstance(matched, str) and not needs_something(matched)):
        raise ValueError("what is replaced must be none of the end of a text")
    shortest = len(replaced.encode()) if isinstance(replaced, str) else 1
    return max(1.0, len(content.encode()) / max(1, shortest))
