"""What an input came to: an answer, a refusal in one line, or a failure."""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass
from pathlib import Path

import transduce
from fuzz.harness import WrongAnswerError
from transduce.errors import TransduceError

__all__ = ["SOURCES", "Failure", "Verdict", "judged", "key_of"]

SOURCES = str(Path(transduce.__file__).parent)
_LONGEST = 2000  # characters of a message that a person is to read
_VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|/[^\s:;,]*|[-+]?[\d,.]*\d|0x[0-9a-f]+|[^\x20-\x7e]+")


@dataclass(frozen=True)
class Failure:
    """``kind`` is exception, panic, signal, time, memory, answer, message or escape.

    ``place`` is the line of ours that was last at work; ``trace`` all that is known.
    """

    kind: str
    what: str
    place: str = ""
    trace: str = ""

    @property
    def signature(self) -> str:
        """By which two failures count as one."""
        return f"{self.kind} {self.what.partition(':')[0]} {self.place}"

    def __str__(self) -> str:
        return f"{self.kind}: {self.what[:300]}" + (f" ({self.place})" if self.place else "")


@dataclass(frozen=True)
class Verdict:
    """``key`` tells outcomes apart; of a failure more is known."""

    refused: bool
    key: str
    failure: Failure | None = None


def judged(error: BaseException) -> Verdict:
    """What a raised error is."""
    told = _told(error)
    if isinstance(error, TransduceError):
        verdict = Verdict(True, key_of(f"{type(error).__name__} {told}"))
        fault = _unreadable(told)
        if fault is None:
            return verdict
        return Verdict(True, verdict.key, _failure("message", f"{fault}: {told[:200]!r}", error))
    kind = "answer" if isinstance(error, WrongAnswerError) else "exception"
    failure = _failure(kind, f"{type(error).__name__}: {told}", error)
    return Verdict(False, failure.signature, failure)


def key_of(text: str) -> str:
    """A text without what differs from input to input."""
    return _VARYING.sub("_", text)[:160]


def _told(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as again:
        return f"(a message that cannot be made: {again!r})"


def _unreadable(message: str) -> str | None:
    """What is wrong with a message as one line for a person; None: nothing."""
    if "\n" in message or "\r" in message:
        return "more than one line"
    if len(message) > _LONGEST:
        return f"more than {_LONGEST} characters"
    return None if message.strip() else "nothing said"


def _failure(kind: str, what: str, error: BaseException) -> Failure:
    trace = "".join(traceback.format_exception(error, chain=True))
    return Failure(kind, what.partition("\n")[0], _place(error), trace[-8000:])


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(SOURCES)]
    if not own:
        return ""
    return f"{own[-1].filename.removeprefix(SOURCES).lstrip('/')}:{own[-1].lineno}"
