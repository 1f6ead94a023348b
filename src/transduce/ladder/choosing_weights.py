"""The smallest form of a model that loses nothing measurable, found by trying each on dev."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from transduce.config import WeightNumber
from transduce.errors import ConfigError, DataError, TransduceError
from transduce.evaluation.compare import Estimate, System, compare_systems
from transduce.evaluation.tables import number, render_table
from transduce.metrics.known import METRICS, best_known
from transduce.reading.pair_files import Example
from transduce.workflow.corpora.corpora import read_dev
from transduce.workflow.evaluate import metric_names, normalizer, spread
from transduce.workflow.shrinking import require_shrinkable, shrink, weight_sizes
from transduce.workflow.trained import TrainedModel

__all__ = ["ChosenWeights", "FormTried", "choose_weights", "dev_examples", "worse"]

Say = Callable[[str], None]
Fewer = Callable[[float], TrainedModel]

_MOST = 2000  # dev sources that forms are compared on
_FEWEST = 50  # with fewer nothing could be told
_TOGETHER = 100  # answered between two looks at the clock
_SHARE = 0.25  # of the minutes for the model as it is: each of the other forms takes as long
_SIGNIFICANT = 0.05
_NO_TIME = "not tried: no minutes left"
_TO_LEARN = 1.0  # minutes; in fewer a model does not recover from what was removed
_LARGEST_FIRST: tuple[WeightNumber, ...] = ("bfloat16", "int8", "int4")


@dataclass(frozen=True)
class FormTried:
    """A form of the model: its weights' bytes, its score, sentences a second, and what came of
    it; of one that was not tried the last alone. ``model`` where it is not measurably worse.
    """

    name: str
    bytes: int | None = None
    found: Estimate | None = None
    speed: float | None = None
    verdict: str = ""
    model: TrainedModel | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ChosenWeights:
    """What was tried on how many sources, by which metric; ``model`` is the smallest form that is
    not measurably worse, none where there is no such.
    """

    forms: tuple[FormTried, ...]
    metric: str
    sources: int
    model: TrainedModel | None = field(repr=False)

    def table(self) -> str:
        """For the terminal: a line a form."""
        arrow = "↓" if METRICS[self.metric].lower_is_better else "↑"
        columns = ["weights", "MB", f"{self.metric} {arrow}", "difference", "p", "sentences/s", ""]
        return render_table(
            f"{self.sources:,} dev sources", columns, [_line(form) for form in self.forms]
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "metric": self.metric,
            "sources": self.sources,
            "forms": [
                {
                    "weights": form.name,
                    "bytes": form.bytes,
                    "score": None if form.found is None else form.found.score,
                    "p_value": form.found.against_first.p_value
                    if form.found is not None and form.found.against_first is not None
                    else None,
                    "sentences_per_second": form.speed,
                    "verdict": form.verdict,
                }
                for form in self.forms
            ],
        }


def _line(form: FormTried) -> list[str]:
    if form.found is None or form.bytes is None or form.speed is None:
        return [form.name, "-", "-", "", "", "-", form.verdict]
    against = form.found.against_first
    return [
        form.name,
        f"{form.bytes / 1e6:.2f}",
        number(form.found.score),
        "" if against is None else f"{against.difference:+.2f}",
        "" if against is None else f"{against.p_value:.3f}",
        f"{form.speed:,.0f}",
        form.verdict,
    ]


def dev_examples(trained: TrainedModel) -> dict[str, list[Example]]:
    """The dev examples of its recipe by part. Raises ConfigError where there are too few to tell
    anything.
    """
    try:
        found = read_dev(trained.config)
    except (ConfigError, DataError) as error:
        raise ConfigError(
            f"dev data must be there to choose weights by ({error}); --weights int8 does not ask"
        ) from None
    if (count := sum(map(len, found.values()))) < _FEWEST:
        raise ConfigError(
            f"dev data must have at least {_FEWEST} sources to choose weights by; got {count}: "
            "--weights int8 does not ask"
        )
    return found


def choose_weights(
    trained: TrainedModel,
    examples: Mapping[str, Sequence[Example]],
    minutes: float,
    say: Say = lambda line: None,
    clock: Callable[[], float] = time.monotonic,
    fewer: Fewer | None = None,
) -> ChosenWeights:
    """Try each form within so many minutes.

    Each answers the same dev sources with the recipe's search and this machine's engine; the
    paired bootstrap tells whether it is worse than the model as it is. Last comes the model that
    ``fewer`` makes, of fewer float32 weights, in the minutes that it is given; it is rounded as
    the best form before it. Raises ModelError where the model cannot be shrunk.
    """
    require_shrinkable(trained)
    end = clock() + 60 * minutes
    asked = _spread(examples)
    say("answering dev as it is")
    began = clock()
    texts = _answers(trained, asked, lambda: clock() > began + _SHARE * 60 * minutes)
    pass_seconds = clock() - began
    asked = asked[: len(texts)]
    judged = _Judge(trained, asked, texts, clock)
    rate = len(texts) / max(pass_seconds, 1e-9)
    forms = [FormTried("float32", _size(trained), judged.first(), rate, "as it is")]
    best: TrainedModel | None = None
    for name in _LARGEST_FIRST:
        if clock() + pass_seconds > end:
            forms.append(FormTried(name, verdict=_NO_TIME))
            continue
        say(f"answering dev in {name}")
        forms.append(judged.tried(name, shrink(trained, name)))
        best = forms[-1].model or best
    if fewer is not None and best is not None:
        left = (end - clock() - pass_seconds) / 60
        forms.append(_pruned(fewer, best.config.weights, judged, left, say))
        best = forms[-1].model or best
    return ChosenWeights(tuple(forms), judged.metric, len(asked), best)


def _pruned(
    fewer: Fewer, number: WeightNumber, judged: _Judge, minutes: float, say: Say
) -> FormTried:
    """The form of fewer weights, in these numbers."""
    name = f"pruned, {number}"
    if minutes < _TO_LEARN:
        return FormTried(name, verdict=_NO_TIME)
    try:
        smaller = shrink(fewer(minutes), number)
    except TransduceError as error:
        return FormTried(name, verdict=f"not tried: {error}")
    say(f"answering dev pruned, in {number}")
    return judged.tried(name, smaller)


def _size(trained: TrainedModel) -> int:
    found = weight_sizes(trained)
    return found.rounded_bytes + found.float_bytes


def worse(found: Estimate, metric: str) -> bool:
    """Whether a form is worse than the first, and not by chance alone."""
    against = found.against_first
    if against is None or against.p_value >= _SIGNIFICANT:
        return False
    return (against.difference > 0) == METRICS[metric].lower_is_better


def _spread(examples: Mapping[str, Sequence[Example]]) -> list[tuple[str, Example]]:
    """Of each part its share; the parts take turns, so that the first sources are of all."""
    most = _MOST // len(examples)
    chosen = {name: spread(own, most) for name, own in examples.items()}
    longest = max(map(len, chosen.values()))
    return [
        (name, own[place])
        for place in range(longest)
        for name, own in chosen.items()
        if place < len(own)
    ]


def _answers(
    trained: TrainedModel, asked: Sequence[tuple[str, Example]], enough: Callable[[], bool]
) -> list[str]:
    """The texts of all, or of the first of them, once it is enough."""
    texts: list[str] = []
    options = trained.config.search.model_copy(update={"nbest": 1})
    for start in range(0, len(asked), _TOGETHER):
        if len(texts) >= _FEWEST and enough():
            break
        portion = asked[start : start + _TOGETHER]
        found = [""] * len(portion)
        for part in dict.fromkeys(name for name, _ in portion):
            places = [place for place, (name, _) in enumerate(portion) if name == part]
            sources = [portion[place][1].source for place in places]
            outputs = trained.predict(sources, options, part=part or None, keep_going=True)
            for place, (best, *_) in zip(places, outputs, strict=True):
                found[place] = best.text
        texts += found
    return texts


class _Judge:
    """Scores texts beside those of the model as it is."""

    def __init__(
        self,
        trained: TrainedModel,
        asked: Sequence[tuple[str, Example]],
        first: Sequence[str],
        clock: Callable[[], float],
    ) -> None:
        config = trained.config
        self._asked, self._clock = asked, clock
        self._normal = normalizer([config])
        self._references = [[self._normal(t) for t in one.references] for _, one in asked]
        self._config, self._first = config, list(map(self._normal, first))
        self.metric = best_known(metric_names(config)) or "exact_match"

    def first(self) -> Estimate:
        """The score of the model as it is."""
        return self._scored([System("first", self._first)])

    def tried(self, name: str, smaller: TrainedModel) -> FormTried:
        """What comes of a form: it answers all that was asked."""
        began = self._clock()
        texts = _answers(smaller, self._asked, lambda: False)
        speed = len(texts) / max(self._clock() - began, 1e-9)
        found = self._of(texts)
        if worse(found, self.metric):
            return FormTried(name, _size(smaller), found, speed, "measurably worse")
        return FormTried(name, _size(smaller), found, speed, "no measurable loss", smaller)

    def _of(self, texts: Sequence[str]) -> Estimate:
        """The score of other texts, held against those."""
        other = System("other", list(map(self._normal, texts)))
        return self._scored([System("first", self._first), other])

    def _scored(self, systems: Sequence[System]) -> Estimate:
        found = compare_systems(
            systems,
            self._references,
            [self.metric],
            bleu_tokenizer=self._config.evaluation.bleu_tokenizer,
            symbols=self._config.targets == "symbols",
        )
        return found.rows[-1].scores[self.metric]
