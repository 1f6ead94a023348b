"""Which outputs of a model become targets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

from transduce.metrics.known import METRICS, finest, metrics_for
from transduce.metrics.metric import Targets
from transduce.metrics.scores import score_texts
from transduce.reading.pair_files import Example
from transduce.workflow.predicting.output import Output

__all__ = ["left_out", "nearest", "usable"]


def usable(outputs: Sequence[Output]) -> list[str]:
    """The texts that a model can learn from, best first, each once: whole ones that say something.

    One that ended at its longest length would teach an end where the model saw none.
    """
    whole = [output for output in outputs if output.finished and output.text.strip()]
    return list(dict.fromkeys(output.text for output in whole))


def left_out(outputs: Sequence[Output]) -> str:
    """Why none of these outputs is usable."""
    best = outputs[0]
    if best.error:
        return "not answered"
    return "without an end" if not best.finished else "empty"


def nearest(
    asked: Sequence[Example], texts: Sequence[Sequence[str]], targets: Targets
) -> list[list[str]]:
    """For each source the texts that are nearest to its references, one a reference at most.

    Kim and Rush (2016), "Seq-Inter", by the metric that tells bad sentences from good ones best:
    chrF, and edits where targets are symbols. Of equals the first, the likeliest, is taken; so it
    is for a source without references.
    """
    name = finest(metrics_for(targets))
    if name is None:
        raise ValueError(f"no metric tells {targets} apart")
    tried = [
        (text, reference)
        for one, own in zip(asked, texts, strict=True)
        for reference in one.references
        for text in own
    ]
    scores: list[float] = []
    if tried:
        hypotheses, references = [text for text, _ in tried], [[r] for _, r in tried]
        found = score_texts(hypotheses, references, [name], symbols=targets == "symbols")
        scores = found.statistics[name].by_sentence().tolist()
        if METRICS[name].lower_is_better:
            scores = [-score for score in scores]
    ends = accumulate(
        (len(one.references) * len(own) for one, own in zip(asked, texts, strict=True)), initial=0
    )
    return [
        _nearest(one, own, scores[start:end])
        for one, own, (start, end) in zip(asked, texts, pairwise(ends), strict=True)
    ]


def _nearest(asked: Example, texts: Sequence[str], scores: Sequence[float]) -> list[str]:
    if not asked.references or not texts:
        return list(texts[:1])
    chosen = []
    for number in range(len(asked.references)):
        own = scores[number * len(texts) : (number + 1) * len(texts)]
        chosen.append(texts[own.index(max(own))])
    return list(dict.fromkeys(chosen))
