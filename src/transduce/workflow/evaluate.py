"""Measuring a model on examples: its loss, and its own output against the references."""

from __future__ import annotations

import logging
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import nn

from transduce.batches.batching import Batches, prefetch
from transduce.batches.changes.changed_batches import ChangedBatches
from transduce.config import Config, SearchConfig
from transduce.config.wording import short
from transduce.engine import choose_engine
from transduce.errors import ConfigError, DataError
from transduce.evaluation.report import EvaluationReport, make_report, worst_cases
from transduce.interfaces import PADDING, Batch
from transduce.metrics.known import METRICS, metrics_for, model_metrics, values_of_model
from transduce.metrics.losses import LossTotals
from transduce.metrics.scores import TextScores, score_texts
from transduce.models.seq2seq import Seq2Seq
from transduce.reading.pair_files import Example
from transduce.reading.parts import find_part
from transduce.reading.problems import Problems
from transduce.workflow.fitting.pair_limits import (
    PairLengths,
    refuse_long_pairs,
    target_positions,
)
from transduce.workflow.fitting.training_batches import masking
from transduce.workflow.predicting.details import PLAIN, Details
from transduce.workflow.predicting.source_limits import longest_source
from transduce.workflow.readers.source_reader import Corpus
from transduce.workflow.trained import Output, TrainedModel

__all__ = [
    "DevScorer",
    "Evaluation",
    "evaluate",
    "loss_totals",
    "metric_names",
    "normalizer",
    "pair_batches",
    "score_outputs",
    "spread",
]

_ENOUGH = 5  # outputs that may be called all the same
_OFTEN = 3  # scorings in a row


@dataclass(frozen=True)
class Evaluation:
    """What a model reached on a test set, the examples that it was measured on and the outputs."""

    report: EvaluationReport
    examples: Sequence[Example]
    outputs: Sequence[Output]
    scores: TextScores
    recorded: float = 0.0  # seconds of recordings, where sources are such

    @property
    def times_real_time(self) -> float:
        """Seconds of recordings a second of the search, their reading included."""
        return self.recorded / max(self.report.seconds, 1e-9)

    @property
    def sentences_per_second(self) -> float:
        """Of the search alone."""
        return self.report.counts["sentences"] / max(self.report.seconds, 1e-9)

    def table(self) -> str:
        """For the terminal."""
        return self.report.table()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return self.report.to_dict()


def metric_names(config: Config) -> tuple[str, ...]:
    """What the recipe measures, or what fits its target's tokenizer."""
    return config.evaluation.metrics or metrics_for(config.targets)


def evaluate(
    trained: TrainedModel,
    examples: Sequence[Example],
    options: SearchConfig | None = None,
    *,
    worst: int = 0,
    part: str | None = None,
    problems: Problems | None = None,
    details: Details = PLAIN,
) -> Evaluation:
    """Search and score all examples, ``worst`` of them shown, all of one part of a mixture.

    Examples whose source cannot be read, or is too long, are left out where ``problems`` counts
    such. Raises DataError for one without that, and for no examples, ConfigError for a part that
    is none.
    """
    if not examples:
        raise DataError("test set must hold at least one pair; got none")
    own = trained.config.for_part(part or "")
    names = metric_names(own)
    options = (options or trained.config.search).model_copy(update={"nbest": 1})
    started = time.perf_counter()
    problems = problems or Problems("stop")
    examples, outputs = _answered(trained, examples, options, part, problems, details)
    seconds = time.perf_counter() - started
    sources = [example.source for example in examples]
    scores = score_outputs(own, examples, outputs, names)
    losses = None
    if any(METRICS[name].needs_model for name in names):
        losses = loss_totals(trained.model, pair_batches(trained, examples, part))
    texts = [output.text for output in outputs]
    references = [example.references for example in examples]
    cases = worst_cases(scores, sources, texts, references, count=worst) if worst > 0 else ()
    lengths = _lengths(trained, sources, part)
    report = make_report(scores, seconds=seconds, losses=losses, lengths=lengths, worst=cases)
    return Evaluation(report, examples, outputs, scores, _seconds(trained, lengths))


def _answered(
    trained: TrainedModel,
    examples: Sequence[Example],
    options: SearchConfig,
    part: str | None,
    problems: Problems,
    details: Details = PLAIN,
) -> tuple[list[Example], list[Output]]:
    """The examples that have an output, and these; the others are noted."""
    sources = [example.source for example in examples]
    going = problems.on_error == "skip"
    found = trained.predict(sources, options, part=part, keep_going=going, details=details)
    kept, outputs = [], []
    for example, (best, *_) in zip(examples, found, strict=True):
        if best.error:
            problems.add("unreadable source", best.error, "examples")
        else:
            kept.append(example)
            outputs.append(best)
    if not kept:
        raise DataError(
            f"examples to score on must hold one that can be read; got {problems.summary()}"
        )
    return kept, outputs


