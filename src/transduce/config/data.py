"""The data and tokenizer sections of the config: where pairs are, how texts become symbols."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from transduce.config.audio import AudioConfig
from transduce.config.base import (
    Bounds,
    FilePath,
    Length,
    Name,
    NonEmpty,
    PositiveInt,
    Section,
    Symbols,
    Text,
)
from transduce.config.image import ImageConfig

__all__ = [
    "Columns",
    "DataConfig",
    "Files",
    "InputConfig",
    "ParallelFiles",
    "PartConfig",
    "SideConfig",
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
_PARTS = "parts by name, {NAME: {train: FILES}}"
_SEPARATOR = "a text or a list of texts"
_COLUMNS = f"{_COLUMN}, {{tags: COLUMN, separator: TEXT}} or a list of these"


class ParallelFiles(Section):
    """Two plain files, line n of one belonging to line n of the other."""

    source: FilePath
    target: FilePath


Column = Annotated[int, Bounds(ge=0, lt=10_000)] | Name


class TagColumn(Section):
    """A source column of tags (features, a language): each tag becomes one symbol.

    ``separator`` splits the column (``N;GEN;PL``), several split it at each of them
    (``V;ARGAC3S+ARGNO1P`` at ``[";", "+"]``); none means one tag a row.
    """

    tags: Column = Field(description=_COLUMN)
    separator: Name | NonEmpty[Name] | None = Field(default=None, description=_SEPARATOR)


Files = FilePath | ParallelFiles | NonEmpty[FilePath | ParallelFiles]
SourceColumn = Column | TagColumn
Columns = SourceColumn | NonEmpty[SourceColumn]


class SideConfig(Section):
    """What is known of the texts of one side. It says who a model is for, and changes no output.

    ``language`` is a code as in BCP 47 (``de``, ``pt-BR``) or as models of many write it
    (``deu_Latn``).
    """

    language: Annotated[str, Field(max_length=50)] | None = None

    @field_validator("language", mode="before")
    @classmethod
    def _norwegian(cls, language: object) -> object:
        return "no" if language is False else language  # what YAML makes of ``no``

    @field_validator("language")
    @classmethod
    def _code(cls, language: str | None) -> str | None:
        if language is not None and not re.fullmatch(
            r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*", language
        ):
            raise ValueError(f"language must be a code such as de or pt-BR; got {language!r}")
        return language


class TextConfig(Section):
    """Sources are texts; the source's tokenizer reads them."""

    kind: Literal["text"] = "text"


InputConfig = Annotated[TextConfig | AudioConfig | ImageConfig, Field(discriminator="kind")]


# imported: a published checkpoint's own, never trained
TokenizerKind = Literal["character", "whitespace", "word", "bpe", "unigram", "byte", "imported"]


class TokenizerConfig(Section):
    """How one side's text becomes symbols."""

    kind: TokenizerKind = "character"
    vocabulary_size: Symbols | None = None  # bpe, unigram: 8,000; others: all that occur
    minimum_count: PositiveInt = 1  # character, whitespace, word
    normalization: Literal["none", "nfc", "nfd", "nfkc"] = "none"  # nfd: Hangul as its letters
    lowercase: bool = False
    right_to_left: bool = False  # the last symbol first: for targets whose endings carry the case


class TokenizersConfig(Section):
    """The tokenizers of both sides. Shared: one, trained on both sides, from ``source``."""

    source: TokenizerConfig = TokenizerConfig()
    target: TokenizerConfig = TokenizerConfig()
    shared: bool = False


class PartTokenizersConfig(Section):
    """Tokenizers of one part alone; a side without one has that of the section ``tokenizer``."""

    source: TokenizerConfig | None = None
    target: TokenizerConfig | None = None


DataFormat = Literal["auto", "tsv", "csv", "jsonl", "parquet", "xlsx", "lines", "datasets"]
Delimiter = Annotated[str, Field(min_length=1, max_length=1)]


class PartConfig(Section):
    """One data set of a mixture. What it leaves out is read as the section ``data`` says.

    ``train`` is none where its pairs were in memory.
    """

    train: Files | None = Field(default=None, description=_FILES)
    dev: Files | None = Field(default=None, description=_FILES)
    test: Files | None = Field(default=None, description=_FILES)
    format: DataFormat | None = None
    header: bool | None = None
    delimiter: Delimiter | None = None
    source: Columns | None = Field(default=None, description=_COLUMNS)
    target: Column | None = Field(default=None, description=_COLUMN)
    tag: Name | None = None  # none: the part's name
    tokenizer: PartTokenizersConfig = PartTokenizersConfig()
    # Times what temperature makes of its size.
    weight: Annotated[float, Bounds(gt=0, le=1e6)] = 1.0

    @field_validator("tag")
    @classmethod
    def _plain(cls, tag: str | None) -> str | None:
        if tag is not None and not re.fullmatch("[^\u27ea\u27eb]+", tag):
            raise ValueError(f"tag must be some text without \u27ea and \u27eb; got {tag!r}")
        return tag


