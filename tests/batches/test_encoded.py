"""Encoded corpora: in memory and in files the same, nothing lost without a count."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from small_batches import make_batch, padded_tokens, real_tokens
from transduce.batches import encoded_corpus as encoded
from transduce.batches.encoded_corpus import EncodedCorpus
from transduce.batches.padding import pad_source, pad_target
from transduce.batches.token_files import digest_of
from transduce.config import DataConfig, TokenizerConfig
from transduce.errors import DataError
from transduce.interfaces import Batch, Source
from transduce.tokenization.texts import PORTION
from transduce.tokenization.tokenizer import Tokenizer

PAIRS = [("abc", "ab"), ("a", "cccc"), ("", "b"), ("cab" * 5, "a"), ("b", "")]


@pytest.fixture(scope="module")
def characters() -> Tokenizer:
    return Tokenizer.train(["abc"], TokenizerConfig())


def same(one: Batch, other: Batch) -> bool:
    tensors = [
        (one.source.tokens, other.source.tokens),
        (one.source.lengths, other.source.lengths),
        (one.target, other.target),
        (one.target_lengths, other.target_lengths),
    ]
    return one.indices == other.indices and all(torch.equal(a, b) for a, b in tensors)


def opened_again(folder: Path, fingerprint: str, size: int = 7) -> EncodedCorpus | None:
    """``size`` is that of the vocabulary of ``characters``."""
    return EncodedCorpus.open(folder, fingerprint, (size, size))


# ------------------------------------------------ padding


def test_source_rows_end_and_are_padded() -> None:
    source = Source.of_tokens([[7, 8], [], [9]])
    assert source.tokens.tolist() == [[7, 8, 3], [3, 0, 0], [9, 3, 0]]
    assert source.lengths.tolist() == [3, 1, 2]
    assert source.tokens.dtype == source.lengths.dtype == torch.int64
    assert source.mask.sum(1).tolist() == [3, 1, 2]


def test_target_rows_begin_end_and_are_padded() -> None:
    tokens, starts, lengths = np.array([7, 8, 3, 9, 3]), np.array([0, 3]), np.array([3, 2])
    target, target_lengths = pad_target(tokens, starts, lengths)
    assert target.tolist() == [[2, 7, 8, 3], [2, 9, 3, 0]]
    assert target.dtype == target_lengths.dtype == torch.int64
    batch = Batch(pad_source(tokens, starts, lengths), target, target_lengths, (4, 2))
    assert batch.source.tokens.tolist() == [[7, 8, 3], [9, 3, 0]]
    assert batch.source.lengths.tolist() == batch.target_lengths.tolist() == [3, 2]
    assert batch.target_input.tolist() == [[2, 7, 8], [2, 9, 3]]
    assert batch.target_output.tolist() == [[7, 8, 3], [9, 3, 0]]
    assert batch.indices == (4, 2)
    assert real_tokens(batch) == (5, 5)
    assert padded_tokens(batch) == (6, 6)


def test_no_rows_keep_a_column(characters: Tokenizer) -> None:
    batch = EncodedCorpus.build(PAIRS, characters, characters).batch([])
    assert batch.source.tokens.shape == Source.of_tokens([]).tokens.shape == (0, 1)
    assert batch.target.shape == (0, 2)
    assert batch.target_output.shape == (0, 1)
    assert real_tokens(batch) == (0, 0)


# ------------------------------------------------ corpora

texts = st.text("abc", max_size=9)


@given(
    pairs=st.lists(st.tuples(texts, texts), max_size=20),
    limits=st.tuples(*[st.none() | st.integers(1, 9)] * 2, st.none() | st.floats(1.1, 6)),
    too_long=st.sampled_from(["skip", "truncate"]),
)
@settings(max_examples=60)
def test_pairs_are_kept_cut_or_counted(
    characters: Tokenizer,
    tmp_path_factory: pytest.TempPathFactory,
    pairs: list[tuple[str, str]],
    limits: tuple[int | None, int | None, float | None],
    too_long: str,
) -> None:
    names = ("max_source_length", "max_target_length", "max_length_ratio")
    config = DataConfig.model_validate(
        {**dict(zip(names, limits, strict=True)), "too_long": too_long}
    )
    kept: list[tuple[list[int], list[int]]] = []
    filtered: dict[str, int] = {}
    truncated: dict[str, int] = {}
    for pair in pairs:
        sides = [characters.encode(text) for text in pair]
        reason = None
        for side, limit, name in zip((0, 1), limits[:2], names[:2], strict=True):
            if limit is not None and len(sides[side]) + 1 > limit:
                if too_long == "truncate":
                    sides[side] = sides[side][: limit - 1]
                    truncated[name] = truncated.get(name, 0) + 1
                else:
                    reason = reason or name
        lengths = sorted(len(side) + 1 for side in sides)
        if reason is None and limits[2] is not None and lengths[1] > limits[2] * lengths[0]:
            reason = names[2]
        if reason is None:
            kept.append((sides[0], sides[1]))
        else:
            filtered[reason] = filtered.get(reason, 0) + 1
    folder = tmp_path_factory.mktemp("corpus")
    for place in (None, folder):
        corpus = EncodedCorpus.build(iter(pairs), characters, characters, config, place)
        assert [corpus.pair(n) for n in range(len(corpus))] == kept
        assert corpus.filtered == filtered
        assert corpus.truncated == truncated
        assert corpus.source_lengths.tolist() == [len(source) + 1 for source, _ in kept]
        assert corpus.target_lengths.tolist() == [len(target) + 1 for _, target in kept]


def test_batch_takes_any_pairs_in_any_order(characters: Tokenizer, tmp_path: Path) -> None:
    for folder in (None, tmp_path / "new" / "folder"):
        corpus = EncodedCorpus.build(PAIRS, characters, characters, folder=folder)
        for indices in ([0, 1, 2, 3, 4], [3, 3, 0], [2], []):
            sides = [[characters.encode(PAIRS[n][side]) for n in indices] for side in (0, 1)]
            assert same(corpus.batch(indices), make_batch(sides[0], sides[1], indices))
            assert same(corpus.batch(np.array(indices, int)), corpus.batch(indices))


def test_large_vocabularies_have_wide_tokens(characters: Tokenizer, tmp_path: Path) -> None:
    many = Tokenizer.train([" ".join(map(str, range(70_000)))], TokenizerConfig(kind="whitespace"))
    pairs = [("69999 0 33333", "abc")]
    for folder in (None, tmp_path):
        corpus = EncodedCorpus.build(pairs, many, characters, folder=folder)
        assert corpus.source.tokens.dtype == np.uint32
        assert corpus.target.tokens.dtype == np.uint16
        assert many.decode(corpus.pair(0)[0]) == "69999 0 33333"


def test_giving_pages_back_changes_nothing(
    characters: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = EncodedCorpus.build(PAIRS, characters, characters, folder=tmp_path)
    before = [corpus.batch([3, n]) for n in range(5)]
    released: list[None] = []
    original = encoded.EncodedSide.release
    monkeypatch.setattr(encoded, "RESIDENT", 0)
    monkeypatch.setattr(encoded, "RELEASE", 2)
    monkeypatch.setattr(
        encoded.EncodedSide, "release", lambda side: (released.append(None), original(side))
    )
    assert all(same(corpus.batch([3, n]), batch) for n, batch in enumerate(before))
    assert len(released) == 4  # both sides, after every second of five batches


def test_memory_stays_flat(characters: Tokenizer, tmp_path: Path) -> None:
    def stream(pairs: int) -> Iterator[tuple[str, str]]:
        return (("abc" * 20, "abc" * 20) for _ in range(pairs))

    def peak(pairs: int) -> int:
        tracemalloc.start()
        EncodedCorpus.build(stream(pairs), characters, characters, folder=tmp_path)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(10)  # what is only loaded once
    few, many = peak(4 * PORTION), peak(8 * PORTION)
    # 24 bytes a pair are lengths and starts; the tokens are 244 bytes a pair
    assert many - few < 4 * PORTION * 60


# ------------------------------------------------ the folder as a cache


def test_open_finds_what_was_built(characters: Tokenizer, tmp_path: Path) -> None:
    config = DataConfig(max_source_length=4)
    built = EncodedCorpus.build(PAIRS, characters, characters, config, tmp_path, "one")
    opened = opened_again(tmp_path, "one")
    assert opened is not None
    assert same(opened.batch(range(len(opened))), built.batch(range(len(built))))
    assert opened.filtered == built.filtered == {"max_source_length": 1}
    assert opened_again(tmp_path, "other") is None
    assert opened_again(tmp_path / "nowhere", "one") is None


def test_an_empty_corpus_is_a_corpus(characters: Tokenizer, tmp_path: Path) -> None:
    assert len(EncodedCorpus.build([], characters, characters)) == 0
    EncodedCorpus.build([], characters, characters, folder=tmp_path)
    opened = opened_again(tmp_path, "")
    assert opened is not None
    assert len(opened) == 0


def test_building_anew_leaves_open_ones_alone(characters: Tokenizer, tmp_path: Path) -> None:
    old = EncodedCorpus.build(PAIRS, characters, characters, folder=tmp_path)
    before = old.batch([0, 3])
    EncodedCorpus.build([("c", "c")], characters, characters, folder=tmp_path)
    assert same(old.batch([0, 3]), before)


def test_interrupted_build_is_not_found(characters: Tokenizer, tmp_path: Path) -> None:
    EncodedCorpus.build(PAIRS, characters, characters, folder=tmp_path)

    def broken() -> Iterator[tuple[str, str]]:
        yield PAIRS[0]
        raise DataError("line must have 2 columns; got 1", file="a.tsv", line=2)

    with pytest.raises(DataError, match=r"a\.tsv, line 2"):
        EncodedCorpus.build(broken(), characters, characters, folder=tmp_path)
    assert opened_again(tmp_path, "") is None


Change = Callable[[dict[str, Any]], object]


def redone(folder: Path, change: Change) -> None:
    """Make the manifest's checksums those of the files, then change it."""
    path = folder / "corpus.json"
    state = json.loads(path.read_text())
    for side, own in state["sides"].items():
        own["digests"] = [digest_of(folder / f"{side}.{part}") for part in ("tokens", "lengths")]
    change(state)
    path.write_text(json.dumps(state))


