"""Every error that a person can cause, in one tree.

The terminal prints such an error as one line and exits with status 2; anything
else that is raised is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "BusyError",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "EngineError",
    "LanguageError",
    "ModelError",
    "NoModelError",
    "NoProgramError",
    "SearchError",
    "TrainingError",
    "TransduceError",
    "UnknownTaskError",
    "did_you_mean",
    "naming",
    "one_line",
]

_LONGEST = 2000  # characters of a message
_END = 400  # of these come from its end
_GAP = " … "
_SAID = 1000  # characters of what is said of a file's content


def one_line(text: str) -> str:
    """A text as a terminal may show it: what files put into it moves no cursor and ends no line.

    Characters that are not printed (controls, directions of writing, halves of a surrogate pair)
    are written as ``\\x1b``; of a very long text the middle is left out.
    """
    text = _shortened(text)
    if text.isprintable():
        return text
    return _shortened("".join(c if c.isprintable() else ascii(c)[1:-1] for c in text))


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: ``, did you mean X?``, or nothing to say."""
    names = list(known)
    near = [other for other in names if other.startswith(f"{name}-")]
    near = near or difflib.get_close_matches(str(name), names, n=1)
    return f", did you mean {near[0]}?" if near else ""


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST - len(_GAP) - _END]}{_GAP}{text[-_END:]}"


class TransduceError(Exception):
    """Base of all errors that a person can cause and mend. Its message is one line."""

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(message))


class ConfigError(TransduceError, ValueError):
    """A recipe or an option has a wrong value. The message names the key."""


class DataError(TransduceError, ValueError):
    """A file with pairs cannot be used. The message names the file and the line."""

    def __init__(
        self, message: str, *, file: str | Path | None = None, line: int | None = None
    ) -> None:
        place = "" if file is None else str(file) if line is None else f"{file}, line {line}"
        if len(message) > _SAID:  # a line of megabytes, a table of ten thousand columns
            message = f"{message[:_SAID]}…"
        TransduceError.__init__(self, f"{place}: {message}" if place else message)
        self.file = file
        self.line = line


class ModelError(TransduceError):
    """A model directory is missing, incomplete or of another kind than asked for."""


class LanguageError(ModelError, ValueError):
    """A model of many languages is told none, or one that it does not know; ``known`` are those
    that it does.
    """

    def __init__(self, message: str = "", known: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.known = known


class NoModelError(ModelError, OSError):
    """A name that is no folder, and none that the hub's cache or the hub itself has."""


class UnknownTaskError(ConfigError, KeyError):
    """A task that no pipeline is for."""

    def __str__(self) -> str:
        return str(self.args[0])  # that of KeyError puts it in quotes


class CheckpointError(TransduceError):
    """A checkpoint cannot be written or read."""


class BusyError(TransduceError):
    """A directory cannot be written, since another process is at work in it."""


class EngineError(TransduceError):
    """The fast form of a model cannot be made: no compiler, no memory, or a module it lacks."""


class NoProgramError(EngineError):
    """A model has a module that the engine has no program for: the model itself may run."""

    @classmethod
    def of(cls, what: str, module: object) -> NoProgramError:
        """That there is none for this encoder, decoder, attention."""
        name = type(module).__name__
        return cls(f"{what} must be one that the engine has a program for; got {name}")


class SearchError(TransduceError, ValueError):
    """The options of a search contradict each other, the model or the sentence."""


class TrainingError(TransduceError):
    """Training cannot go on: the loss is not a number, memory is short, nothing to score."""


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Make a ConfigError or ModelError inside the block a ModelError that names the path."""
    try:
        yield
    except (ConfigError, ModelError) as error:
        text = str(error)
        text = text if str(path) in text else f"{path}: {text}"
        if isinstance(error, LanguageError):
            raise LanguageError(text, error.known) from None
        raise ModelError(text) from None
