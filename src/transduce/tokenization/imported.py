"""The symbols of a published checkpoint, cut as its own tokenizer cuts, numbered as ours are."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from typing import Any

from tokenizers import AddedToken

from transduce.errors import LanguageError, ModelError
from transduce.interfaces import UNKNOWN
from transduce.tokenization.numbering import Numbering
from transduce.tokenization.pipelines import SPECIALS
from transduce.tokenization.text_pipeline import TextPipeline
from transduce.tokenization.texts import encode_portions
from transduce.untrusted.tokenizer_json import library

__all__ = ["AUTO", "ImportedSymbols"]

AUTO = "auto"  # in place of a recording's language: the model guesses it
_SPECIALS = len(SPECIALS)
_MOST_AROUND = 64


@dataclass(frozen=True)
class ImportedSymbols:
    """What cuts texts as it was published, and what stands around it.

    All numbers here are the checkpoint's own. ``before`` stands before every whole text (BART's
    ``<s>``, a language code), ``after`` behind it, in front of END; a search begins with
    ``before`` too where it is ``forced``. ``hidden`` are passed over when text is made of
    numbers. Where pieces are numbered by a list of their own (Marian, M2M-100), ``entries`` is
    that list. ``languages`` are the codes that :meth:`speaking` may put into ``before``.
    ``their_banned_first`` is what no output begins with, after that. Where the language is
    ``guessed``, the search begins with the likeliest of ``languages`` in the place of that in
    ``before``. No output holds a phrase of ``their_forbidden``.
    """

    pipeline: TextPipeline
    numbering: Numbering
    before: tuple[int, ...] = ()
    forced: bool = False
    hidden: frozenset[int] = frozenset()
    entries: Mapping[str, int] | None = None
    languages: Mapping[str, int] = field(default_factory=dict)
    their_banned_first: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    guessed: bool = False
    their_forbidden: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        """Refuse numbers that are none of a symbol. Raises ModelError."""
        require = self.numbering.require
        require(self.before, "what stands before a text")
        require(self.after, "what stands after a text")
        require(self.their_banned_first, "what begins no output")
        require(self.languages.values(), "a language")
        for phrase in self.their_forbidden:
            require(phrase, "what no output holds")
        if self.entries is not None:
            require(self.entries.values(), "a piece")
        if len(self.before) + len(self.after) > _MOST_AROUND:
            raise ModelError(
                f"at most {_MOST_AROUND} symbols must stand around a text; "
                f"got {len(self.before) + len(self.after)}"
            )

    @property
    def size(self) -> int:
        """Symbols in our numbering, the four special ones among them."""
        return len(self._rows)

    @property
    def begin(self) -> tuple[int, ...]:
        """Our number of what the decoder reads first, as a symbol that it may write too."""
        return tuple(self.numbering.translate((self.numbering.start,)))

    @property
    def first(self) -> tuple[int, ...]:
        """Our numbers of what every output begins with, behind a language that is guessed."""
        fixed = self.before[self.guessed :] if self.forced else ()
        return tuple(self.numbering.translate(fixed))

    @property
    def first_of(self) -> Mapping[int, str]:
        """Languages by our numbers, the likeliest of which begins an output; or none."""
        codes = self.languages if self.guessed else {}
        ours = self.numbering.translate(list(codes.values()))
        return dict(sorted(zip(ours, codes, strict=True)))

    @property
    def closing(self) -> tuple[int, ...]:
        """Our numbers of what stands behind every text."""
        return tuple(self.numbering.translate(self.after))

    @property
    def banned_first(self) -> tuple[int, ...]:
        """Our numbers of what no output may begin with, after :attr:`first`."""
        return tuple(self.numbering.translate(self.their_banned_first))

    @property
    def forbidden(self) -> tuple[tuple[int, ...], ...]:
        """Our numbers of phrases that no output holds, but for those that :attr:`first` holds."""
        begin = " ".join(map(str, ("", *self.first, "")))
        phrases = (tuple(self.numbering.translate(phrase)) for phrase in self.their_forbidden)
        return tuple(p for p in phrases if " ".join(map(str, ("", *p, ""))) not in begin)

    def speaking(self, language: str) -> ImportedSymbols:
        """The same with the code of another language before each text. Raises ModelError."""
        if language not in self.languages:
            known = ", ".join(sorted(self.languages)) or "none"
            raise LanguageError(f"language must be one of {known}; got {language!r}")
        own, codes = self.languages[language], set(self.languages.values())
        if not codes & set(self.before):
            return replace(self, before=(own,))
        before = tuple(own if n in codes else n for n in self.before)
        return replace(self, before=before, guessed=False)

    def replacing(self, symbol: str, other: str) -> ImportedSymbols:
        """The same with another symbol in ``before``: another task for the decoder.

        Raises ModelError where there is none of the names.
        """
        old, new = (self.pipeline.token_to_id(name) for name in (symbol, other))
        if old is None or new is None or not {old, new} & set(self.before):
            raise ModelError(f"model must know {symbol} and {other}; got one that does not")
        before = tuple(new if number == old else number for number in self.before)
        return replace(self, before=before)

    def guessing(self) -> ImportedSymbols:
        """The same with the model guessing the language, which is the first of ``before``.

        Raises ModelError where outputs do not begin with one.
        """
        if not (self.forced and set(self.before[:1]) & set(self.languages.values())):
            raise ModelError("language must be guessed by a model of many; got one of none")
        return replace(self, guessed=True)

    def with_symbols(self, names: Sequence[str]) -> ImportedSymbols:
        """The same with more symbols, each found in texts as it is written."""
        pipeline = copy.deepcopy(self.pipeline)
        new = [name for name in dict.fromkeys(names) if pipeline.token_to_id(name) is None]
        pipeline.add_tokens([AddedToken(name, normalized=False) for name in new])
        entries, size = self.entries, self.numbering.size
        if entries is not None:  # in the list, behind all that the model has rows for
            entries = {**entries, **{name: size + place for place, name in enumerate(new)}}
            size += len(new)
        size = max(size, 0 if entries is not None else pipeline.get_vocab_size())
        return replace(
            self, pipeline=pipeline, entries=entries, numbering=replace(self.numbering, size=size)
        )

    def origins(self, now: ImportedSymbols) -> list[int | None]:
        """For each of the numbers of ``now``, made by :meth:`with_symbols`, ours; None if new."""
        known = self.pipeline.get_vocab_size() if self.entries is None else self.numbering.size
        new = range(known, now.pipeline.get_vocab_size()) if self.entries is None else range(0)
        ours: dict[int, int] = {row: n for n, row in enumerate(self._rows) if n >= _SPECIALS}
        return [
            number if number < _SPECIALS else None if row in new else ours.get(row)
            for number, row in enumerate(now._rows)
        ]

    # ------------------------------------------------ texts and numbers

    def encode(self, texts: Sequence[str], *, whole: bool = True) -> list[list[int]]:
        """Our numbers of texts, with ``before`` where they are ``whole``.

        Raises DataError where a text is not valid Unicode.
        """
        ours = self._ours
        before = self.numbering.translate(self.before) if whole else []
        after = self.numbering.translate(self.after) if whole else []
        return [[*before, *(ours[n] for n in row), *after] for row in self._cut(texts)]

    def decode(self, numbers: Sequence[int]) -> str:
        """The text of our numbers. UNKNOWN is ``<unk>``, as with all our tokenizers."""
        runs: list[list[int]] = [[]]
        for number in numbers:
            if number == UNKNOWN:
                runs += [[UNKNOWN], []]
            elif number >= _SPECIALS and self._rows[number] not in self.hidden:
                runs[-1].append(self._rows[number])
        texts = [SPECIALS[UNKNOWN] if run == [UNKNOWN] else self._text(run) for run in runs if run]
        return " ".join(texts)

    def symbols(self, numbers: Sequence[int]) -> list[str]:
        """Each symbol as the checkpoint writes it; ours for the four special ones."""
        return [
            SPECIALS[n] if n < _SPECIALS else self._piece(self._rows[n]) or f"<{self._rows[n]}>"
            for n in numbers
        ]

    def pieces(self, text: str) -> list[str]:
        """What each symbol of a whole text stands for in it; "" where that is nothing."""
        with library("tokenizer must be able to cut every text"):
            cut = self.pipeline.encode(text, add_special_tokens=False)
        if hasattr(cut, "offsets"):  # the library's; its tokens may say <unk>
            written = [text[start:end] for start, end in cut.offsets]
        else:
            written = list(cut.tokens)
        return [*("" for _ in self.before), *written, *("" for _ in self.after)]

    def _cut(self, texts: Sequence[str]) -> list[list[int]]:
        encode = partial(self.pipeline.encode_batch, add_special_tokens=False)
        encodings = encode_portions(encode, texts)
        if self.entries is None:
            return [encoding.ids for encoding in encodings]
        return [[self._entry(piece) for piece in encoding.tokens] for encoding in encodings]

    def _entry(self, piece: str) -> int:
        unknown = self.numbering.end if self.numbering.unknown is None else self.numbering.unknown
        return unknown if self.entries is None else self.entries.get(piece, unknown)

    def _text(self, theirs: list[int]) -> str:
        with library("tokenizer must be able to write every text"):
            if self.entries is None:
                return self.pipeline.decode(theirs, skip_special_tokens=False)
            pieces = [self._pieces[number] for number in theirs if number in self._pieces]
            return self.pipeline.decoder.decode(pieces) if pieces else ""

    def _piece(self, theirs: int) -> str | None:
        if self.entries is None:
            return self.pipeline.id_to_token(theirs)
        return self._pieces.get(theirs)

    @cached_property
    def _rows(self) -> list[int]:
        return self.numbering.rows()

    @cached_property
    def _ours(self) -> list[int]:
        ours = self.numbering.numbers()
        # what a pipeline knows beyond the rows of the model is unknown to the model
        last = max(self.pipeline.get_vocab().values(), default=-1)
        return ours + [UNKNOWN] * max(0, last + 1 - len(ours))

    @cached_property
    def _pieces(self) -> dict[int, str]:
        return {number: piece for piece, number in (self.entries or {}).items()}

    # ------------------------------------------------ files

    def to_state(self) -> dict[str, Any]:
        """All but the pipeline, as JSON holds it."""
        return {
            "numbering": asdict(self.numbering),
            "before": list(self.before),
            "forced": self.forced,
            "hidden": sorted(self.hidden),
            "entries": None if self.entries is None else dict(self.entries),
            "languages": dict(self.languages),
            "not_first": list(self.their_banned_first),
            "after": list(self.after),
            "guessed": self.guessed,
            "never": [list(phrase) for phrase in self.their_forbidden],
        }

    @classmethod
    def from_state(cls, pipeline: TextPipeline, state: Mapping[str, Any]) -> ImportedSymbols:
        """The inverse of ``to_state``. Raises KeyError, TypeError and ModelError otherwise."""
        entries = state["entries"]
        return cls(
            pipeline,
            Numbering(**state["numbering"]),
            tuple(state["before"]),
            bool(state["forced"]),
            frozenset(state["hidden"]),
            None if entries is None else dict(entries),
            dict(state["languages"]),
            tuple(state["not_first"]),
            tuple(state.get("after", ())),
            bool(state.get("guessed", False)),
            tuple(tuple(phrase) for phrase in state.get("never", ())),
        )
