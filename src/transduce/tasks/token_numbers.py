"""Between a checkpoint's own numbers of symbols, which callers write, and ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from transduce.errors import ConfigError
from transduce.interfaces import BEGIN, END, PADDING
from transduce.tokenization.joint import Coder, coder
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.trained import TrainedModel

__all__ = ["TokenNumbers"]

_SPECIALS = 4


class TokenNumbers:
    """The numbers of a model's target symbols; of a model of our own they are ours already."""

    def __init__(self, model: TrainedModel, part: str) -> None:
        tokenizer = model.target_tokenizer
        self.coder: Coder = coder(tokenizer, part)
        published = tokenizer.published if isinstance(tokenizer, Tokenizer) else None
        self._published = published
        self._numbering = None if published is None else published.numbering
        self.size = tokenizer.size if self._numbering is None else self._numbering.size
        self._model = model

    def ours(self, name: str, given: object) -> tuple[int, ...]:
        """The numbers of an option in our order. Raises ConfigError naming it."""
        values = given if isinstance(given, list | tuple) else [given]
        numbers: list[int] = []
        for value in values:
            number = self._whole(value)
            if number is None or not 0 <= number < self.size:
                raise ConfigError(
                    f"{name} must be numbers of symbols, 0 to {self.size - 1}; "
                    f"got {str(value)[:40]}"
                )
            numbers.append(number)
        return tuple(numbers if self._numbering is None else self._numbering.translate(numbers))

    @staticmethod
    def _whole(value: object) -> int | None:
        if isinstance(value, bool):
            return None
        if isinstance(value, int):
            return value
        item = getattr(value, "item", None)  # a number of NumPy's or torch's
        found = item() if callable(item) else None
        return found if type(found) is int else None

    def phrases(self, name: str, given: object) -> list[tuple[int, ...]]:
        """Lists of numbers in our order. Raises ConfigError."""
        if not isinstance(given, list | tuple) or not all(
            isinstance(phrase, list | tuple) and phrase for phrase in given
        ):
            raise ConfigError(f"{name} must be a list of lists of symbols' numbers")
        return [self.ours(name, phrase) for phrase in given]

    def theirs(self, ours: Iterable[int], *, prompt: str, finished: bool) -> list[int]:
        """The whole sequence as ``generate`` gives it: the start (of a decoder alone: the prompt),
        the tokens, the end.
        """
        begun = self.coder.encode(prompt) if self._model.goes_on else [BEGIN]
        numbers = [*begun, *ours, *([END] if finished else [])]
        if self._numbering is None:
            return numbers
        rows = self._numbering.rows()
        return [rows[number] for number in numbers]

    @property
    def padding(self) -> int:
        """Their number of what fills up shorter sequences."""
        if self._numbering is None:
            return PADDING
        return self._numbering.rows()[PADDING]

    def language(self) -> str:
        """The code of the language that outputs begin with, or none."""
        languages = {} if self._published is None else self._published.languages
        before = () if self._published is None else self._published.before
        return next((code for code, number in languages.items() if number in before), "")

    @property
    def start(self) -> int | None:
        """Their number of what the decoder reads first; None where there is no saying."""
        return None if self._numbering is None else self._numbering.start

    def of_source(self) -> tuple[int, ...]:
        """For each source token the target token that is written alike; PADDING for none."""
        if self._model.goes_on:
            return tuple(range(self._model.target_tokenizer.size))
        source, target = self._model.source_tokenizer, self._model.target_tokenizer
        known: Mapping[str, int] = {
            symbol: number for number, symbol in enumerate(target.symbols(range(target.size)))
        }
        return tuple(
            number if number < _SPECIALS else known.get(symbol, PADDING)
            for number, symbol in enumerate(source.symbols(range(source.size)))
        )

    def cut_at(self, numbers: Sequence[int], ends: Sequence[str]) -> Sequence[int] | None:
        """The tokens up to the first with which one of the texts is whole; None: none is."""
        whole = self.coder.decode(list(numbers))
        if not any(end in whole for end in ends):
            return None
        for count in range(1, len(numbers) + 1):
            text = self.coder.decode(list(numbers[:count]))
            if any(end in text for end in ends):
                return numbers[:count]
        return None
