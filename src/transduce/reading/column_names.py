"""What columns are called in the first line of a table, or as keys of its records."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["SOURCES", "TARGETS", "is_header", "named_columns"]

# From the surest name on.
SOURCES = (
    *("source", "src", "input", "inputs", "source_text", "x", "question", "query", "prompt"),
    *("lemma", "word", "words", "grapheme", "graphemes", "orthography", "spelling", "written"),
    *("singular", "raw", "dirty", "before", "document", "article", "description", "sentence"),
    *("text", "en", "eng", "english", "path", "file", "filename", "file_name", "audio", "image"),
)
TARGETS = (
    *("target", "tgt", "output", "outputs", "target_text", "y", "answer", "response", "completion"),
    *("label", "form", "inflected", "plural", "pronunciation", "pron", "phoneme", "phonemes"),
    *("phones", "ipa", "transcription", "transcript", "normalized", "clean", "after", "summary"),
    *("title", "headline", "translation", "reference", "caption", "class", "category", "text"),
    *("de", "fr", "es", "it", "zh", "ja", "ru", "pt", "ko", "german", "french", "spanish"),
    *("italian", "chinese", "japanese", "russian", "portuguese", "korean", "en", "eng", "english"),
)
_OTHERS = ("features", "tags", "tag", "language", "lang", "id", "index", "score", "attribution")
_KNOWN = frozenset((*SOURCES, *TARGETS, *_OTHERS))


def is_header(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns of the rows that follow.

    It does where its fields differ from each other, two of them are names that columns have, and
    no other row is the same; or where a field has no digit in a column that is all numbers.
    """
    fields = [field.strip().casefold() for field in first]
    if len(set(fields)) < len(fields) or not all(fields) or list(first) in others:
        return False
    if sum(field in _KNOWN for field in fields) >= min(2, len(fields)):
        return True
    columns = list(zip(*others, strict=False))
    return bool(others) and any(
        not any(c.isdigit() for c in field) and all(_is_number(value) for value in column)
        for field, column in zip(fields, columns, strict=False)
    )


def named_columns(names: Sequence[str]) -> tuple[int, int] | None:
    """The numbers of the source's and the target's columns, where their names tell both."""
    folded = [name.strip().casefold() for name in names]
    source = next((folded.index(name) for name in SOURCES if name in folded), None)
    target = next(
        (folded.index(name) for name in TARGETS if name in folded and folded.index(name) != source),
        None,
    )
    if source is None or target is None:
        return None
    return source, target


def _is_number(text: str) -> bool:
    return text.strip().lstrip("+-").replace(".", "", 1).replace(",", "", 1).isdecimal()
