"""One hypothesis as a person reads it, and the outputs of a source's segments as its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transduce.audio.word_times import Word
    from transduce.workflow.predicting.other_tokens import TokenAlternatives

__all__ = [
    "EMPTY",
    "Output",
    "WordConfidence",
    "alignment_text",
    "answer_record",
    "joined",
    "unanswered",
]

_WHERE_THERE = (
    "words", "language", "error", "confidence", "word_confidence", "withheld", "alternatives",
    "alignments",
)  # fmt: skip


@dataclass(frozen=True)
class WordConfidence:
    """A word of an output (what spaces separate) and how sure the model is of it, 0 to 1."""

    text: str
    confidence: float


@dataclass(frozen=True)
class Output:
    """One hypothesis as a person reads it.

    ``score`` is what the search ranked by; ``log_probability`` (nats) and
    ``token_scores`` are the model's own, the last token score that of the end. ``words`` say
    when each word of a recording was said, where that was asked for; ``language`` is what the
    model guessed is spoken, where it does. ``error`` says why there is no answer, where there is
    none and the other sources were to be answered nevertheless. ``confidence`` is how sure the
    model is of the output, 0 to 1, and ``word_confidence`` of each word, where that was asked for;
    ``withheld``: less sure than was wanted, so there is no text. ``alternatives`` are what else
    the model was about to write at each token and at the end, where asked for; ``alignments`` are
    pairs of positions, in the source and in the text. ``numbers`` are those of the tokens in the
    target's vocabulary.
    """

    text: str
    tokens: tuple[str, ...]
    score: float
    log_probability: float
    token_scores: tuple[float, ...]
    finished: bool = True
    constraints_met: bool = True
    words: tuple[Word, ...] = ()
    language: str = ""
    error: str = ""
    confidence: float | None = None
    word_confidence: tuple[WordConfidence, ...] = ()
    withheld: bool = False
    alternatives: tuple[TokenAlternatives, ...] = ()
    alignments: tuple[tuple[int, int], ...] = ()
    numbers: tuple[int, ...] = field(default=(), repr=False, compare=False)


EMPTY = Output("", (), 0.0, 0.0, ())


def unanswered(error: Exception) -> Output:
    """What stands in the place of an answer that cannot be given."""
    return Output("", (), 0.0, 0.0, (), finished=False, error=str(error))


def joined(segments: Sequence[list[Output]]) -> list[Output]:
    """The outputs of a source's segments as its own: where there are several, the best of each."""
    if len(segments) == 1:
        return segments[0]
    best = [outputs[0] for outputs in segments]
    return [
        Output(
            text=" ".join(output.text for output in best if output.text),
            tokens=tuple(chain.from_iterable(output.tokens for output in best)),
            score=sum(output.score for output in best),
            log_probability=sum(output.log_probability for output in best),
            token_scores=tuple(chain.from_iterable(output.token_scores for output in best)),
            finished=all(output.finished for output in best),
            constraints_met=all(output.constraints_met for output in best),
            words=tuple(chain.from_iterable(output.words for output in best)),
            language=best[0].language,
            word_confidence=tuple(chain.from_iterable(output.word_confidence for output in best)),
            alternatives=tuple(chain.from_iterable(output.alternatives for output in best)),
            numbers=tuple(chain.from_iterable(output.numbers for output in best)),
        )
    ]


def answer_record(outputs: Sequence[Output]) -> dict[str, Any]:
    """Outputs as JSON: ``text`` is that of the best of ``hypotheses``; ``error`` says why there are
    none. ``words``, ``language`` and what was asked for stand there only where there are such.
    """
    first = outputs[0]
    record: dict[str, Any] = {"text": first.text}
    if first.withheld:
        record["withheld"] = True
    if first.error:
        return {**record, "hypotheses": [], "error": first.error}
    return {**record, "hypotheses": [_plain(output) for output in outputs]}


def _plain(output: Output) -> dict[str, Any]:
    values = asdict(output)
    del values["numbers"]  # of no use without the vocabulary
    return {k: v for k, v in values.items() if k not in _WHERE_THERE or _is_there(v)}


def _is_there(value: object) -> bool:
    return value is not None and value is not False and value not in ("", ())


def alignment_text(pairs: Sequence[tuple[int, int]]) -> str:
    """As fast_align and Pharaoh write them: ``0-0 1-2``."""
    return " ".join(f"{source}-{target}" for source, target in pairs)
