"""Texts and frames that a model to be trained has no positions for: training would refuse them."""

from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from transduce.config import Config
from transduce.config.data import TokenizerConfig
from transduce.tokenization.tags import find_tags, without_tags

__all__ = ["UNLIMITED", "BeyondPositions", "Positions", "sides_beyond"]

_Side = Literal["source", "target"]


@dataclass(frozen=True)
class Positions:
    """The most tokens, END counted, or frames that a model takes; None: any number."""

    source: int | None = None
    target: int | None = None


UNLIMITED = Positions()


@dataclass
class BeyondPositions:
    """One side of one split. Tokens of trained vocabularies are not known yet: at least words."""

    side: _Side
    most: int | None
    shortened: int | None  # longer ones are left out of train, or cut to be predicted
    tokenizer: TokenizerConfig | None  # none: frames
    found: array[int] = field(default_factory=lambda: array("q"))

    @property
    def name(self) -> str:
        """Of the finding."""
        return f"{self.side}s longer than the model's positions"

    def add(self, texts: Sequence[str], lengths: Sequence[int], start: int) -> None:
        """Take in texts, the first of them number ``start``; lengths are those of frames."""
        if self.most is None:
            return
        for number, (text, length) in enumerate(zip(texts, lengths, strict=True), start):
            count = length if self.tokenizer is None else _least(self.tokenizer, text) + 1
            if count > self.most and (self.shortened is None or count <= self.shortened):
                self.found.append(number)

    def warning(self, split: str) -> Iterator[str]:
        """What becomes of them."""
        if not self.found:
            return
        option = f"data.max_{self.side}_length={self.most}"
        scores = "scores" if self.side == "source" else "losses"
        fate = f"training refuses them, {option} leaves them out"
        if split != "train":
            fate = f"{scores} are without them"
        stack = "encoder" if self.side == "source" else "decoder"
        yield (
            f"has {len(self.found):,} {self.side}s that are longer than the {self.most:,} "
            f"positions of model.{stack} (max_positions): {fate}"
        )


def sides_beyond(
    recipe: Config | None, part: str, positions: Positions, split: str
) -> tuple[BeyondPositions, BeyondPositions]:
    """Sources and targets of a part's split, nothing counted yet."""
    config = Config() if recipe is None else recipe.for_part(part)
    data, train = config.data, split == "train"
    cut = data.max_source_length if train else config.search.max_source_length
    tokenizer = config.tokenizer.source if data.input.kind == "text" else None
    left_out = data.max_target_length if train else None
    return (
        BeyondPositions("source", positions.source, cut, tokenizer),
        BeyondPositions("target", positions.target, left_out, config.target_tokenizer),
    )


def _least(tokenizer: TokenizerConfig, text: str) -> int:
    """So many tokens a text has, or more."""
    tags = len(find_tags(text))
    text = without_tags(text) if tags else text
    if tokenizer.kind not in ("character", "byte"):
        return len(text.split()) + tags
    if tokenizer.normalization != "none":
        text = unicodedata.normalize(tokenizer.normalization.upper(), text)  # type: ignore[arg-type]
    return tags + len(text if tokenizer.kind == "character" else text.encode())
