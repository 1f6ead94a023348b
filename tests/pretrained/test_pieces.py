"""SentencePiece's models read without SentencePiece: the same numbers, pieces and texts."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import sentencepiece
from published import SENTENCES

from transduce.errors import DataError, ModelError
from transduce.pretrained.checkpoint.sentencepiece import Pieces, pipeline_of, read_pieces
from transduce.tokenization.imported import ImportedSymbols
from transduce.tokenization.numbering import Numbering
from transduce.tokenization.pieces.piece_pipeline import PiecePipeline
from transduce.tokenization.pieces.rewriting import Rewriter
from transduce.tokenization.tokenizer import Tokenizer

LINES = [*SENTENCES, "ガギグ パピプ かがきぎ 가각 나라", "aaa aaaa ... !!! naïve [X] <sep>"] * 8
TEXTS = [
    *("A dog runs.", "hello", " lead", "two  spaces ", "▁a", "a▁", "▁", "▁▁ a", " ", "", "in a"),
    *("a\n", "\tb", "a\u00a0", "\x85nel", "\u200b", "\u200b ", "a\u3000b", "\x00x"),
    *("[X]ab", "a[X]b", "<sep>the", "a </s> b", "<cls> dog", "<unk><s>", "<0x41>", "a b"),
    *("각 \u1100\u1161\u11a8 가\u11a8", "ガ ｶﾞ か\u3099", "ﬁ ½ Ⅳ ㎏ ﷺ", "日本Q語", "👩\u200d👧 🇩🇪"),
    *("aaaaaaa.....", "QQ Q ZZ", "xaba by", "a\u0301 e\u0301\u0323"),
]  # fmt: skip
OPTIONS = [
    *({}, {"byte_fallback": True}, {"normalization_rule_name": "identity"}),
    *({"normalization_rule_name": "nfkc_cf"}, {"remove_extra_whitespaces": False}),
    *({"add_dummy_prefix": False}, {"treat_whitespace_as_suffix": True}),
    *({"split_by_whitespace": False}, {"user_defined_symbols": ["<sep>", "[X]", "ab", "a b"]}),
    *({"control_symbols": ["<cls>", "the"]}, {"allow_whitespace_only_pieces": True}),
    {"remove_extra_whitespaces": False, "user_defined_symbols": ["<sep>", "[X]", "ab", "a b"]},
]


def trained(path, kind: str = "unigram", **options):
    out = io.BytesIO()
    sentencepiece.set_min_log_level(3)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES), model_writer=out, model_type=kind, vocab_size=380,
        hard_vocab_limit=False, **{"character_coverage": 1.0, **options},
    )  # fmt: skip
    path.write_bytes(out.getvalue())
    theirs = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())
    return theirs, pipeline_of(read_pieces(path))


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_same_as_sentencepiece(kind, options, tmp_path):
    theirs, ours = trained(tmp_path / "a.model", kind, **options)
    for text in TEXTS:
        numbers = theirs.encode(text)
        assert ours.encode(text).ids == numbers, text
        assert ours.encode(text).tokens == theirs.encode(text, out_type=str), text
        assert ours.decode(numbers) == theirs.decode(numbers), text
    for first in range(0, theirs.get_piece_size() - 3, 7):
        numbers = [first, first + 3, first + 1]
        assert ours.decode(numbers) == theirs.decode(numbers), numbers


def test_right_values_written_down(tmp_path):
    """What the cases showed, without the library to compare with."""
    pieces = Pieces(
        names=("<unk>", "</s>", "▁", "a", "b", "▁a", "ab", "[X]", "▁[X]"),
        scores=(0.0, 0.0, -2.0, -2.5, -2.5, -1.0, -1.5, 0.0, -9.0),
        types=(2, 3, 1, 1, 1, 1, 1, 4, 1),
    )
    pipeline = pipeline_of(pieces)
    assert pipeline.encode("ab  a[X]b ").tokens == ["▁", "ab", "▁a", "[X]", "b"]
    assert pipeline.encode("</s>QR b").tokens == ["▁", "</s>QR", "▁", "b"]
    assert pipeline.encode("</s>QR b").ids == [2, 0, 2, 4]
    assert pipeline.decode([5, 7, 2, 2, 3, 1]) == "a[X]  a"
    assert pipeline.decoder.decode(["▁a", "<new>", "▁zz", "▁b"]) == "a<new> zz b"


def test_added_tokens_are_cut_out_first(tmp_path):
    _, ours = trained(tmp_path / "a.model")
    size = ours.get_vocab_size()
    added = pipeline_of(ours.pieces, {"<new>": size + 5, "<new>er": size})
    assert added.encode("one <new> two").ids == [
        *ours.encode("one ").ids, size + 5, *ours.encode(" two").ids,
    ]  # fmt: skip
    assert added.encode("<new>er").ids == [size]
    assert added.get_vocab_size() == size + 6
    assert (added.token_to_id("<new>"), added.id_to_token(size + 1)) == (size + 5, None)
    assert added.decode([size + 5, *ours.encode("two").ids]) == "two"
    assert added.decode([size + 5], skip_special_tokens=False) == "<new>"


def test_saved_copied_and_grown(tmp_path):
    _, ours = trained(tmp_path / "a.model", user_defined_symbols=["[X]"])
    size = ours.get_vocab_size()
    symbols = ImportedSymbols(ours, Numbering(size, None, 0, 1, 2), hidden=frozenset({0, 1, 2}))
    tokenizer = Tokenizer.imported(symbols)
    grown = tokenizer.with_symbols(["<new>", "[X]"])
    assert grown.size == tokenizer.size + 1
    for made in (tokenizer, grown):
        made.save(tmp_path / "tokenizer.json")
        for again in (
            Tokenizer.load(tmp_path / "tokenizer.json"),
            pickle.loads(pickle.dumps(made)),
        ):
            rows = [again.encode(text) for text in TEXTS]
            assert rows == [made.encode(text) for text in TEXTS]
            assert [again.decode(row) for row in rows] == [made.decode(row) for row in rows]
    assert len(grown.encode("a<new>b")) < len(tokenizer.encode("a<new>b"))
    assert copy.deepcopy(ours).encode("a[X]b").ids == ours.encode("a[X]b").ids
    with pytest.raises(DataError, match="text must be valid Unicode"):
        tokenizer.encode("\ud800")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ["a", "a"]}, "pieces must be different"),
        ({"names": ["", "a"]}, "pieces must have names"),
        ({"types": [1, 1]}, "it must have a piece for what is not known"),
        ({"types": [2, 2]}, "it must have a piece for what is not known"),
        ({"scores": [float("inf"), 0.0]}, "scores must be finite"),
        ({"scores": [0.0]}, "it must have a score and a type for each piece"),
        ({"charsmap": "AAAA"}, "the map of characters must be as long as it says"),
        ({"one_space": 3}, "its options must be true or false"),
        ({"types": [2, 6]}, "pieces of bytes must be named <0x00> to <0xFF>"),
    ],
)
def test_broken_state_is_said(change, message):
    pieces = Pieces(("<unk>", "a"), (0.0, -1.0), (2, 1))
    with pytest.raises(ValueError, match=message):
        Pieces.from_state({**pieces.to_state(), **change})


def test_a_map_of_characters_is_bytes():
    """A file of the wrong type has a number there; 0 once passed for none."""
    for number in (0, 7):
        with pytest.raises(ValueError, match="maps of characters must be bytes"):
            Pieces(("<unk>",), (0.0,), (2,), charsmap=number).require_sound()
        with pytest.raises(ValueError, match="maps of characters must be bytes"):
            Pieces(("<unk>",), (0.0,), (2,), spelling_charsmap=number).require_sound()


def test_bytes_must_be_there():
    with pytest.raises(ModelError, match="vocabulary must have a piece for each byte"):
        PiecePipeline(Pieces(("<unk>", "a"), (0.0, -1.0), (2, 1), byte_fallback=True))


@pytest.mark.parametrize("kind", ["char", "word"])
def test_models_of_characters_and_words_are_refused(kind, tmp_path):
    trained_as = {"char": "characters", "word": "whole words"}[kind]
    with pytest.raises(
        ModelError,
        match=rf"a\.model: vocabulary must be a unigram or BPE model; got one of {trained_as}",
    ):
        trained(tmp_path / "a.model", kind)


def test_rewriting_without_rules():
    plain = Pieces(("<unk>",), (0.0,), (2,))
    assert Rewriter(plain)("  a   b ") == "▁a▁b"
    suffix = Pieces(("<unk>",), (0.0,), (2,), suffix=True)
    assert (Rewriter(suffix)("a b "), Rewriter(suffix)("  ")) == ("a▁b▁", "")
