"""What the data doctor found, as plain values and as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from transduce.checks.leakage import Leakage

__all__ = [
    "CheckReport",
    "FrameReport",
    "Lengths",
    "Share",
    "SideReport",
    "SplitReport",
    "VocabularyReport",
]

_BAR = 40  # characters of the longest bar of a histogram
_BINS = 12


@dataclass(frozen=True)
class Lengths:
    """How long the texts of one side are. ``counts`` says how many have each length."""

    counts: Mapping[int, int]

    @property
    def total(self) -> int:
        """Texts."""
        return sum(self.counts.values())

    @property
    def longest(self) -> int:
        """The greatest length."""
        return max(self.counts, default=0)

    @property
    def mean(self) -> float:
        """The mean length."""
        total = self.total
        return sum(length * count for length, count in self.counts.items()) / max(total, 1)

    def quantile(self, share: float) -> int:
        """The least length that ``share`` of the texts do not exceed."""
        seen, wanted = 0, share * self.total
        for length in sorted(self.counts):
            seen += self.counts[length]
            if seen >= wanted:
                return length
        return 0

    def histogram(self) -> list[str]:
        """Lines of text, one a bin; the last bin holds the longest hundredth."""
        if not self.counts:
            return []
        shortest, most = min(self.counts), max(self.quantile(0.99), min(self.counts))
        step = max(1, -(-(most - shortest + 1) // _BINS))
        bins: dict[int, int] = {}
        for length, count in self.counts.items():
            start = shortest + (min(length, most) - shortest) // step * step
            bins[start] = bins.get(start, 0) + count
        last, highest = max(bins), max(bins.values())
        lines = []
        for start in range(shortest, last + 1, step):
            count = bins.get(start, 0)
            end = self.longest if start == last else start + step - 1
            label = str(start) if start == end else f"{start}-{end}"
            bar = "█" * max(round(_BAR * count / highest), 1 if count else 0)
            lines.append(f"{label:>13} {bar} {count:,}".rstrip())
        return lines

    def to_dict(self) -> dict[str, float]:
        """The summary in numbers."""
        return {
            "mean": round(self.mean, 2),
            "median": self.quantile(0.5),
            "p99": self.quantile(0.99),
            "longest": self.longest,
        }


@dataclass(frozen=True)
class VocabularyReport:
    """Distinct symbols of one side. ``complete`` is false where rare ones had to be let go."""

    distinct: int
    once: int
    most_frequent: tuple[tuple[str, int], ...]
    complete: bool = True

    def render(self) -> str:
        """One line."""
        at_least = "" if self.complete else "at least "
        frequent = "  ".join(
            f"{_visible(symbol)} {count:,}" for symbol, count in self.most_frequent
        )
        return f"{at_least}{self.distinct:,} distinct, {self.once:,} only once; {frequent}".rstrip(
            "; "
        )


@dataclass(frozen=True)
class SideReport:
    """The sources or the targets of one split. A tag counts as one character and one word."""

    characters: Lengths
    words: Lengths
    character_vocabulary: VocabularyReport
    word_vocabulary: VocabularyReport
    tags: tuple[tuple[str, int], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "characters": self.characters.to_dict(),
            "words": self.words.to_dict(),
            "character_vocabulary": asdict(self.character_vocabulary),
            "word_vocabulary": asdict(self.word_vocabulary),
            "tags": dict(self.tags),
        }

    def render(self, name: str) -> list[str]:
        """Lines of text."""
        lines = [f"  {name}"]
        for label, lengths in (("characters", self.characters), ("words", self.words)):
            if label == "words" and lengths.longest <= 1:
                continue
            lines.append(
                f"    {label}: mean {lengths.mean:.1f}, median {lengths.quantile(0.5):,}, "
                f"99 % up to {lengths.quantile(0.99):,}, longest {lengths.longest:,}"
            )
            lines += [f"    {line}" for line in lengths.histogram()]
        lines.append(f"    character vocabulary: {self.character_vocabulary.render()}")
        lines.append(f"    word vocabulary: {self.word_vocabulary.render()}")
        if self.tags:
            shown = "  ".join(f"{tag} {count:,}" for tag, count in self.tags[:_BINS])
            lines.append(f"    tags: {len(self.tags):,} distinct; {shown}")
        return lines


@dataclass(frozen=True)
class FrameReport:
    """The sources of one split where they are recordings or pictures (no frames a second)."""

    frames: Lengths
    frames_a_second: float | None = None

    @property
    def hours(self) -> float:
        """Of all recordings."""
        frames = sum(length * count for length, count in self.frames.counts.items())
        return frames / (self.frames_a_second or 1.0) / 3600

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        values: dict[str, Any] = {"frames": self.frames.to_dict()}
        if self.frames_a_second is not None:
            values["hours"] = round(self.hours, 4)
        return values

    def render(self, name: str) -> list[str]:
        """Lines of text."""
        lengths = self.frames
        lines = [
            f"  {name}",
            f"    frames: mean {lengths.mean:.1f}, median {lengths.quantile(0.5):,}, "
            f"99 % up to {lengths.quantile(0.99):,}, longest {lengths.longest:,}",
        ]
        lines += [f"    {line}" for line in lengths.histogram()]
        if self.frames_a_second is not None:
            lines.append(f"    {self.hours:.2f} hours, {self.frames_a_second:g} frames a second")
        return lines


@dataclass(frozen=True)
class SplitReport:
    """One split of the data: train, dev or test.

    ``findings`` counts what is worth a look, by name; ``examples`` shows the
    first few of each. ``error`` says why a split could not be read at all.
    """

    pairs: int
    seconds: float
    source: SideReport | FrameReport
    target: SideReport
    usual_ratio: float
    findings: Mapping[str, int]
    examples: Mapping[str, tuple[str, ...]]
    problems: Mapping[str, Any]
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "pairs": self.pairs,
            "seconds": round(self.seconds, 3),
            "source": self.source.to_dict(),
            "target": self.target.to_dict(),
            "usual_ratio": round(self.usual_ratio, 3),
            "findings": dict(self.findings),
            "examples": {name: list(shown) for name, shown in self.examples.items()},
            "problems": dict(self.problems),
            "error": self.error,
        }

    def render(self, name: str) -> list[str]:
        """Lines of text."""
        rate = self.pairs / self.seconds if self.seconds else 0.0
        lines = [f"{name}: {self.pairs:,} pairs ({rate:,.0f} pairs/s)"]
        if self.error:
            lines.append(f"  cannot be used: {self.error}")
        if self.pairs:
            lines += self.source.render("source")
            lines += self.target.render("target")
        for finding, count in self.findings.items():
            lines.append(f"  {finding}: {count:,}")
            lines += [f"    {_shortened(example)}" for example in self.examples.get(finding, ())]
        skipped = self.problems["skipped"]
        lines.append(f"  bad lines: {skipped:,}")
        for reason, count in self.problems["reasons"].items():
            lines.append(f"    {reason}: {count:,}")
            lines += [f"      {_shortened(shown)}" for shown in self.problems["examples"][reason]]
        return lines


@dataclass(frozen=True)
class Share:
    """A part of a mixture: its pairs, its share of an epoch, how often an epoch has each pair."""

    pairs: int
    share: float
    times: float

    def __str__(self) -> str:
        return (
            f"{self.pairs:,} training pairs, {100 * self.share:.1f} % of an epoch, "
            f"each pair {self.times:.2f} times"
        )


@dataclass(frozen=True)
class CheckReport:
    """All that the data doctor found. ``warnings`` are what should be seen to before training.

    ``mixture`` has the parts of one by name and is empty where there is none.
    """

    splits: Mapping[str, SplitReport]
    leakage: Mapping[str, Leakage]
    warnings: tuple[str, ...] = field(default=())
    mixture: Mapping[str, Share] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "parts": {name: split.to_dict() for name, split in self.splits.items()},
            "leakage": {name: leakage.to_dict() for name, leakage in self.leakage.items()},
            "warnings": list(self.warnings),
            **(
                {"mixture": {n: asdict(s) for n, s in self.mixture.items()}} if self.mixture else {}
            ),
        }

    def render(self) -> str:
        """Text for a terminal, without colours."""
        lines: list[str] = []
        for name, split in self.splits.items():
            lines += [*split.render(name), ""]
        if self.mixture:
            lines += ["mixture:", *(f"  {name}: {share}" for name, share in self.mixture.items())]
            lines.append("")
        for name, leakage in self.leakage.items():
            lines.append(f"leakage into {name}: {leakage}")
        lines += [f"warning: {warning}" for warning in self.warnings]
        lines.append("" if self.warnings else "nothing to warn of")
        return "\n".join(lines).strip() + "\n"


def _visible(symbol: str) -> str:
    return "␣" if symbol == " " else symbol if symbol.isprintable() else ascii(symbol)[1:-1]


def _shortened(text: str, width: int = 120) -> str:
    shown = "".join(map(_visible_in_text, text))
    return shown if len(shown) <= width else f"{shown[: width - 1]}…"


def _visible_in_text(character: str) -> str:
    return character if character == " " or character.isprintable() else ascii(character)[1:-1]
