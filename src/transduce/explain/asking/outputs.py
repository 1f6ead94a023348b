"""The output that is explained: what the model writes by itself, or what it is made to write."""

from __future__ import annotations

from dataclasses import dataclass

from transduce.errors import DataError
from transduce.explain.asking.question import Quantity, Question
from transduce.interfaces import END, UNKNOWN
from transduce.reading.frames import FrameSource
from transduce.reading.parts import Part
from transduce.tokenization.joint import Coder, coder
from transduce.workflow.predicting.other_tokens import token_names
from transduce.workflow.predicting.writer import Writer
from transduce.workflow.trained import TrainedModel

__all__ = ["Written", "given_output", "own_output", "questions"]


@dataclass(frozen=True)
class Written:
    """An output in tokens, END last where it has one; the first ``forced`` were not chosen."""

    text: str
    tokens: tuple[int, ...]
    forced: int
    symbols: tuple[str, ...]

    @classmethod
    def of(cls, text: str, tokens: list[int], forced: int, coder: Coder) -> Written:
        """With a name for each token."""
        return cls(text, tuple(tokens), forced, tuple(token_names(tokens, coder)))


def own_output(trained: TrainedModel, source: FrameSource, part: Part) -> Written:
    """What the model says of a source, by the search of its config. Raises DataError."""
    best = next(trained.predict([source], trained.config.search, part=part.name or None))[0]
    if best.error:
        raise DataError(best.error)
    own = coder(trained.target_tokenizer, part.name)
    tokens = [*best.numbers, *([END] if best.finished else [])]
    return Written.of(best.text, tokens, Writer(own, part).unwritten(), own)


def given_output(
    trained: TrainedModel, source: FrameSource, text: str, part: Part, name: str = "target"
) -> Written:
    """A text as the model would write it. Raises DataError for symbols that it has not."""
    own = coder(trained.target_tokenizer, part.name)
    encoded = own.encode(part.target(text))  # with what every output begins with
    if own.first_of:  # the language, which the model guesses
        encoded[:1] = own_output(trained, source, part).tokens[:1]
    if UNKNOWN in encoded:
        raise DataError(
            f"{name} must hold only symbols that the model can write; got {_unknown(own, text)}"
        )
    most = trained.limits().outputs
    if most is not None and len(encoded) > most:
        raise DataError(
            f"{name} must have at most {most:,} symbols, as many as the model can tell apart; "
            f"got {len(encoded):,}"
        )
    return Written.of(text, [*encoded, END], Writer(own, part).unwritten(), own)


def _unknown(own: Coder, text: str) -> str:
    """Which characters, or else words, are to blame."""
    alone = [
        piece for piece in dict.fromkeys(text) if piece.strip() and UNKNOWN in own.encode(piece)
    ]
    words = [word for word in dict.fromkeys(text.split()) if UNKNOWN in own.encode(word)]
    at_fault = words if own.config.kind in ("whitespace", "word") else alone or words
    named = ", ".join(repr(piece) for piece in at_fault[:5]) or repr(text)
    return f"{named} in {text!r}"


def questions(
    written: Written, kind: Quantity, against: Written | None
) -> tuple[Question, Question | None, tuple[str, ...]]:
    """What is asked, what is subtracted from it, and the names of the numbers.

    ``against`` with ``token`` asks for the first token at which the two outputs part: before it
    they are the same (Yin & Neubig 2022). Raises DataError where they never do.
    """
    first = min(written.forced, len(written.tokens) - 1)
    asked = Question.of(written.tokens, kind, first)
    names = (f"“{written.text}”",) if kind == "output" else written.symbols[first:]
    if against is None:
        return asked, None, names
    if kind == "entropy":
        raise DataError("against must be given with token or output; got entropy")
    if written.tokens == against.tokens:
        raise DataError(f"against must be another output than the target; got {against.text!r}")
    if kind == "output":
        other = Question.of(against.tokens, kind, min(against.forced, len(against.tokens) - 1))
        return asked, other, (f"“{written.text}” not “{against.text}”",)
    both = zip(written.tokens, against.tokens, strict=False)
    place = next((n for n, (own, their) in enumerate(both) if own != their), None)
    if place is None:  # one is the beginning of the other, and was cut off by the search
        raise DataError("against must part from the target at some token; got its beginning")
    contrast = Question(asked.target, (place,), "token", against.tokens[place])
    return contrast, None, (f"{written.symbols[place]} not {against.symbols[place]}",)
