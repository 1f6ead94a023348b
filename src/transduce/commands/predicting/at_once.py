"""``transduce predict`` where it can begin at once: a known model, lines of text, a plain search.

Nothing here loads torch, the recipe's library or that of the command line. What this cannot do, or
has to refuse, is left to the ordinary command, which says what is wrong.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from transduce.commands.predicting.answer_files import opened_answers
from transduce.commands.predicting.answer_forms import FORMS, Answer
from transduce.commands.predicting.arriving import NotedSources, from_a_pipe, from_a_terminal
from transduce.commands.predicting.refused import Refused
from transduce.light.light_model import LightModel, known_model
from transduce.light.noted_options import NotedSearch
from transduce.reading.formats import format_of
from transduce.reading.sources import lines_or_errors, standard_input

__all__ = ["answers_at_once"]

_AHEAD = 4096
_NAMES = {
    "--beam": "beam",
    "--nbest": "nbest",
    "--output": "output",
    "-o": "output",
    "--format": "form",
}
_LONGEST = 6  # digits


@dataclass
class _Words:
    """The words of the command, as far as this knows them."""

    words: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)

    @property
    def model(self) -> Path:
        """The model directory."""
        return Path(self.words[0])

    @property
    def sources(self) -> list[str]:
        """Files, or standard input."""
        return self.words[1:] or ["-"]

    @property
    def output(self) -> Path | None:
        """Where answers go, if not to standard output."""
        return Path(self.options["output"]) if "output" in self.options else None

    @property
    def form(self) -> str:
        """How they are written."""
        return self.options.get("form", "text")

    def number(self, name: str) -> int | None:
        """What an option says; None where it is not given."""
        return int(self.options[name]) if name in self.options else None


def answers_at_once(arguments: Sequence[str]) -> Callable[[], None] | None:
    """What answers the words behind ``transduce``; None, and nothing done, where this cannot."""
    asked = _understood(arguments)
    if asked is None or not _has_places(asked):
        return None
    model = known_model(asked.model)
    if model is None:
        return None
    options = model.search.asked(asked.number("beam"), asked.number("nbest"))
    return None if options is None else partial(_answer, asked, model, options)


def _answer(asked: _Words, model: LightModel, options: NotedSearch) -> None:
    streams = (standard_input() if path == "-" else path for path in asked.sources)
    given = itertools.chain.from_iterable(map(lines_or_errors, streams))
    sources = NotedSources(given, waiting=from_a_pipe(asked.sources))
    refused = Refused(at_once=False)
    found = model.predict(sources, options, window=_AHEAD, keep_going=True)
    with opened_answers(FORMS[asked.form], asked.output, None, options.nbest) as answers:
        for outputs in found:
            name = sources.names.popleft()
            refused.note(outputs[0])
            answers.write(Answer(name, outputs, options.nbest))
            if not sources.names:  # all that has come is answered
                answers.flush()
    refused.finish(sources.failure)


def _understood(arguments: Sequence[str]) -> _Words | None:
    """None where there is anything that is not plain."""
    if not arguments or arguments[0] != "predict":
        return None
    asked, waiting = _Words(), iter(arguments[1:])
    for word in waiting:
        if word == "-" or not word.startswith("-"):
            asked.words.append(word)
            continue
        name, equals, value = word.partition("=")
        option = _NAMES.get(name)
        if option is None or option in asked.options or (equals and not name.startswith("--")):
            return None
        asked.options[option] = value if equals else next(waiting, "")
    numbers = [asked.options[name] for name in ("beam", "nbest") if name in asked.options]
    if not all(text.isascii() and text.isdigit() and len(text) <= _LONGEST for text in numbers):
        return None
    if not asked.words or "0" in [text.strip("0") or "0" for text in numbers]:
        return None
    return asked if asked.form in ("text", "jsonl") else None


def _has_places(asked: _Words) -> bool:
    """Whether files are there to be read as lines, and one can be written."""
    if from_a_terminal(asked.sources):
        return False
    for source in asked.sources:
        if source != "-" and (format_of(Path(source)) or not os.path.isfile(source)):
            return False
    output = asked.output
    if output is None:
        return "output" not in asked.options
    if not asked.options["output"] or os.path.isdir(output) or not os.path.isdir(output.parent):
        return False
    with contextlib.suppress(OSError):
        return not any(s != "-" and os.path.samefile(output, s) for s in asked.sources)
    return True