def score_outputs(
    config: Config, examples: Sequence[Example], outputs: Sequence[Output], names: Sequence[str]
) -> TextScores:
    """Text metrics of outputs against the examples' references.

    Both sides are in the target's Unicode normal form, where the recipe has one, so that the
    same letters in other code points are no fault.
    """
    normal = normalizer([config])
    return score_texts(
        [normal(output.text) for output in outputs],
        [[normal(text) for text in example.references] for example in examples],
        names,
        bleu_tokenizer=config.evaluation.bleu_tokenizer,
        symbols=config.targets == "symbols",
    )


def loss_totals(model: Seq2Seq, batches: Iterable[Batch]) -> LossTotals:
    """Sums of log-likelihood under teacher forcing, in evaluation mode."""
    totals = LossTotals()
    model.eval()
    with torch.inference_mode():
        for batch in batches:
            batch = batch.to(model.device)
            logits = model(batch.source, batch.target_input).float()
            expected = batch.target_output
            real = expected != PADDING
            losses = nn.functional.cross_entropy(
                logits.flatten(0, 1), expected.flatten(), ignore_index=PADDING, reduction="sum"
            )
            correct = (logits.argmax(dim=-1) == expected) & real
            totals += LossTotals(float(losses), int(real.sum()), int(correct.sum()))
    return totals


class DevScorer:
    """Scores a model in training: loss on all dev pairs, search on ``dev_sentences`` of them.

    The search is greedy, as every scoring takes time from training. Raises ConfigError where
    the metric to choose by is not among the measured ones.
    """

    def __init__(
        self,
        trained: TrainedModel,
        examples: Sequence[Example],
        *,
        part: str | None = None,
        sentences: int | None = None,
    ) -> None:
        """``part`` of a mixture that all examples are of; ``sentences``: decoded at most."""
        self.trained = trained
        self.part = part
        self.config = trained.config.for_part(part or "")
        self.names = metric_names(self.config)
        chosen = trained.config.training.metric
        measured = tuple(dict.fromkeys((*model_metrics(), *self.names)))
        if chosen not in measured:
            raise ConfigError(
                f"training.metric must be one of {', '.join(measured)}; got {chosen!r}"
            )
        if METRICS[chosen].needs_model:
            self.names = tuple(name for name in self.names if METRICS[name].cheap)
        most = trained.config.training.dev_sentences if sentences is None else sentences
        self.batches = pair_batches(trained, examples, part)
        self.examples = spread(_within_positions(trained, examples, part), most)
        self._has_said = False
        self._same = 0  # scorings in a row whose outputs were all one
        self.options = trained.config.search.greedily()
        # Compiles the kernels now, before a run's minutes count.
        choose_engine(trained.config.engine, trained.model.device)
        self._try_search()

    def _try_search(self) -> None:
        """Search once, so that what no scoring could do is found before training begins.

        Raises SearchError where the options contradict the model or its symbols.
        """
        learns, first = self.trained.model.training, [self.examples[0].source]
        self.trained.model.eval()
        list(self.trained.predict(first, self.options, part=self.part, keep_going=True))
        self.trained.model.train(learns)
        self.trained.refresh()

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """Metrics as plain numbers, ``loss`` among them."""
        if model is not self.trained.model:
            raise ValueError("model must be the one that the scorer was made for")
        self.trained.refresh()  # which learned since
        totals = loss_totals(self.trained.model, self.batches)
        problems = Problems(self.config.data.on_error)
        answered = _answered(self.trained, self.examples, self.options, self.part, problems)
        if problems.total and not self._has_said:
            self._has_said = True
            logging.getLogger("transduce").warning("not scored on: %s", problems.summary())
        self._tell_sameness(*answered)
        scores = score_outputs(self.config, *answered, self.names)
        return {**values_of_model(totals), **scores.values}

    def _tell_sameness(self, examples: Sequence[Example], outputs: Sequence[Output]) -> None:
        """A model that answers everything alike has seen nothing of its sources yet."""
        texts = {output.text for output in outputs}
        wanted = {text for example in examples for text in example.references}
        alike = len(texts) == 1 and len(wanted) > 1 and len(outputs) >= _ENOUGH
        self._same = self._same + 1 if alike else 0
        if self._same == _OFTEN:
            logging.getLogger("transduce").warning(
                "all %d dev outputs are the same after %d scorings (%s): more time, another "
                "training.learning_rate or other tokenizers may help; see transduce check",
                len(outputs),
                _OFTEN,
                short(next(iter(texts))),
            )


