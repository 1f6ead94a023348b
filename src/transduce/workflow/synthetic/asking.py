"""Models are asked about sources, and what they say is written as pairs."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from transduce.config import SearchConfig
from transduce.errors import DataError
from transduce.metrics.metric import Targets
from transduce.reading.pair_files import Example
from transduce.workflow.predicting.output import Output
from transduce.workflow.predicting.predictor import Predictor
from transduce.workflow.synthetic.chosen_outputs import left_out, nearest, usable
from transduce.workflow.synthetic.grown_pairs import GrownPairs

__all__ = ["Asking", "Say", "ask"]

Say = Callable[[str], None]

_OFTEN = 10.0  # seconds between two lines
_BLOCK = 1024  # sources of texts that are decoded, and whose pairs are written, together
_FILES = 32  # of recordings and pictures, which take longer


@dataclass(frozen=True)
class Asking:
    """What becomes one file: the sources of ``asked()``, whose answers ``predictor`` gives.

    All texts of the n best are kept, or, with ``nearest_by``, those nearest to the references.
    ``record`` says how a source and a text that was answered stand in the file; it gets a
    ``confidence`` where the predictor tells one, which is that of a single output. ``in_files``:
    sources are recordings or pictures.
    """

    file: str
    asked: Callable[[], Iterator[Example | DataError]]
    predictor: Predictor
    record: Callable[[str, str], dict[str, object]]
    in_files: bool = False
    nearest_by: Targets | None = None


def ask(asking: Asking, options: SearchConfig, pairs: GrownPairs, say: Say) -> None:
    """Ask about all sources that were not asked yet; write what is said block by block.

    Raises OSError, DataError and what searching raises; what is written stays whole.
    """
    done = pairs.of(asking.file).sources
    began = spoke = time.monotonic()
    size = _FILES if asking.in_files else _BLOCK
    sources = itertools.islice(asking.asked(), done, None)
    while block := list(itertools.islice(sources, size)):
        before = pairs.of(asking.file).sources
        left: Counter[str] = Counter()
        records = _records(asking, _answered(asking, options, block, before), left)
        pairs.add(asking.file, len(block), records, left)
        now = time.monotonic()
        if now - spoke > _OFTEN:
            spoke, count = now, before + len(block)
            rate = (count - done) / (now - began)
            say(f"  {asking.file}: {count:,} sources, {rate:,.0f} a second")


def _answered(
    asking: Asking, options: SearchConfig, block: Sequence[Example | DataError], before: int
) -> list[tuple[Example, list[Output]]]:
    """A block's outputs. What is drawn hangs on how many sources stand ``before`` it, not on where
    the process began, so that a run that goes on draws what it would have drawn.
    """
    sources = [one if isinstance(one, DataError) else one.source for one in block]
    if options.sample:
        options = options.model_copy(update={"seed": _mixed(options.seed, before)})
    found = asking.predictor.predict(sources, options, window=len(block), keep_going=True)
    asked = [Example("", ()) if isinstance(one, DataError) else one for one in block]
    return list(zip(asked, found, strict=True))


def _mixed(seed: int, before: int) -> int:
    """Another seed for each block; a stream of draws is named by its seed and a number."""
    return Random(f"{seed} {before}").getrandbits(31) if before else seed


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
    for (one, outputs), own in zip(block, texts, strict=True):
        sure = outputs[0].confidence
        for text in own:
            record = asking.record(one.source, text)
            yield record if sure is None else {**record, "confidence": round(sure, 6)}
