"""What was found in the data, in sentences for a person."""

from __future__ import annotations

from collections.abc import Iterator

from transduce.automatic.looking.facts import Facts, SideFacts

__all__ = ["describe"]

_FEW = 200  # sources


def describe(facts: Facts) -> Iterator[str]:
    """A sentence for each thing worth knowing, what is odd last."""
    pairs = f"{facts.pairs:,} pairs"
    if facts.read < facts.pairs:
        pairs = f"about {facts.pairs:,} pairs, of which the first {facts.read:,} were read"
    yield f"{pairs}, {facts.sources:,} different sources"
    if facts.kind == "text":
        yield f"sources: {_texts(facts.source)}"
    yield f"targets: {_texts(facts.target)}"
    if facts.tags:
        yield f"{facts.tags:,} different tags, {facts.tags_a_source:.1f} of them a source"
    if facts.labels:
        yield f"the task is to choose one of {facts.target.distinct} targets"
    if facts.several:
        yield (
            f"{facts.several:,} sources have several targets: any of them counts as right, and all "
            "are in one split"
        )
    if facts.kind == "text" and 0 < facts.equal < 1:
        yield f"{100 * facts.equal:.1f} % of the targets are their sources"
    if facts.equal == 1:
        yield "warning: each target equals its source, so there is nothing to learn"
    if facts.target.distinct == 1:
        yield "warning: all targets are the same"
    if facts.sources < _FEW:
        yield (
            f"warning: {facts.sources:,} different sources are too few; some hundreds "
            "are a start, and scores on so few say little"
        )


def _texts(side: SideFacts) -> str:
    words = f", {side.words:.1f} words" if side.spaced >= 0.1 else ""
    return (
        f"{side.characters:.0f} characters{words} on average, {side.longest:,} at most; "
        f"{side.alphabet:,} different characters, {side.distinct:,} different texts"
    )
