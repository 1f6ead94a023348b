"""From what the lanes of a search finished to the outputs of each sentence."""

from __future__ import annotations

from collections.abc import Sequence

from transduce.config import SearchConfig
from transduce.interfaces import END
from transduce.search.bookkeeping.history import History
from transduce.search.bookkeeping.lane import Lane, LaneOutput
from transduce.search.choosing.decision import FloatArray
from transduce.search.hypothesis import Hypothesis

__all__ = ["results"]


def results(
    lanes: Sequence[Lane],
    history: History,
    prefix: tuple[int, ...],
    prefix_scores: FloatArray,
    options: SearchConfig,
) -> list[list[Hypothesis]]:
    """The n best hypotheses of each sentence, best first.

    ``lanes`` are those of all sentences, in order; ``prefix_scores`` ``[B, P]`` are the
    log-probabilities of the tokens of ``prefix``.
    """
    outputs = [(lane.sentence, output) for lane in lanes for output in lane.outputs]
    traces = history.trace([(output.steps, output.row) for _, output in outputs])
    forced = prefix_scores.tolist()
    found: list[list[Hypothesis]] = [[] for _ in forced]
    for (sentence, output), (tokens, scores) in zip(outputs, traces, strict=True):
        own = [*forced[sentence], *scores]
        found[sentence].append(_hypothesis(output, (*prefix, *tokens), own))
    if len(lanes) > len(found):
        found = [_ranked(hypotheses, repeats=options.sample) for hypotheses in found]
    return [hypotheses[: options.nbest] for hypotheses in found]


def _hypothesis(output: LaneOutput, tokens: tuple[int, ...], scores: list[float]) -> Hypothesis:
    if output.end_score is not None:
        scores.append(output.end_score)
        if output.end != END:
            tokens = (*tokens, output.end)
    own = tuple(scores)
    return Hypothesis(tokens, output.score, sum(own), own, output.finished, output.met)


def _ranked(found: list[Hypothesis], repeats: bool) -> list[Hypothesis]:
    """Hypotheses of several lanes, best first; without ``repeats`` each output once."""
    ranked = sorted(found, key=lambda h: (not h.constraints_met, not h.finished, -h.score))
    if repeats:
        return ranked
    best: dict[tuple[int, ...], Hypothesis] = {}
    for hypothesis in ranked:
        best.setdefault(hypothesis.tokens, hypothesis)
    return list(best.values())
