"""Tokenizers of published models: the numbers and texts that transformers' own give."""

from __future__ import annotations

import warnings

import pytest
import sentencepiece
import torch
import transformers
from families import FAIRSEQ
from hypothesis import given
from hypothesis import strategies as st
from published import SENTENCES, train_pieces, write_json

from transduce.errors import ModelError
from transduce.interfaces import BEGIN, END, PADDING, UNKNOWN
from transduce.pretrained.checkpoint.published_checkpoint import PublishedCheckpoint
from transduce.pretrained.checkpoint.published_vocabulary import (
    Vocabulary,
    byte_level_vocabulary,
    fairseq_vocabulary,
    listed_vocabulary,
    marian_vocabularies,
    t5_vocabulary,
)
from transduce.pretrained.checkpoint.sentencepiece import pipeline_of, read_pieces
from transduce.tokenization.imported import ImportedSymbols
from transduce.tokenization.numbering import Numbering
from transduce.tokenization.tokenizer import Tokenizer

TEXTS = [*SENTENCES, "Über den Fluß, naïve!", "ﬁne ½ Ⅳ", "a  b   c ", " lead", "日本語 text", "x"]
words = st.text(st.sampled_from("aehilnorst Zé½ﬁ日.,"), max_size=30)


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "unigram"},
        {"kind": "bpe"},
        {"kind": "unigram", "byte_fallback": True, "size": 330},
        {"kind": "bpe", "byte_fallback": True, "size": 330},
        {"kind": "unigram", "normalization_rule_name": "identity"},
        {"kind": "unigram", "user_defined_symbols": ["<sep>"]},
    ],
    ids=str,
)
def test_pipeline_cuts_as_sentencepiece_does(options, tmp_path):
    path = tmp_path / "pieces.model"
    train_pieces(path, **options)
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(path))
    ours = pipeline_of(read_pieces(path))
    extra = ["a<sep>b"] if "user_defined_symbols" in options else []

    def agree(text: str) -> None:
        numbers = theirs.encode(text)
        assert ours.encode(text, add_special_tokens=False).ids == numbers, text
        # SentencePiece writes ⁇ for what it does not know, and we never write that
        if theirs.unk_id() not in numbers:
            assert ours.decode(numbers, skip_special_tokens=False) == theirs.decode(numbers)

    for text in [*TEXTS, *extra]:
        agree(text)
    given(words)(agree)()


def folder_with(tmp_path, model_type: str = "t5", **files: object):
    write_json(tmp_path / "config.json", {"model_type": model_type})
    for name, values in files.items():
        write_json(tmp_path / f"{name}.json", values)
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, tmp_path / "model.safetensors")
    return PublishedCheckpoint(tmp_path)


def cut(vocabulary: Vocabulary, text: str, unknown: int) -> list[int]:
    encoding = vocabulary.pipeline.encode(text, add_special_tokens=False)
    if vocabulary.entries is None:
        return encoding.ids
    return [vocabulary.entries.get(piece, unknown) for piece in encoding.tokens]


def test_t5_from_sentencepiece_has_its_extra_symbols(tmp_path):
    options = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
    train_pieces(tmp_path / "spiece.model", **options)
    vocabulary = t5_vocabulary(folder_with(tmp_path, tokenizer_config={"extra_ids": 5}))
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "spiece.model"))
    for text in TEXTS:
        assert cut(vocabulary, text, 2) == theirs.encode(text)
    last = theirs.get_piece_size() + 4
    assert vocabulary.pipeline.token_to_id("<extra_id_0>") == last
    assert cut(vocabulary, "a <extra_id_0>", 2)[-1] == last
    assert {0, 1, 2, last} <= vocabulary.hidden


def test_byt5_is_bytes(tmp_path):
    checkpoint = folder_with(tmp_path, tokenizer_config={"tokenizer_class": "ByT5Tokenizer"})
    vocabulary, theirs = t5_vocabulary(checkpoint), transformers.ByT5Tokenizer()
    for text in [*TEXTS, "\n\t", "<extra_id_3>"]:
        assert cut(vocabulary, text, 2) == theirs(text, add_special_tokens=False)["input_ids"]
        numbers = theirs(text, add_special_tokens=False)["input_ids"]
        if text != "<extra_id_3>":
            assert vocabulary.pipeline.decode(numbers) == text


def test_marian_looks_pieces_up(tmp_path):
    for name, size in (("source.spm", 50), ("target.spm", 60)):
        train_pieces(tmp_path / name, size=size)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "source.spm"))
    pieces = [processor.id_to_piece(n) for n in range(3, processor.get_piece_size())]
    names = ["</s>", "<unk>", *pieces[::-1], ">>fra<<", "<pad>"]
    entries = {name: number for number, name in enumerate(names)}
    source, target = marian_vocabularies(folder_with(tmp_path, "marian", vocab=entries))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it recommends a package
        theirs = transformers.MarianTokenizer(
            str(tmp_path / "source.spm"), str(tmp_path / "target.spm"), str(tmp_path / "vocab.json")
        )
    for text in [*SENTENCES, ">>fra<< the cat", "what about Q"]:
        assert cut(source, text, 1) == theirs(text)["input_ids"][:-1]
    symbols = ImportedSymbols(
        target.pipeline, Numbering(len(names), len(names) - 1, 1, len(names) - 1, 0),
        hidden=target.hidden, entries=target.entries,
    )  # fmt: skip
    rows = [row for row in symbols.encode(SENTENCES) if UNKNOWN not in row]
    assert len(rows) > 3
    assert [symbols.decode(row) for row in rows] == [
        theirs.decode([symbols.numbering.rows()[n] for n in row], skip_special_tokens=True)
        for row in rows
    ]


