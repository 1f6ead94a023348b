"""The tokenizers of a model directory: one file a side, and one for each part that has its own.

Where both sides share one, there is the source's file alone. Models in fewer bits have them packed,
as ``source.tokenizer.json.gz``: beside few weights, a long list of symbols is much.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from transduce.config import Config
from transduce.errors import ModelError
from transduce.files import SUMS, Change, Sums, place
from transduce.reading.frames import FrameReader, beside_reader, frame_reader
from transduce.tokenization.joint import JointTokenizer
from transduce.tokenization.stored_pipeline import PACKED
from transduce.tokenization.tokenizer import Tokenizer
from transduce.untrusted.bounded import pack

__all__ = [
    "JoinedSide",
    "Side",
    "SideTokenizer",
    "SourceSide",
    "load_sides",
    "stored_tokenizers",
    "tokenizer_files",
    "write_sides",
]

Side = Literal["source", "target"]
SideTokenizer = Tokenizer | JointTokenizer


@dataclass(frozen=True)
class JoinedSide:
    """What reads the two inputs of a source."""

    first: FrameReader
    second: SideTokenizer | FrameReader


SourceSide = SideTokenizer | FrameReader | JoinedSide

_TARGET = "target.tokenizer.json"


def tokenizer_files(config: Config, side: Side) -> dict[str, str]:
    """The files of one side by the name of their part; "" is the recipe's own tokenizer.

    None for sources that hold no text.
    """
    if side == "source" and not config.data.reads_text:
        return {}
    return {
        name: f"{side}.{name}.tokenizer.json" if name else f"{side}.tokenizer.json"
        for name in config.tokenizer_names(side)
    }


def stored_tokenizers(folder: Path, config: Config) -> list[str]:
    """The files of both sides that a directory has to have. Raises ModelError."""
    sides: list[Side] = ["source", "target"]
    if _is_one(folder, config):
        sides.remove("target")
    files = [file for side in sides for file in tokenizer_files(config, side).values()]
    return [_stored(folder, file) for file in files]


def _stored(folder: Path, file: str) -> str:
    """The name it has in a directory: that of the packed file, where there is one."""
    packed = file + PACKED
    return packed if place(folder, packed).exists() else file


def load_sides(folder: Path, config: Config) -> tuple[SourceSide, SideTokenizer]:
    """Read what ``write_sides`` wrote; what is shared is one object. Raises ModelError."""
    frames = frame_reader(config.data)
    if frames is not None:
        side: SourceSide = frames
        if config.data.beside is not None:
            second = beside_reader(config.data) or _load_side(folder, config, "source")
            side = JoinedSide(frames, second)
        return side, _load_side(folder, config, "target")
    source = _load_side(folder, config, "source")
    if _is_one(folder, config):
        return source, source
    return source, _load_side(folder, config, "target")


def _is_one(folder: Path, config: Config) -> bool:
    """Whether a directory has one file for both sides. In older ones it stands there twice."""
    if not config.tokenizer.shared or config.data.input.kind != "text":
        return False
    both = (_TARGET, _TARGET + PACKED)
    if any(place(folder, name).exists() for name in both):
        return False
    sums = place(folder, SUMS)
    try:
        known = (Sums.read(sums) or ()) if sums.exists() else ()
        return not any(name in known for name in both)
    except OSError as error:
        raise ModelError(f"{sums} must be readable; {error.strerror}") from None


def _load_side(folder: Path, config: Config, side: Side) -> SideTokenizer:
    files = tokenizer_files(config, side)
    members = {
        name: Tokenizer.load(place(folder, _stored(folder, file))) for name, file in files.items()
    }
    if list(members) == [""]:
        return members[""]
    return JointTokenizer(members)


def write_sides(
    change: Change, config: Config, source: SideTokenizer | None, target: SideTokenizer
) -> None:
    """Write the tokenizers, ``source`` none where sources hold no text. Raises OSError."""
    if source is not None:
        _write_side(change, config, "source", source)
    shared = source if config.tokenizer.shared else None
    if shared is not None and (shared is target or shared.to_json() == target.to_json()):
        change.remove(_TARGET)
        change.remove(_TARGET + PACKED)
    else:
        _write_side(change, config, "target", target)


def _write_side(change: Change, config: Config, side: Side, tokenizer: SideTokenizer) -> None:
    members = tokenizer.members if isinstance(tokenizer, JointTokenizer) else {"": tokenizer}
    for name, file in tokenizer_files(config, side).items():
        if config.weights == "float32":
            change.write_text(file, members[name].to_json())
            change.remove(file + PACKED)
        else:
            change.write_bytes(file + PACKED, pack(members[name].to_json().encode()))
            change.remove(file)
