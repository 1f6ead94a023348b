"""The tokenizers of a model directory: one file a side, and one for each part that has its own."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from transduce.config import Config
from transduce.data.joint import JointTokenizer
from transduce.data.tokenizer import Tokenizer

__all__ = ["Side", "SideTokenizer", "load_side", "save_side", "tokenizer_files"]

Side = Literal["source", "target"]
SideTokenizer = Tokenizer | JointTokenizer


def tokenizer_files(config: Config, side: Side) -> dict[str, str]:
    """The files of one side by the name of their part; "" is the recipe's own tokenizer."""
    return {
        name: f"{side}.{name}.tokenizer.json" if name else f"{side}.tokenizer.json"
        for name in config.tokenizer_names(side)
    }


def load_side(folder: Path, config: Config, side: Side) -> SideTokenizer:
    """Read what ``save_side`` wrote. Raises ModelError."""
    files = tokenizer_files(config, side)
    if list(files) == [""]:
        return Tokenizer.load(folder / files[""])
    return JointTokenizer({name: Tokenizer.load(folder / file) for name, file in files.items()})


def save_side(folder: Path, config: Config, side: Side, tokenizer: SideTokenizer) -> None:
    """Write the tokenizers of one side, each file in one step."""
    members = tokenizer.members if isinstance(tokenizer, JointTokenizer) else {"": tokenizer}
    for name, file in tokenizer_files(config, side).items():
        members[name].save(folder / file)
