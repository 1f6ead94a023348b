"""Fitting how sure a model is of its outputs: its answers to pairs that it has not learnt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transduce.confidence.confidence import Answered, Confidence, fit_confidence
from transduce.config import Config, SearchConfig
from transduce.errors import DataError
from transduce.reading.pair_files import Example
from transduce.workflow.confidence.correctness import fitting_kind, qualities, right_words
from transduce.workflow.evaluate import spread
from transduce.workflow.predicting.details import Details, SeenSource
from transduce.workflow.trained import TrainedModel

__all__ = ["LEAST_EXAMPLES", "fit_confidence_on"]

LEAST_EXAMPLES = 50  # below this a probability would be a guess


@dataclass(frozen=True)
class _Tried:
    """An example, what was seen of it, and the text that came."""

    config: Config
    example: Example
    seen: SeenSource
    text: str


def fit_confidence_on(
    trained: TrainedModel, examples: Mapping[str, Sequence[Example]], most: int
) -> Confidence:
    """Fit on the answers to at most ``most`` examples of each part ("" where there are none).

    The search is the recipe's own. Examples whose source cannot be read, is empty or is too long,
    and recordings of several segments, say nothing of one search and are passed over. Raises
    DataError where too few are left.
    """
    options = trained.config.search.model_copy(update={"nbest": 1})
    parts = (
        _tried(trained, spread(own, most), options, part or None) for part, own in examples.items()
    )
    by_part = [own for own in parts if own]
    tried = [one for own in by_part for one in own]
    if len(tried) < LEAST_EXAMPLES:
        raise DataError(
            f"confidence must be fitted on {LEAST_EXAMPLES} answered examples at least; "
            f"got {len(tried)}"
        )
    config = trained.config
    kind = fitting_kind(config, [one.example for one in tried], [one.text for one in tried])
    answered = []
    for own in by_part:
        quality = qualities(own[0].config, kind, [t.example for t in own], [t.text for t in own])
        for one, right in zip(own, quality.tolist(), strict=True):
            seen, words = one.seen, right_words(one.config, one.example, one.text)
            answered.append(
                Answered(seen.found, seen.length, seen.skipped, seen.words, right, words)
            )
    return fit_confidence(answered, kind, options.beam)


def _tried(
    trained: TrainedModel, examples: Sequence[Example], options: SearchConfig, part: str | None
) -> list[_Tried]:
    noted: list[SeenSource] = []
    details = Details(note=noted.append)
    config = trained.config.for_part(part or "")
    sources = [example.source for example in examples]
    found = trained.predict(sources, options, part=part, keep_going=True, details=details)
    tried = []
    for example, (best, *_) in zip(examples, found, strict=True):
        if len(noted) == 1 and not best.error:
            tried.append(_Tried(config, example, noted[0], best.text))
        noted.clear()
    return tried
