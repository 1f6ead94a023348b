"""Text to symbols and back, saved as tokenizer.json of Hugging Face ``tokenizers``."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import Tokenizer as Pipeline
from tokenizers import models

from transduce.errors import DataError, ModelError, naming
from transduce.files import write_bytes
from transduce.interfaces import BEGIN, END, PADDING, UNKNOWN
from transduce.tokenization.direct import direct_encoder, pieces_of
from transduce.tokenization.imported import ImportedSymbols
from transduce.tokenization.pipelines import (
    SPECIALS,
    bytes_of,
    make_normalizer,
    make_pipeline,
    surfaces_of,
    to_state,
)
from transduce.tokenization.stored_pipeline import check_entries, read_stored, stored_text
from transduce.tokenization.tags import TAG_OPEN, cut_at_tags, find_tags
from transduce.tokenization.texts import encode_portions, normalize, portions
from transduce.tokenization.vocabulary import VocabularyLearner, check_size

if TYPE_CHECKING:  # whose library takes its time to load
    from transduce.config import TokenizerConfig

__all__ = ["Tokenizer"]

# The library's threads do not survive a fork. Said by us, it does not warn; a child has one thread.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: os.environ.update(TOKENIZERS_PARALLELISM="false"))


class Tokenizer:
    """One side's symbols: ``<pad> <unk> <bos> <eos>`` (0 to 3), what was learnt, then the tags.

    ``decode(encode(text))`` is, with ``normal = normalize(text)``,

    ============  =====================================================================
    character     ``normal``, where all its characters are known
    whitespace    ``" ".join(normal.split())``, where all its symbols are known
    word          ``normal``, where all its words and punctuation are known
    bpe, unigram  ``normal``, always: characters outside the vocabulary are spelled as bytes
    byte          ``normal``, always
    imported      what the published tokenizer gives (:meth:`imported`)
    ============  =====================================================================

    Text can never become one of the four special symbols: ``"<eos>"`` is read as
    its characters, or as an ordinary symbol where whitespace separates symbols.
    A tag (``⟪PL⟫``) seen in training is one symbol; where a tokenizer has tags,
    one that it does not have is ``<unk>``.
    """

    def __init__(self, pipeline: Pipeline, config: TokenizerConfig) -> None:
        """Wrap a pipeline of :mod:`transduce.tokenization.pipelines`; use ``train`` or ``load``."""
        self.config = config
        self._pipeline = pipeline
        self._imported: ImportedSymbols | None = None
        self._normalizer = make_normalizer(config)
        self._first_tag = pipeline.get_vocab_size(with_added_tokens=False)
        self.size = pipeline.get_vocab_size()
        added = range(self._first_tag, self.size)
        self._tags = {tag: number for number in added if (tag := pipeline.id_to_token(number))}

    @cached_property
    def _entries(self) -> list[str]:
        size = self._pipeline.get_vocab_size()
        return [self._pipeline.id_to_token(number) or "" for number in range(size)]

    @cached_property
    def _surfaces(self) -> list[str]:
        return surfaces_of(self.kind, self._entries)

    @cached_property
    def _bytes(self) -> list[bytes]:
        return bytes_of(self.kind, self._surfaces)

    @classmethod
    def imported(cls, symbols: ImportedSymbols) -> Tokenizer:
        """The tokenizer of a published checkpoint; it has no tags of ours."""
        from transduce.config import TokenizerConfig

        tokenizer = cls(Pipeline(models.WordLevel({})), TokenizerConfig(kind="imported"))
        tokenizer._imported = symbols
        tokenizer.size = tokenizer._first_tag = symbols.size
        return tokenizer

    def speaking(self, language: str) -> Tokenizer:
        """An imported one with another language code before its texts. Raises ModelError."""
        return Tokenizer.imported(self._symbols("to have languages").speaking(language))

    def replacing(self, symbol: str, other: str) -> Tokenizer:
        """An imported one with another symbol among what begins its outputs. Raises ModelError."""
        return Tokenizer.imported(self._symbols("for this").replacing(symbol, other))

    def guessing(self) -> Tokenizer:
        """An imported one whose first symbol, a language, the model chooses. Raises ModelError."""
        return Tokenizer.imported(self._symbols("to have languages").guessing())

    def with_symbols(self, names: Sequence[str]) -> Tokenizer:
        """An imported one that holds ``names`` too, found in texts as they are written."""
        symbols = self._symbols("to grow so")
        return Tokenizer.imported(symbols.with_symbols(names)) if names else self

    def _symbols(self, purpose: str) -> ImportedSymbols:
        if self._imported is None:
            raise ModelError(f"tokenizer must be an imported one {purpose}; got {self.kind}")
        return self._imported

    def origins(self, now: Tokenizer) -> list[int | None]:
        """For each number of a grown imported tokenizer this one's number, None for new ones."""
        if self._imported is None or now._imported is None:
            raise ModelError("tokenizers must both be imported ones")
        return self._imported.origins(now._imported)

    @property
    def first(self) -> tuple[int, ...]:
        """What every output begins with: an imported tokenizer's forced tokens."""
        return () if self._imported is None else self._imported.first

    @property
    def begin(self) -> tuple[int, ...]:
        """What a published decoder reads before :attr:`first`, as a symbol that it may write."""
        return () if self._imported is None else self._imported.begin

    @property
    def published(self) -> ImportedSymbols | None:
        """The symbols of the checkpoint that it is of; None for one that was learnt here."""
        return self._imported

    @property
    def closing(self) -> tuple[int, ...]:
        """What stands behind every text: an imported tokenizer's code of a language."""
        return () if self._imported is None else self._imported.closing

    @property
    def first_of(self) -> Mapping[int, str]:
        """Languages by number, of which the likeliest begins an output, before :attr:`first`."""
        return {} if self._imported is None else self._imported.first_of

    @property
    def banned_first(self) -> tuple[int, ...]:
        """What no output may begin with, after :attr:`first`: an imported tokenizer's."""
        return () if self._imported is None else self._imported.banned_first

    @property
    def forbidden(self) -> tuple[tuple[int, ...], ...]:
        """Phrases that no output holds: those that an imported tokenizer's checkpoint bans."""
        return () if self._imported is None else self._imported.forbidden

    @classmethod
    def train(
        cls, texts: Iterable[str], config: TokenizerConfig, tags: Iterable[str] = ()
    ) -> Tokenizer:
        """Learn the symbols of texts; the same texts give the same tokenizer.

        ``tags`` are written with their brackets, as ``find_tags`` gives them.
        Where there are some, tags in the texts do not count as text. Raises
        DataError where there are no texts or one is not valid Unicode,
        ConfigError where ``vocabulary_size`` is too small.
        """
        known = sorted(set(tags))
        for tag in known:
            if find_tags(tag) != [tag]:
                raise ValueError(f"tags must be written as ⟪TAG⟫; got {tag!r}")
        stream = iter(texts)
        first = next(stream, None)
        if first is None:
            raise DataError("tokenizer must be trained on at least one text; got none")
        check_size(config)
        learner = VocabularyLearner(config, cut_tags=bool(known))
        for portion in portions(chain([first], stream)):
            learner.add(portion)
        return cls.learnt(learner, known)

    @classmethod
    def learnt(cls, learner: VocabularyLearner, tags: Sequence[str] = ()) -> Tokenizer:
        """The tokenizer of a vocabulary; ``tags`` sorted. Raises what the learner found amiss."""
        return cls(make_pipeline(learner.model(), learner.config, tags), learner.config)

    @property
    def kind(self) -> str:
        """``character``, ``whitespace``, ``word``, ``bpe``, ``unigram``, ``byte``, ``imported``."""
        return self.config.kind

    @property
    def first_tag(self) -> int:
        """The number of the first tag; there is none where this is the vocabulary's size."""
        return self._first_tag

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that are one symbol each, brackets included, in the order of their numbers."""
        return tuple(self._tags)

    @property
    def entries(self) -> tuple[str, ...]:
        """All symbols as they stand in tokenizer.json, in the order of their numbers."""
        return tuple(self._entries)

    def __len__(self) -> int:
        return self.size

    def normalize(self, text: str) -> str:
        """The text in normal form and lower case as configured; tags stay as they are."""
        if self._normalizer is None:
            return text
        function = self._normalizer.normalize_str
        if not self._tags:
            return normalize(function, text)
        return "".join(
            piece if is_tag else normalize(function, piece) for piece, is_tag in cut_at_tags(text)
        )

    # ------------------------------------------------ encoding

    def encode(self, text: str) -> list[int]:
        """Numbers of a text's symbols, without BEGIN and END."""
        return self.encode_batch([text])[0]

    def encode_phrase(self, text: str) -> list[int]:
        """Numbers of a piece of a text: nothing is put before it."""
        if self._imported is None:
            return self.encode(text)
        return self._imported.encode([text], whole=False)[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Numbers of many texts, fastest in large batches; with ``right_to_left`` the last first.

        Raises DataError where a text is not valid Unicode (a lone surrogate;
        ``character`` and ``whitespace`` take it for an unknown symbol).
        """
        rows = self._encode_forward(texts)
        return [row[::-1] for row in rows] if self.config.right_to_left else rows

    def _encode_forward(self, texts: Sequence[str]) -> list[list[int]]:
        if self._imported is not None:
            return self._imported.encode(texts)
        encode = self._direct
        if encode is None:
            return self._encode_by_library(texts)
        if not self._tags:
            return [encode(text) for text in texts]
        return [
            encode(text) if TAG_OPEN not in text else self._encode_pieces(text, encode)
            for text in texts
        ]

    @cached_property
    def _direct(self) -> Callable[[str], list[int]] | None:
        encode = direct_encoder(self.kind, self._surfaces[len(SPECIALS) : self._first_tag])
        if encode is None or self._normalizer is None:
            return encode
        function = self._normalizer.normalize_str
        return lambda text: encode(normalize(function, text))

    def _encode_by_library(self, texts: Sequence[str]) -> list[list[int]]:
        encode = partial(self._pipeline.encode_batch_fast, add_special_tokens=False)
        rows: list[list[int]] = [encoding.ids for encoding in encode_portions(encode, texts)]
        if self._tags:
            for row, text in enumerate(texts):
                if TAG_OPEN in text and not self._tags.keys() >= set(find_tags(text)):
                    rows[row] = self._encode_pieces(
                        text,
                        lambda piece: self._pipeline.encode(piece, add_special_tokens=False).ids,
                    )
        return rows

    def _encode_pieces(self, text: str, encode: Callable[[str], list[int]]) -> list[int]:
        numbers: list[int] = []
        for piece, is_tag in cut_at_tags(text):
            if is_tag:
                numbers.append(self._tags.get(piece, UNKNOWN))
            else:
                numbers += encode(piece)
        return numbers

    # ------------------------------------------------ decoding

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some symbols; PADDING, BEGIN and END are passed over, UNKNOWN is ``<unk>``.

        Bytes that are no valid UTF-8 (a model can write such) become U+FFFD.
        """
        kept = [number for number in ids if number not in (PADDING, BEGIN, END)]
        if self.config.right_to_left:
            kept.reverse()
        if self._imported is not None:
            return self._imported.decode(kept)
        if self.kind == "whitespace":
            return " ".join([self._surfaces[number] for number in kept])
        if self.kind in ("character", "byte") or not kept:
            return self._joined(kept)
        # A space stands before the text and after each tag; only a tag is unknown to bytes.
        runs: list[list[int]] = [[]]
        for number in kept:
            if number >= self._first_tag or (number == UNKNOWN and self.kind != "word"):
                runs += [[number], []]
            else:
                runs[-1].append(number)
        return "".join(self._joined(run).removeprefix(" ") for run in runs)

    def _joined(self, numbers: Sequence[int]) -> str:
        return b"".join([self._bytes[n] for n in numbers]).decode("utf-8", errors="replace")

    def symbols(self, ids: Sequence[int]) -> list[str]:
        """Each symbol as a person reads it, for pictures and reports: ``<eos>``, ``⟪PL⟫``, ``a``.

        Bytes are ``<0xE9>``, or the character itself where they are printable ASCII.
        """
        if self._imported is not None:
            return self._imported.symbols(ids)
        if self.kind not in ("byte", "bpe", "unigram"):
            return [self._surfaces[number] for number in ids]
        first = len(SPECIALS)
        printable = range(first + 0x21, first + 0x7F)
        return [
            chr(number - first) if number in printable else self._surfaces[number] for number in ids
        ]

    def written(self, text: str) -> list[str]:
        """The symbols of a text as :meth:`symbols` has them, unknown ones as the text has them."""
        numbers = self.encode(text)
        shown = self.symbols(numbers)
        if UNKNOWN not in numbers:
            return shown
        if self._imported is None:
            normal, tagged = self.normalize(text), bool(self._tags)
            pieces = pieces_of(self.kind, normal, self.encode, tagged=tagged)
        else:
            pieces = self._imported.pieces(text)
        turn = -1 if self.config.right_to_left else 1
        named = zip(numbers, shown, pieces[::turn], strict=True)
        return [piece or symbol if n == UNKNOWN else symbol for n, symbol, piece in named]

    # ------------------------------------------------ files

    def to_json(self) -> str:
        """What stands in tokenizer.json; ``tokenizers.Tokenizer.from_str`` reads it too, but for
        SentencePiece's models, which the library does not have.
        """
        imported = self._imported
        state = to_state(self._pipeline if imported is None else imported.pipeline, self.config)
        if imported is not None:
            state["model"]["transduce"]["imported"] = imported.to_state()
        return json.dumps(state, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str, name: str | Path = "tokenizer.json") -> Tokenizer:
        """Read what ``to_json`` gave; ``name`` stands in the ModelError of a broken one."""
        from transduce.config import TokenizerConfig

        ours = f"{name}: tokenizer must be one that Transduce wrote"
        if not text.lstrip().startswith("{"):
            raise ModelError(ours)
        pipeline, state = read_stored(text, name)
        try:
            options = dict(state["model"]["transduce"])
            version, imported = options.pop("version"), options.pop("imported", None)
            if version != 1:
                raise ModelError(f"{name}: tokenizer must be of version 1; got {version}")
            config = TokenizerConfig.model_validate(options)
            if imported is not None:
                with naming(name):
                    return cls.imported(ImportedSymbols.from_state(pipeline, imported))
            if not isinstance(pipeline, Pipeline):
                raise ModelError(ours)
        except (KeyError, TypeError, AttributeError):
            raise ModelError(ours) from None
        except ValueError as error:
            reason = str(error).splitlines()[0]
            raise ModelError(f"{name}: tokenizer must be whole and valid; {reason}") from None
        check_entries(pipeline, config, name)
        return cls(pipeline, config)

    def save(self, path: str | Path) -> None:
        """Write tokenizer.json, aside first and then renamed. Raises ModelError where it cannot."""
        try:
            write_bytes(Path(path), self.to_json().encode())
        except OSError as error:
            raise ModelError(f"{path}: tokenizer must be writable; {error.strerror}") from None

    @classmethod
    def load(cls, path: str | Path) -> Tokenizer:
        """Read a saved tokenizer, packed where the name ends in .gz.

        Raises ModelError naming the file where it is broken.
        """
        return cls.from_json(stored_text(path), path)
