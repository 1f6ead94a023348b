"""Models are asked about sources, and what they say is written as pairs."""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from transduce.config import SearchConfig
from transduce.errors import DataError
from transduce.metrics.metric import Targets
from transduce.reading.columns import Layout, split_columns
from transduce.reading.pair_files import Example
from transduce.workflow.predicting.output import Output
from transduce.workflow.predicting.predictor import Predictor
from transduce.workflow.synthetic.chosen_outputs import left_out, nearest, usable
from transduce.workflow.synthetic.grown_pairs import GrownPairs

__all__ = ["Asking", "RecordShape", "ask"]

Say = Callable[[str], None]

_OFTEN = 10.0  # seconds between two lines
_BLOCK = 512  # sources of texts whose pairs are written together
_FILES = 32  # of recordings and pictures, which take longer
_WINDOW = 1024  # sources read ahead, so that those of like length are decoded together


@dataclass(frozen=True)
class RecordShape:
    """How a pair stands in a record: the columns of its source by their keys, then ``target``.

    ``in_files``: a source is a path, which is written whole, as the record's file stands elsewhere.
    """

    layout: Layout
    in_files: bool = False

    @property
    def keys(self) -> list[str]:
        """``source`` and ``tags``, with a number from the second on."""
        counts: Counter[str] = Counter()
        keys = []
        for column in self.layout.sources:
            name = "tags" if column.tags else "source"
            counts[name] += 1
            keys.append(name if counts[name] == 1 else f"{name}_{counts[name]}")
        return keys

    def record(self, source: str, target: str) -> dict[str, object]:
        """A pair as JSON has it. Raises DataError for a source that has not these columns."""
        if self.in_files:
            return {"source": os.path.abspath(source), "target": target}
        if self.layout.is_plain:
            return {"source": source, "target": target}
        columns = split_columns(source, self.layout.sources)
        if columns is None:
            raise DataError(f"source must have the columns of data.source; got {source!r}")
        return {**dict(zip(self.keys, columns, strict=True)), "target": target}


@dataclass(frozen=True)
class Asking:
    """What becomes one file: the sources of ``asked()``, whose answers ``predictor`` gives.

    All texts of the n best are kept, or, with ``nearest_by``, those nearest to the references.
    """

    file: str
    asked: Callable[[], Iterator[Example | DataError]]
    predictor: Predictor
    shape: RecordShape
    nearest_by: Targets | None = None


def ask(asking: Asking, options: SearchConfig, pairs: GrownPairs, say: Say) -> None:
    """Ask about all sources that were not asked yet; write what is said block by block.

    Raises OSError, DataError and what searching raises; what is written stays whole.
    """
    done = pairs.of(asking.file).sources
    began = spoke = time.monotonic()
    size = _FILES if asking.shape.in_files else _BLOCK
    answered = _answered(asking, options, done)
    while block := list(itertools.islice(answered, size)):
        left: Counter[str] = Counter()
        records = _records(asking, block, left)
        pairs.add(asking.file, len(block), records, left)
        now = time.monotonic()
        if now - spoke > _OFTEN:
            spoke, count = now, pairs.of(asking.file).sources
            rate = (count - done) / (now - began)
            say(f"  {asking.file}: {count:,} sources, {rate:,.0f} a second")


def _answered(
    asking: Asking, options: SearchConfig, done: int
) -> Iterator[tuple[Example, list[Output]]]:
    waiting: deque[Example] = deque()

    def sources() -> Iterator[str | DataError]:
        for asked in itertools.islice(asking.asked(), done, None):
            if isinstance(asked, DataError):
                waiting.append(Example("", ()))
                yield asked
            else:
                waiting.append(asked)
                yield asked.source

    found = asking.predictor.predict(sources(), options, window=_WINDOW, keep_going=True)
    for outputs in found:
        yield waiting.popleft(), outputs


def _records(
    asking: Asking, block: Sequence[tuple[Example, list[Output]]], left: Counter[str]
) -> Iterator[dict[str, object]]:
    asked = [one for one, _ in block]
    texts = [usable(outputs) for _, outputs in block]
    for own, (_, outputs) in zip(texts, block, strict=True):
        if not own:
            left[left_out(outputs)] += 1
    if asking.nearest_by is not None:
        texts = nearest(asked, texts, asking.nearest_by)
    for one, own in zip(asked, texts, strict=True):
        for text in own:
            yield asking.shape.record(one.source, text)
