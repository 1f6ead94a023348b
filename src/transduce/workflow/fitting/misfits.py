"""What fits a recipe badly, said before the time for training is spent."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from transduce.config import Config
from transduce.config.data import TokenizerConfig
from transduce.interfaces import UNKNOWN
from transduce.reading.column_names import is_header
from transduce.reading.pair_files import Example, Pair
from transduce.tokenization.joint import Coder, coder
from transduce.tokenization.tags import without_tags
from transduce.workflow.corpora.corpora import Corpora, CorpusPart
from transduce.workflow.trained import TrainedModel

__all__ = ["misfits"]

_MANY = 1000  # different texts of one symbol each
_FEW_DEV = 10
_SHOWN = 5
_MOST_SYMBOLS = 20_000  # different ones that are looked up


def misfits(
    trained: TrainedModel, corpora: Corpora, first: Mapping[str, Sequence[Pair]]
) -> Iterator[str]:
    """A line for each thing that a person would want to mend first.

    ``first`` are the first training pairs of each part by its name.
    """
    parts = corpora.parts or (CorpusPart(corpora.whole, corpora.train, corpora.dev),)
    for part in parts:
        pairs = first.get(part.part.name, ())
        of = f" of part {part.part.name}" if part.part.name else ""
        config = trained.config.for_part(part.part.name)
        for line in _of_part(trained, config, part, pairs):
            yield f"warning{of}: {line}"
    if 0 < len(corpora.dev) < _FEW_DEV:
        yield (
            f"warning: dev has {len(corpora.dev)} "
            f"{'source' if len(corpora.dev) == 1 else 'different sources'}: the model is chosen "
            "by its scores on them, which say little"
        )


def _of_part(
    trained: TrainedModel, config: Config, part: CorpusPart, pairs: Sequence[Pair]
) -> Iterator[str]:
    target = coder(trained.target_tokenizer, part.part.name)
    if not part.part.data.header and (first := _header(pairs)) is not None:
        yield (
            f"the first pair looks like the names of columns ({first.source}, {first.target}): "
            "data.header=true reads it as that"
        )
    if part.part.targets:
        texts = [pair.target or "" for pair in pairs]
        yield from _whole_symbols("target", config.target_tokenizer, texts)
        yield from _unseen("target", target, config.target_tokenizer, _targets(part.dev))
    if (reads := trained.reader.tokenizer) is not None:
        source = coder(reads, part.part.name)
        texts = [without_tags(pair.source) for pair in pairs]
        yield from _whole_symbols("source", config.tokenizer.source, texts)
        texts = [without_tags(example.source) for example in part.dev]
        yield from _unseen("source", source, config.tokenizer.source, texts)


def _targets(examples: Sequence[Example]) -> list[str]:
    return [target for example in examples for target in example.references]


def _header(pairs: Sequence[Pair]) -> Pair | None:
    """The first line of a file, where it is none of its pairs."""
    if not pairs or pairs[0].line != 1 or len(pairs) < 2:
        return None
    rows = [[pair.source, pair.target or ""] for pair in pairs]
    return pairs[0] if is_header(rows[0], rows[1:]) else None


def _whole_symbols(side: str, tokenizer: TokenizerConfig, texts: Sequence[str]) -> Iterator[str]:
    if tokenizer.kind not in ("whitespace", "word"):
        return
    different = {text.strip() for text in texts}
    whole = sum(not any(c.isspace() for c in text) for text in different)
    if whole >= _MANY and 2 * whole >= len(texts) and 10 * whole >= 9 * len(different):
        yield (
            f"{whole:,} different {side}s are one symbol each, which a model can only know by "
            f"heart: with tokenizer.{side}.kind=character it reads and writes their letters"
        )


def _unseen(
    side: str, coder: Coder, tokenizer: TokenizerConfig, texts: Sequence[str]
) -> Iterator[str]:
    """Symbols of dev that the training data has not."""
    if not texts or tokenizer.kind in ("byte", "imported"):
        return
    strange = _unknown(coder, _symbols(tokenizer, texts))
    if not strange:
        return
    hit = sum(any(symbol in strange for symbol in _symbols(tokenizer, [text])) for text in texts)
    shown = " ".join(sorted(strange)[:_SHOWN]) + (" …" if len(strange) > _SHOWN else "")
    what = "cannot be written right" if side == "target" else "are read with <unk>"
    yield (
        f"{hit:,} of {len(texts):,} dev {side}s {what}: {len(strange):,} of their symbols stand "
        f"nowhere in the training data ({shown})"
    )


def _symbols(tokenizer: TokenizerConfig, texts: Sequence[str]) -> Collection[str]:
    if tokenizer.kind in ("whitespace", "word"):
        return {word for text in texts for word in text.split()}
    return {character for character in "".join(texts) if not character.isspace()}


def _unknown(coder: Coder, symbols: Collection[str]) -> set[str]:
    listed = sorted(symbols)[:_MOST_SYMBOLS]
    return {
        symbol
        for symbol, numbers in zip(listed, coder.encode_batch(listed), strict=True)
        if UNKNOWN in numbers
    }