def _within_positions(
    trained: TrainedModel, examples: Sequence[Example], part: str | None
) -> Sequence[Example]:
    """Those whose sources the model has positions for, or which are cut to that."""
    longest, cut = longest_source(trained.config.model), trained.config.search.max_source_length
    if longest is None or trained.reader.in_files or (cut is not None and cut <= longest):
        return examples
    chosen = find_part(trained.config, part)
    sources = [chosen.source(example.source) for example in examples]
    lengths = trained.reader.lengths(sources, chosen.name)
    kept = [e for e, length in zip(examples, lengths, strict=True) if length < longest]
    if not kept:
        raise DataError(
            f"examples to score on must hold a source of at most {longest:,} tokens, as many as "
            "model.encoder learns positions for; got none"
        )
    return kept


def spread(examples: Sequence[Example], count: int) -> list[Example]:
    """At most ``count`` examples, evenly spaced: a sorted dev set is seen from end to end."""
    if len(examples) <= count:
        return list(examples)
    return [examples[number * len(examples) // count] for number in range(count)]


def normalizer(configs: Sequence[Config]) -> Callable[[str], str]:
    """Brings texts into one Unicode form, the coarsest that a target of these recipes has."""
    forms = {config.target_tokenizer.normalization for config in configs}
    form: Literal["NFC", "NFKC"]
    if "nfkc" in forms:
        form = "NFKC"
    elif forms & {"nfc", "nfd"}:
        form = "NFC"
    else:
        return lambda text: text
    return partial(unicodedata.normalize, form)


def pair_batches(
    trained: TrainedModel,
    examples: Sequence[Example],
    part: str | None,
    *,
    batch_tokens: int | None = None,
) -> Iterable[Batch]:
    """All pairs of the examples but those that the model has no positions for, which are told.

    ``batch_tokens`` are the recipe's where nobody says. Of texts they are held; files are read
    anew each time. Raises DataError where none is left.
    """
    chosen = find_part(trained.config, part)
    model = trained.config.model
    data = trained.config.data.model_copy(
        update={
            "max_source_length": longest_source(model),
            "max_target_length": target_positions(model),
            "max_length_ratio": None,
            "too_long": "skip",
        }
    )
    pairs = (
        (chosen.source(example.source), chosen.target(target))
        for example in examples
        for target in example.references
    )
    budget = batch_tokens or trained.config.training.batch_tokens
    corpus = trained.reader.corpus({chosen.name: pairs}, trained.target_tokenizer, data)
    _refuse_long(trained, corpus)
    _tell_left_out(corpus)
    batches = Batches(corpus, budget, seed=0)
    if trained.reader.in_files:
        return _Anew(batches)
    # What learnt to write what is hidden is measured by that, always on the same spans.
    return list(ChangedBatches(batches, masking(trained)).iterate(0))


def _tell_left_out(corpus: Corpus) -> None:
    """Pairs that are longer than the model's positions."""
    left = sum(corpus.filtered.values())
    if left and not len(corpus):
        raise DataError(
            f"pairs to score on must hold one that the model has positions for; got {left} longer "
            "ones (max_positions of model.encoder and model.decoder)"
        )
    if left:
        logging.getLogger("transduce").warning(
            "losses are without %s of %s pairs, which are longer than the model's positions",
            *(left, left + len(corpus)),
        )


def _refuse_long(trained: TrainedModel, pairs: PairLengths) -> None:
    size, device = trained.target_tokenizer.size, trained.model.device
    refuse_long_pairs(trained.config.model, pairs, size, device, learned=False)


@dataclass(frozen=True)
class _Anew:
    """Batches whose files are read each time that they are asked for, ahead of time."""

    batches: Batches

    def __iter__(self) -> Iterator[Batch]:
        return prefetch(self.batches.iterate(0))


def _seconds(trained: TrainedModel, lengths: Sequence[int]) -> float:
    """Of recordings; 0 for other sources."""
    rate = trained.reader.frames_a_second
    return 0.0 if rate is None else sum(lengths) / rate


def _lengths(trained: TrainedModel, sources: Sequence[str], part: str | None) -> list[int]:
    """Of sources in tokens or frames."""
    return trained.reader.lengths(sources, part or "")