def test_m2m100_looks_pieces_up_and_has_languages(tmp_path):
    train_pieces(tmp_path / "sentencepiece.bpe.model", "bpe")
    processor = sentencepiece.SentencePieceProcessor(
        model_file=str(tmp_path / "sentencepiece.bpe.model")
    )
    pieces = [processor.id_to_piece(n) for n in range(3, processor.get_piece_size())]
    entries = {name: number for number, name in enumerate([*FAIRSEQ, *pieces[::-1]])}
    write_json(tmp_path / "vocab.json", entries)
    theirs = transformers.M2M100Tokenizer(
        str(tmp_path / "vocab.json"), str(tmp_path / "sentencepiece.bpe.model"), src_lang="fr"
    )
    languages = list(theirs.lang_code_to_token.values())
    vocabulary = listed_vocabulary(
        folder_with(
            tmp_path, "m2m_100", special_tokens_map={"additional_special_tokens": languages}
        )
    )
    for text in SENTENCES:
        assert cut(vocabulary, text, 3) == theirs(text)["input_ids"][1:-1]
    assert vocabulary.entries["__fr__"] == theirs.get_lang_id("fr")


def test_fairseq_puts_four_symbols_in_front(tmp_path):
    train_pieces(tmp_path / "sentencepiece.bpe.model")
    theirs = sentencepiece.SentencePieceProcessor(
        model_file=str(tmp_path / "sentencepiece.bpe.model")
    )
    languages = {"additional_special_tokens": ["en_XX", "fr_XX"]}
    vocabulary = fairseq_vocabulary(folder_with(tmp_path, "mbart", special_tokens_map=languages))
    for text in TEXTS:
        expected = [3 if number == 0 else number + 1 for number in theirs.encode(text)]
        assert cut(vocabulary, text, 3) == expected
    assert vocabulary.pipeline.token_to_id("fr_XX") == theirs.get_piece_size() + 2


def test_byte_level_from_merges(tmp_path):
    from tokenizers import ByteLevelBPETokenizer

    learnt = ByteLevelBPETokenizer()
    learnt.train_from_iterator(SENTENCES, 330, special_tokens=[*FAIRSEQ, "<mask>"])
    learnt.save_model(str(tmp_path))
    vocabulary = byte_level_vocabulary(folder_with(tmp_path, "bart"))
    for text in [*TEXTS, " two  spaces", "<s>"]:
        assert cut(vocabulary, text, 3) == learnt.encode(text, add_special_tokens=False).ids
        numbers = cut(vocabulary, text, 3)
        assert vocabulary.pipeline.decode(numbers, skip_special_tokens=False) == text


# ------------------------------------------------ numbering

SIZES = st.integers(6, 40)


@given(SIZES, st.data())
def test_numbering_is_a_permutation_but_for_begin(size, data):
    some = data.draw(st.permutations(range(size)))
    padding, unknown = data.draw(
        st.sampled_from([(some[0], some[1]), (None, some[1]), (None, None)])
    )
    start = data.draw(st.sampled_from([some[0], some[2], some[3]]))
    numbering = Numbering(size, padding, unknown, start, some[2])
    rows = numbering.rows()
    assert set(rows[4:]) == set(range(size)) - {padding, unknown, some[2]}
    assert rows[4:] == sorted(rows[4:])
    assert (rows[BEGIN], rows[END]) == (start, some[2])
    assert rows[PADDING] == (some[2] if padding is None else padding)
    ours = numbering.numbers()
    assert all(rows[ours[n]] == n for n in range(size) if ours[n] != UNKNOWN)
    assert numbering.translate([some[2], *rows[4:]]) == [END, *range(4, len(rows))]
    table = torch.arange(size)
    assert numbering.permuted(table).tolist() == rows
    real = [rows[n] for n in range(len(rows)) if n not in numbering.invented()]
    assert sorted(real) == list(range(size))


def test_text_never_becomes_an_end(tmp_path):
    train_pieces(tmp_path / "spiece.model", pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    vocabulary = t5_vocabulary(folder_with(tmp_path, tokenizer_config={"extra_ids": 5}))
    size = vocabulary.pipeline.get_vocab_size()
    tokenizer = Tokenizer.imported(
        ImportedSymbols(vocabulary.pipeline, Numbering(size, 0, 2, 0, 1), hidden=vocabulary.hidden)
    )
    numbers = tokenizer.encode("the </s> cat <pad> <extra_id_0>")
    assert not {PADDING, BEGIN, END} & set(numbers)
    assert tokenizer.decode(tokenizer.encode("the cat")) == "the cat"
    assert tokenizer.symbols([BEGIN, *tokenizer.encode("the")])[0] == "<bos>"
    again = Tokenizer.from_json(tokenizer.to_json())
    assert again.encode("the cat <extra_id_0>") == tokenizer.encode("the cat <extra_id_0>")
    assert (again.kind, again.size) == ("imported", tokenizer.size)


@pytest.mark.parametrize(
    "content", [b"", b"\x0a\x05ab", b"no protocol buffer", b"\x0a\x03\x0a\x01a"]
)
def test_broken_sentencepiece_is_named(content, tmp_path):
    (tmp_path / "spiece.model").write_bytes(content)
    with pytest.raises(
        ModelError, match=r"spiece\.model: vocabulary must be a whole SentencePiece"
    ):
        read_pieces(tmp_path / "spiece.model")
