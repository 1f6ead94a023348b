"""The parts of a mixture: how each is read, and the tags by which a model tells them apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from transduce.config import Config, DataConfig, Files, ParallelFiles, PartConfig
from transduce.errors import ConfigError, did_you_mean
from transduce.reading.pair_files import Pair
from transduce.reading.problems import Problems
from transduce.tokenization.tags import TAG_OPEN, find_tags, tag_symbol

__all__ = ["WHOLE", "Part", "find_part", "part_data", "part_tags", "parts_of", "refuse_tags"]


@dataclass(frozen=True, slots=True)
class Part:
    """One data set: one of a mixture or, with the name "", all there is.

    ``data`` says how its files are read, their paths as they are to be opened. The tags are
    symbols (``⟪ice⟫``), "" where none stands on that side; ``target_reversed`` where targets are
    read from right to left, so that what the decoder writes first is the text's end. Without
    ``targets`` sources alone are learnt from: whatever stands beside them is as if it were nothing.
    """

    name: str
    data: DataConfig
    source_tag: str = ""
    target_tag: str = ""
    weight: float = 1.0
    target_reversed: bool = False
    targets: bool = True

    def source(self, text: str) -> str:
        """A source with the part's tag, and ``data.source_prefix``, in front."""
        return self.source_tag + self.data.source_prefix + text

    def target(self, text: str) -> str:
        """A target with the part's tag where it becomes the decoder's first token."""
        if not self.targets:
            return ""
        return text + self.target_tag if self.target_reversed else self.target_tag + text

    def tagged(self, pairs: Iterator[Pair]) -> Iterator[Pair]:
        """Pairs as the model reads them."""
        if self.targets and not (self.source_tag or self.target_tag or self.data.source_prefix):
            return pairs
        return (
            Pair(self.source(pair.source), self.target(pair.target or ""), pair.file, pair.line)
            for pair in pairs
        )


WHOLE = Part("", DataConfig())  # of data that is no mixture, as it is by default


def parts_of(config: Config) -> dict[str, Part]:
    """All parts by name, in the recipe's order; one named "" where the data is no mixture."""
    read = part_data(config.data)
    if config.data.parts is None:
        return {"": Part("", read[""], targets=config.training.denoising != "frames")}
    on_source = config.data.tags in ("source", "both")
    on_target = config.data.tags in ("target", "both")
    parts = {}
    for name, part in config.data.parts.items():
        symbol = tag_symbol(part.tag or name)
        parts[name] = Part(
            name,
            read[name],
            symbol if on_source else "",
            symbol if on_target else "",
            part.weight,
            config.for_part(name).target_tokenizer.right_to_left,
        )
    return parts


def find_part(config: Config, name: str | None) -> Part:
    """The part that is asked for.

    None is all there is: the data that is no mixture, or a mixture's only part. In a mixture
    without tags it is one that is read and cut as the common sections say. Raises ConfigError,
    suggesting the nearest name.
    """
    parts = parts_of(config)
    mixed = config.data.parts is not None
    if name is None:
        if len(parts) == 1:
            return next(iter(parts.values()))
        common = "" in config.tokenizer_names("source") and "" in config.tokenizer_names("target")
        if config.data.tags == "none" and common:
            return Part("", part_data(config.data.model_copy(update={"parts": None}))[""])
        raise ConfigError(f"part must be one of {', '.join(parts)} (--part NAME); got none")
    if not mixed:
        raise ConfigError(f"part must be none for a model of a single data set; got {name!r}")
    if name not in parts:
        hint = did_you_mean(name, parts)
        raise ConfigError(f"part must be one of {', '.join(parts)}; got {name!r}{hint}")
    return parts[name]


def part_data(data: DataConfig) -> dict[str, DataConfig]:
    """How each part is read, by name: the section as if it had only this part's files."""
    if data.parts is None:
        return {"": data.model_copy(update=_located(data, data.folder))}
    return {name: _as_only_one(data, part) for name, part in data.parts.items()}


def part_tags(parts: Mapping[str, Part]) -> frozenset[str]:
    """The symbols of all parts' tags."""
    tags = {tag for part in parts.values() for tag in (part.source_tag, part.target_tag)}
    return frozenset(tags - {""})


def refuse_tags(pairs: Iterator[Pair], tags: frozenset[str], problems: Problems) -> Iterator[Pair]:
    """The same pairs; those that hold a part's tag in their own text go to ``problems``.

    A model could not tell such a symbol from the tag that is put in front.
    """
    return (pair for pair in pairs if not _holds_tag(pair, tags, problems)) if tags else pairs


def _holds_tag(pair: Pair, tags: frozenset[str], problems: Problems) -> bool:
    for side, text in (("source", pair.source), ("target", pair.target or "")):
        if TAG_OPEN not in text:
            continue
        found = next((tag for tag in find_tags(text) if tag in tags), None)
        if found is not None:
            message = (
                f"{side} must not hold the tag of a part (data.parts.NAME.tag can be another); "
                f"got {found}"
            )
            problems.add("tag of a part", message, pair.file, pair.line)
            return True
    return False


def _as_only_one(data: DataConfig, part: PartConfig) -> DataConfig:
    given = {
        key: value
        for key in ("format", "header", "delimiter", "source", "target")
        if (value := getattr(part, key)) is not None
    }
    return data.model_copy(update={"parts": None, **given, **_located(part, data.folder)})


def _located(files: DataConfig | PartConfig, folder: Path | None) -> dict[str, object]:
    """The files as they are to be opened, and no folder any more."""
    named = {"train": files.train, "dev": files.dev, "test": files.test}
    if folder is None:
        return {**named, "folder": None}
    placed = {key: _below(folder, value) for key, value in named.items()}
    return {**placed, "folder": None}


def _below(folder: Path, files: Files | None) -> Files | None:
    if files is None:
        return None
    if isinstance(files, list):
        return [_entry_below(folder, entry) for entry in files]
    return _entry_below(folder, files)


def _entry_below(folder: Path, entry: Path | ParallelFiles) -> Path | ParallelFiles:
    if isinstance(entry, Path):
        return folder / entry
    return ParallelFiles(source=folder / entry.source, target=folder / entry.target)
