"""The tokenizers of a model directory: one file a side, and one for each part that has its own."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from transduce.config import Config
from transduce.files import Change, place
from transduce.reading.frames import FrameReader, frame_reader
from transduce.tokenization.joint import JointTokenizer
from transduce.tokenization.tokenizer import Tokenizer

__all__ = ["Side", "SideTokenizer", "load_side", "load_source", "tokenizer_files", "write_side"]

Side = Literal["source", "target"]
SideTokenizer = Tokenizer | JointTokenizer


def tokenizer_files(config: Config, side: Side) -> dict[str, str]:
    """The files of one side by the name of their part; "" is the recipe's own tokenizer.

    None for sources that are not text.
    """
    if side == "source" and config.data.input.kind != "text":
        return {}
    return {
        name: f"{side}.{name}.tokenizer.json" if name else f"{side}.tokenizer.json"
        for name in config.tokenizer_names(side)
    }


def load_side(folder: Path, config: Config, side: Side) -> SideTokenizer:
    """Read what ``write_side`` wrote. Raises ModelError."""
    files = tokenizer_files(config, side)
    if list(files) == [""]:
        return Tokenizer.load(place(folder, files[""]))
    members = {name: Tokenizer.load(place(folder, file)) for name, file in files.items()}
    return JointTokenizer(members)


def load_source(folder: Path, config: Config) -> SideTokenizer | FrameReader:
    """What reads sources: tokenizers, or what the config alone describes. Raises ModelError."""
    return frame_reader(config.data) or load_side(folder, config, "source")


def write_side(change: Change, config: Config, side: Side, tokenizer: SideTokenizer) -> None:
    """Write the tokenizers of one side. Raises OSError."""
    members = tokenizer.members if isinstance(tokenizer, JointTokenizer) else {"": tokenizer}
    for name, file in tokenizer_files(config, side).items():
        change.write_text(file, members[name].to_json())
