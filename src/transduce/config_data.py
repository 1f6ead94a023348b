"""The data and tokenizer sections of the config: where pairs are, how texts become symbols."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from transduce.config_audio import AudioConfig
from transduce.config_base import NonEmpty, PositiveInt, Section
from transduce.config_image import ImageConfig

__all__ = [
    "Columns",
    "DataConfig",
    "Files",
    "InputConfig",
    "ParallelFiles",
    "SourceColumn",
    "TagColumn",
    "TextConfig",
    "TokenizerConfig",
    "TokenizerKind",
    "TokenizersConfig",
]

# what errors say of a field whose type is a choice of shapes
_FILES = "a path, {source: PATH, target: PATH} or a list of these"
_COLUMN = "a column's number (from 0) or name"
_SEPARATOR = "a text or a list of texts"
_COLUMNS = f"{_COLUMN}, {{tags: COLUMN, separator: TEXT}} or a list of these"


class ParallelFiles(Section):
    """Two plain files, line n of one belonging to line n of the other."""

    source: Path
    target: Path


class TagColumn(Section):
    """A source column of tags (features, a language): each tag becomes one symbol.

    ``separator`` splits the column (``N;GEN;PL``), several split it at each of them
    (``V;ARGAC3S+ARGNO1P`` at ``[";", "+"]``); none means one tag a row.
    """

    tags: int | str = Field(description=_COLUMN)
    separator: str | NonEmpty[str] | None = Field(default=None, description=_SEPARATOR)


Files = Path | ParallelFiles | NonEmpty[Path | ParallelFiles]
SourceColumn = int | str | TagColumn
Columns = SourceColumn | NonEmpty[SourceColumn]


class TextConfig(Section):
    """Sources are texts; the source's tokenizer reads them."""

    kind: Literal["text"] = "text"


InputConfig = Annotated[TextConfig | AudioConfig | ImageConfig, Field(discriminator="kind")]


class DataConfig(Section):
    """Where the pairs are and how they are read."""

    train: Files | None = Field(default=None, description=_FILES)
    dev: Files | None = Field(default=None, description=_FILES)
    test: Files | None = Field(default=None, description=_FILES)
    input: InputConfig = TextConfig()  # what a source is: text, or the path of a file
    format: Literal["auto", "tsv", "csv", "jsonl", "parquet", "lines", "datasets"] = "auto"
    header: bool = False  # TSV and CSV: the first line names the columns
    source: Columns = Field(default=0, description=_COLUMNS)
    target: int | str = Field(default=1, description=_COLUMN)
    dev_fraction: Annotated[float, Field(ge=0, le=0.5)] = 0.05  # taken from train where dev is none
    on_error: Literal["stop", "skip"] = "stop"
    max_source_length: PositiveInt | None = None  # in tokens; longer training pairs are left out
    max_target_length: PositiveInt | None = None
    max_length_ratio: Annotated[float, Field(gt=1)] | None = None
    too_long: Literal["skip", "truncate"] = "skip"


TokenizerKind = Literal["character", "whitespace", "word", "bpe", "unigram", "byte"]


class TokenizerConfig(Section):
    """How one side's text becomes symbols."""

    kind: TokenizerKind = "character"
    vocabulary_size: PositiveInt | None = None  # bpe, unigram: 8,000; others: all that occur
    minimum_count: PositiveInt = 1  # character, whitespace, word
    normalization: Literal["none", "nfc", "nfd", "nfkc"] = "none"  # nfd: Hangul as its letters
    lowercase: bool = False
    right_to_left: bool = False  # the last symbol first: for targets whose endings carry the case


class TokenizersConfig(Section):
    """The tokenizers of both sides. Shared: one, trained on both sides, from ``source``."""

    source: TokenizerConfig = TokenizerConfig()
    target: TokenizerConfig = TokenizerConfig()
    shared: bool = False
