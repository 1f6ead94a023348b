"""What may be asked of outputs beside their texts: how sure the model is of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from transduce.confidence.confidence import Confidence
from transduce.config import SearchConfig
from transduce.search import Hypothesis, Retracing
from transduce.workflow.predicting.alignments import Aligner
from transduce.workflow.predicting.output import EMPTY, Output, WordConfidence, joined
from transduce.workflow.predicting.writer import Writer, leave_shortlist_aside

__all__ = ["PLAIN", "Details", "SeenSource"]


@dataclass(frozen=True)
class SeenSource:
    """What a search found for one source, or one segment of it, and how it was read.

    ``length`` is that of the source, in symbols with END or in frames; the first ``skipped``
    tokens are no text, ``words`` says which word of the text each other one is of.
    """

    found: Sequence[Hypothesis]
    length: int
    skipped: int
    words: Sequence[int]


@dataclass(frozen=True)
class Details:
    """With nothing asked for, nothing is read twice.

    ``confidence`` says how sure the first output of each source is, and each of its words; outputs
    that are less sure than ``least`` have no text and are ``withheld``. ``alternatives`` asks for
    so many other tokens at each token of every output, ``aligner`` says which part of a text each
    part of it was written from. ``note`` is told what was seen, before the output is given.
    """

    confidence: Confidence | None = None
    least: float = 0.0
    alternatives: int = 0
    aligner: Aligner | None = None
    note: Callable[[SeenSource], None] | None = None

    @property
    def _looks(self) -> bool:
        return self.confidence is not None or self.note is not None

    def retracing(self) -> Retracing | None:
        """What a second reading has to say; None: there needs to be none."""
        attention = self.aligner is not None and self.aligner.reads_attention
        if self.alternatives or attention:
            return Retracing(max(2, self.alternatives + 1), attention, best_only=False)
        return Retracing() if self._looks else None

    def searching(self, options: SearchConfig) -> SearchConfig:
        """The search, which keeps all hypotheses of its beam where a confidence looks at them.

        Probabilities that are looked at are those among all tokens.
        """
        if options.shortlist and (self._looks or self.alternatives):
            leave_shortlist_aside("confidence" if self._looks else "alternatives")
            options = options.model_copy(update={"shortlist": False})
        if not self._looks or options.sample:
            return options
        return options.model_copy(update={"nbest": max(options.nbest, options.beam)})

    def outputs(
        self, writer: Writer, found: Sequence[Hypothesis], length: int, nbest: int
    ) -> list[Output]:
        """The first ``nbest`` hypotheses of a source, or a segment of it, as a person reads them.

        ``length`` as in :class:`SeenSource`.
        """
        outputs = [writer.output(hypothesis) for hypothesis in found[:nbest]]
        if self.alternatives:
            outputs = [
                replace(output, alternatives=writer.alternatives(hypothesis, self.alternatives))
                for output, hypothesis in zip(outputs, found, strict=False)
            ]
        if self._looks:
            seen = SeenSource(found, length, writer.unwritten(), writer.words(found[0]))
            if self.note is not None:
                self.note(seen)
            if self.confidence is not None:
                outputs[0] = _sure(self.confidence, seen, outputs[0])
        return outputs

    def whole(self, segments: Sequence[list[Output]]) -> list[Output]:
        """The outputs of a source, from those of its segments (of a text there is one)."""
        outputs = joined(segments)
        if self.confidence is None:
            return outputs
        if len(segments) > 1:
            own = [found[0].confidence or 0.0 for found in segments]
            # All have to be right; a chrF is about the mean of its parts.
            sure = math.prod(own) if self.confidence.kind == "right" else sum(own) / len(own)
            outputs[0] = replace(outputs[0], confidence=sure)
        if (outputs[0].confidence or 0.0) >= self.least:
            return outputs
        return [
            replace(output, text="", words=(), alignments=(), withheld=True) for output in outputs
        ]

    def blank(self) -> list[Output]:
        """The output of a source with nothing in it: nothing, for sure."""
        return [EMPTY if self.confidence is None else replace(EMPTY, confidence=1.0)]


def _sure(confidence: Confidence, seen: SeenSource, output: Output) -> Output:
    words = confidence.of_words(seen.found, seen.words, seen.skipped)
    return replace(
        output,
        confidence=confidence.of_output(seen.found, seen.length, seen.skipped),
        word_confidence=tuple(map(WordConfidence, output.text.split(), words)),
    )


PLAIN = Details()