@pytest.mark.parametrize("name", ["source.tokens", "target.lengths", "corpus.json"])
def test_each_changed_byte_is_noticed(characters: Tokenizer, tmp_path: Path, name: str) -> None:
    EncodedCorpus.build(PAIRS, characters, characters, folder=tmp_path)
    whole = (tmp_path / name).read_bytes()
    damaged = [whole[:-1], whole + b"\0\0", b""]
    if name != "corpus.json":  # in which more or other spaces say the same
        damaged += [whole[:n] + bytes([whole[n] ^ 1]) + whole[n + 1 :] for n in range(len(whole))]
    for content in damaged:
        (tmp_path / name).write_bytes(content)
        assert opened_again(tmp_path, "") is None
    (tmp_path / name).write_bytes(whole)
    assert opened_again(tmp_path, "") is not None
    (tmp_path / name).unlink()
    assert opened_again(tmp_path, "") is None


def test_what_the_files_say_is_not_believed(characters: Tokenizer, tmp_path: Path) -> None:
    """Checksums tell damage; numbers that lead nowhere are found by themselves."""
    EncodedCorpus.build(PAIRS, characters, characters, folder=tmp_path)
    assert opened_again(tmp_path, "", characters.size) is not None
    assert opened_again(tmp_path, "", 5) is None  # symbols beyond a smaller vocabulary

    def lengths(values: list[int]) -> Change:
        (tmp_path / "source.lengths").write_bytes(np.array(values, "<i4").tobytes())
        return lambda state: state["sides"]["source"].update(pairs=len(values))

    right = np.fromfile(tmp_path / "source.lengths", "<i4").tolist()
    manifest = (tmp_path / "corpus.json").read_text()
    changes: list[Change] = [
        lambda state: state["sides"]["source"].update(type="<i2"),
        lambda state: state["sides"]["source"].update(type="O"),
        lambda state: state["sides"]["source"].update(tokens=-1),
        lambda state: state["sides"]["source"].update(tokens=27.0),
        lambda state: state["sides"].update(source=[]),
        lambda state: state["sides"]["source"].update(digests=[]),
        lambda state: state.update(parts=[1]),
        lambda state: state.update(parts=[6, -1]),
        lambda state: state.update(filtered={"max_source_length": "many"}),
        lambda state: state.update(truncated="none"),
        lambda state: state.update(version=2),
    ]
    for change in changes:
        redone(tmp_path, change)
        assert opened_again(tmp_path, "") is None
        (tmp_path / "corpus.json").write_text(manifest)
    for wrong in ([*right[:-1], 2**31 - 1], [right[0] + 2, right[1] - 2, *right[2:]], right[:-1]):
        redone(tmp_path, lengths(wrong))
        assert opened_again(tmp_path, "") is None
        (tmp_path / "corpus.json").write_text(manifest)
    redone(tmp_path, lengths(right))
    assert opened_again(tmp_path, "") is not None


def test_unwritable_folder_is_named(characters: Tokenizer, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(
        DataError, match=r"file/corpus: folder of the encoded corpus must be writable"
    ):
        EncodedCorpus.build(PAIRS, characters, characters, folder=blocked / "corpus")