class DataConfig(Section):
    """Where the pairs are and how they are read.

    ``parts`` by name are a mixture of data sets, in place of ``train``, ``dev`` and ``test``: an
    epoch holds as many pairs as all parts together, of part i a share in proportion to
    ``weight_i * n_i ** (1 / temperature)`` where it has n_i pairs.
    """

    train: Files | None = Field(default=None, description=_FILES)
    dev: Files | None = Field(default=None, description=_FILES)
    test: Files | None = Field(default=None, description=_FILES)
    input: InputConfig = TextConfig()  # what a source is: text, or the path of a file
    # What a second column of the source is, which is read side by side with the first.
    beside: InputConfig | None = None
    folder: FilePath | None = None  # relative paths are taken from here; none: the current folder
    parts: Annotated[dict[Name, PartConfig], Field(min_length=1, max_length=1000)] | None = Field(
        default=None, description=_PARTS
    )
    # Of parts; higher: small ones come more often.
    temperature: Annotated[float, Bounds(ge=1, le=1000)] = 1.0
    tags: Literal["source", "target", "both", "none"] = "source"  # where a part's tag stands
    format: DataFormat = "auto"
    header: bool = False  # TSV and CSV: the first line names the columns
    delimiter: Delimiter | None = None  # CSV: what stands between columns; none: a comma
    source: Columns = Field(default=0, description=_COLUMNS)
    target: Column = Field(default=1, description=_COLUMN)
    # Shares of train's sources, which training does not see, where dev or test is none.
    dev_fraction: Annotated[float, Bounds(ge=0, le=0.5)] = 0.05
    test_fraction: Annotated[float, Bounds(ge=0, le=0.5)] = 0.0
    source_prefix: Text = ""  # put before every source: T5's "translate English to French: "
    on_error: Literal["stop", "skip"] = "stop"
    max_source_length: Length | None = None  # tokens or frames; longer pairs are left out
    max_target_length: Length | None = None
    max_length_ratio: Annotated[float, Bounds(gt=1, le=1000)] | None = None
    too_long: Literal["skip", "truncate"] = "skip"

    @model_validator(mode="before")
    @classmethod
    def _own_columns(cls, values: Any) -> Any:
        """Of two inputs: the first two columns are the source's, unless others are named."""
        if isinstance(values, dict) and values.get("beside") is not None:
            return {"source": [0, 1], "target": 2, **values}
        return values

    @property
    def inputs(self) -> tuple[InputConfig, ...]:
        """What each column of the source is: one, or two side by side."""
        return (self.input,) if self.beside is None else (self.input, self.beside)

    @property
    def picture_channels(self) -> tuple[int, ...]:
        """Numbers of a pixel, of each input."""
        return tuple(one.channels if isinstance(one, ImageConfig) else 1 for one in self.inputs)

    @property
    def reads_text(self) -> bool:
        """Whether some column of the source is text, which a tokenizer reads."""
        return any(one.kind == "text" for one in self.inputs)

    @model_validator(mode="after")
    def _agree(self) -> DataConfig:
        if self.dev_fraction + self.test_fraction >= 1:
            raise ValueError(
                "dev_fraction and test_fraction must leave something to train on; got "
                f"{self.dev_fraction:g} and {self.test_fraction:g}"
            )
        if self.delimiter in ('"', "\n", "\r"):
            raise ValueError(
                f"delimiter must be no quote and no end of a line; got {self.delimiter!r}"
            )
        if self.parts is None:
            return self
        for key in ("train", "dev", "test"):
            if getattr(self, key) is not None:
                raise ValueError(f"{key} must be given in each of data.parts; got it beside them")
        if self.input.kind != "text" and self.tags in ("source", "both"):
            raise ValueError(
                f"tags must be target or none where sources are of kind {self.input.kind}, as a "
                f"tag is text; got {self.tags}"
            )
        for name in self.parts:
            if not _PART_NAME.fullmatch(name):
                raise ValueError(
                    "names of parts must be letters, digits, - and _, as they stand in options "
                    f"and reports; got {name!r}"
                )
        return self


_PART_NAME = re.compile(r"[\w-]+")
