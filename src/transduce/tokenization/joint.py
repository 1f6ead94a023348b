"""One vocabulary for several tokenizers: parts of a mixture may cut their texts each its own way.

Each tokenizer is learnt from its own parts' texts alone. The joint vocabulary is the union of
their symbols: two that are written alike, such as the letter and the phone ``a``, are one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Protocol

from transduce.tokenization.tokenizer import Tokenizer

if TYPE_CHECKING:  # whose library takes its time to load
    from transduce.config import TokenizerConfig

__all__ = ["Coder", "JointTokenizer", "PartTokenizer", "coder"]


class Coder(Protocol):
    """Texts to numbers and back: a tokenizer, or one of several with a joint vocabulary."""

    @property
    def config(self) -> TokenizerConfig:
        """How texts are cut."""
        ...

    @property
    def size(self) -> int:
        """Symbols of the whole vocabulary."""
        ...

    @property
    def first(self) -> tuple[int, ...]:
        """What every output begins with, before what the model chooses."""
        ...

    @property
    def begin(self) -> tuple[int, ...]:
        """What the decoder reads before :attr:`first`, as a symbol that it may write too."""
        ...

    @property
    def first_of(self) -> Mapping[int, str]:
        """Languages by number, of which the likeliest begins an output, before :attr:`first`."""
        ...

    @property
    def banned_first(self) -> tuple[int, ...]:
        """What no output may begin with, after :attr:`first`."""
        ...

    @property
    def forbidden(self) -> tuple[tuple[int, ...], ...]:
        """Phrases that no output holds."""
        ...

    @property
    def closing(self) -> tuple[int, ...]:
        """What stands behind every text, before END: a language code."""
        ...

    def encode(self, text: str) -> list[int]:
        """Numbers of a text's symbols, without BEGIN and END."""
        ...

    def encode_phrase(self, text: str) -> list[int]:
        """Numbers of a piece of a text."""
        ...

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Numbers of many texts."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some symbols."""
        ...

    def symbols(self, ids: Sequence[int]) -> list[str]:
        """Each symbol as a person reads it."""
        ...

    def written(self, text: str) -> list[str]:
        """The symbols of a text as a person reads them, unknown ones as they stand in it."""
        ...


class JointTokenizer:
    """The tokenizers of one side by the name of their part, "" being that of all other parts.

    Symbols are numbered from the first tokenizer on, those of the next that are new after them,
    and all tags last; so every vocabulary still begins with the four special symbols.
    """

    def __init__(self, members: Mapping[str, Tokenizer]) -> None:
        """``members`` are at least one, in the order of the recipe."""
        self.members = dict(members)
        plain: dict[str, str] = {}  # as it is stored, and as a person reads it
        for member in self.members.values():
            entries = member.entries[: member.first_tag]
            shown = member.symbols(range(member.first_tag))
            for entry, symbol in zip(entries, shown, strict=True):
                plain.setdefault(entry, symbol)
        self.first_tag = len(plain)
        self.tags = tuple(sorted({tag for member in self.members.values() for tag in member.tags}))
        self.size = self.first_tag + len(self.tags)
        self._shown = [*plain.values(), *self.tags]
        self._plain = {entry: number for number, entry in enumerate(plain)}

    def __len__(self) -> int:
        return self.size

    @property
    def entries(self) -> tuple[str, ...]:
        """All symbols as they stand in the members' files, in the order of their numbers."""
        return (*self._plain, *self.tags)

    def member(self, part: str) -> Tokenizer:
        """The tokenizer of a part, with numbers of its own."""
        member = self.members.get(part, self.members.get(""))
        if member is None:
            raise ValueError(f"part must be one of {', '.join(self.members)}; got {part!r}")
        return member

    def of(self, part: str) -> PartTokenizer:
        """What reads and writes the texts of a part."""
        member = self.member(part)
        tags = {tag: number for number, tag in enumerate(self.tags, self.first_tag)}
        plain = [self._plain[entry] for entry in member.entries[: member.first_tag]]
        return PartTokenizer(member, self, [*plain, *(tags[tag] for tag in member.tags)])

    def symbols(self, ids: Sequence[int]) -> list[str]:
        """Each symbol as a person reads it."""
        return [self._shown[number] for number in ids]

    def to_json(self) -> str:
        """All members; equal where two joint tokenizers read and write alike."""
        return json.dumps({name: member.to_json() for name, member in self.members.items()})


class PartTokenizer:
    """A tokenizer whose symbols have the numbers of a joint vocabulary."""

    def __init__(self, member: Tokenizer, joint: JointTokenizer, numbers: Sequence[int]) -> None:
        """``numbers[n]`` is the joint number of the member's symbol n."""
        self.config = member.config
        self.size = joint.size
        self._member, self._joint = member, joint
        self._numbers = None if list(numbers) == list(range(len(numbers))) else list(numbers)
        self._own = {number: own for own, number in enumerate(numbers)}
        self.begin: tuple[int, ...] = ()
        self.first: tuple[int, ...] = ()
        self.first_of: Mapping[int, str] = {}
        self.banned_first: tuple[int, ...] = ()
        self.closing: tuple[int, ...] = ()
        self.forbidden: tuple[tuple[int, ...], ...] = ()

    def encode(self, text: str) -> list[int]:
        """Numbers of a text's symbols, without BEGIN and END."""
        return self.encode_batch([text])[0]

    def encode_phrase(self, text: str) -> list[int]:
        """Numbers of a piece of a text."""
        return self.encode(text)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Numbers of many texts, as :meth:`Tokenizer.encode_batch`."""
        rows, numbers = self._member.encode_batch(texts), self._numbers
        return rows if numbers is None else [[numbers[n] for n in row] for row in rows]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some symbols; those of other parts, which a model may write, as they are."""
        numbers = list(ids)
        if all(number in self._own for number in numbers):
            return self._member.decode([self._own[number] for number in numbers])
        between = " " if self.config.kind == "whitespace" else ""
        return between.join(self._pieces(numbers))

    def symbols(self, ids: Sequence[int]) -> list[str]:
        """Each symbol as a person reads it."""
        return self._joint.symbols(ids)

    def written(self, text: str) -> list[str]:
        """The symbols of a text as a person reads them, unknown ones as they stand in it."""
        return self._member.written(text)

    def _pieces(self, numbers: list[int]) -> Iterator[str]:
        """Texts of the runs of own and of other symbols, from left to right."""
        turn = -1 if self.config.right_to_left else 1
        for own, run in groupby(numbers[::turn], lambda number: number in self._own):
            if own:
                yield self._member.decode([self._own[number] for number in run][::turn])
            else:
                yield from self._joint.symbols(list(run))


def coder(tokenizer: Tokenizer | JointTokenizer, part: str) -> Coder:
    """What reads and writes one side of a part: the side's only tokenizer, or the part's."""
    return tokenizer.of(part) if isinstance(tokenizer, JointTokenizer) else tokenizer
