"""Tokenizers: what each kind promises, and that no text can forge a special symbol."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from transduce.config import TokenizerConfig
from transduce.errors import ConfigError, DataError, ModelError
from transduce.interfaces import BEGIN, END, PADDING, UNKNOWN
from transduce.tokenization import direct, vocabulary
from transduce.tokenization.pipelines import BYTES, SPECIALS, make_pre_tokenizer
from transduce.tokenization.tokenizer import Tokenizer
from transduce.tokenization.vocabulary import VocabularyLearner

KINDS = ("character", "whitespace", "word", "bpe", "unigram", "byte")
TEXTS = [
    "the cat sat on the mat, and the dog sat on the log.",
    "  The  quick (brown) fox can't jump over 1,234 lazy dogs!  ",
    "我爱你。你爱我吗？",
    "السَّلَامُ عَلَيْكُمْ",
    "👩‍👩‍👧‍👦 und 🇩🇪 über é e\u0301 ñ\tein\nZwei",
    "K AE1 T <pad> \\<eos> ▁ <0x41>",
]
FORGERIES = [
    "<pad>",
    "<eos>",
    "a <bos> b",
    "x<unk>y",
    "<pad><pad>",
    "\\<pad>",
    "\\\\<eos>",
    "<0x41>",
]

# Pieces that have broken tokenizers before, to stand between characters of any kind.
AWKWARD = (
    *(" ", "  ", "\t", "\n", "\x1c", "\u00a0", "\u2028", "▁", "Ġ", "\\", "<", ">", "##", "é", "\0"),
    *(
        "<pad>",
        "<eos>",
        "<0x41>",
        "👩\u200d👩\u200d👧",
        "e\u0301",
        "\u0301",
        "\u200d",
        "我爱",
        "سَّ",
        "ﬁ",
    ),
)
awkward = st.lists(
    st.one_of(
        st.sampled_from(AWKWARD),
        st.text(max_size=4),
    ),
    max_size=8,
).map("".join)


def config(kind: str, **options: object) -> TokenizerConfig:
    if kind in ("bpe", "unigram"):
        options.setdefault("vocabulary_size", 330)
    return TokenizerConfig.model_validate({"kind": kind, **options})


@pytest.fixture(scope="module")
def trained() -> dict[str, Tokenizer]:
    return {kind: Tokenizer.train(TEXTS * 3, config(kind)) for kind in KINDS}


def expected(tokenizer: Tokenizer, text: str) -> str:
    normal = tokenizer.normalize(text)
    return " ".join(normal.split()) if tokenizer.kind == "whitespace" else normal


# ------------------------------------------------ symbols


@pytest.mark.parametrize("kind", KINDS)
def test_vocabulary_begins_with_the_specials(trained: dict[str, Tokenizer], kind: str) -> None:
    tokenizer = trained[kind]
    assert tokenizer.symbols([PADDING, UNKNOWN, BEGIN, END]) == list(SPECIALS)
    assert tokenizer.kind == kind
    assert max(max(ids) for ids in tokenizer.encode_batch(TEXTS)) < tokenizer.size
    if kind in ("bpe", "unigram"):
        assert len(SPECIALS + BYTES) < tokenizer.size <= 330


def test_each_kind_cuts_as_its_name_says(trained: dict[str, Tokenizer]) -> None:
    def cut(kind: str, text: str) -> list[str]:
        return trained[kind].symbols(trained[kind].encode(text))

    assert cut("character", "cat é") == ["c", "a", "t", " ", "é"]
    assert cut("whitespace", " the\t cat ") == ["the", "cat"]
    assert cut("word", "the cat, the mat.") == [" the", " cat", ",", " the", " mat", "."]
    assert cut("word", "can't") == [" can", "'", "t"]
    assert cut("byte", "aé") == ["a", "<0xC3>", "<0xA9>"]
    assert len(cut("bpe", "the cat")) < 7
    assert len(cut("unigram", "the cat")) < 7
    assert cut("bpe", "ж") == [" ", "<0xD0>", "<0xB6>"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", FORGERIES)
def test_text_never_becomes_a_special_symbol(kind: str, text: str) -> None:
    tokenizer = Tokenizer.train([text, "<pad> <eos> <bos> <unk>", *TEXTS], config(kind))
    ids = tokenizer.encode(text)
    assert not {PADDING, UNKNOWN, BEGIN, END} & set(ids)
    assert tokenizer.decode(ids) == text


@pytest.mark.parametrize("kind", ["character", "whitespace", "word"])
def test_unknown_symbols_are_unknown(trained: dict[str, Tokenizer], kind: str) -> None:
    tokenizer = trained[kind]
    ids = tokenizer.encode("cat ж sat")
    assert ids.count(UNKNOWN) == 1
    assert tokenizer.decode(ids) == "cat <unk> sat"


def test_an_unseen_special_spelling_is_unknown_not_special() -> None:
    tokenizer = Tokenizer.train(["a b"], config("whitespace"))
    assert tokenizer.encode("<pad> a") == [UNKNOWN, 4]


def test_minimum_count_and_size_cut_the_rare(trained: dict[str, Tokenizer]) -> None:
    texts = ["d c b a", "c b a", "b a", "a"]
    whole = Tokenizer.train(texts, config("whitespace"))
    assert whole.symbols(range(4, whole.size)) == ["a", "b", "c", "d"]
    often = Tokenizer.train(texts, config("whitespace", minimum_count=3))
    assert often.symbols(range(4, often.size)) == ["a", "b"]
    small = Tokenizer.train(texts, config("whitespace", vocabulary_size=7))
    assert small.symbols(range(4, small.size)) == ["a", "b", "c"]
    ties = Tokenizer.train(["z y x"], config("whitespace", vocabulary_size=6))
    assert ties.symbols([4, 5]) == ["x", "y"]
    words = Tokenizer.train(texts, config("word", minimum_count=2))
    assert words.symbols(range(4, words.size)) == [" a", " b", " c"]


# ------------------------------------------------ round trips


@pytest.mark.parametrize("kind", ["bpe", "unigram", "byte"])
@given(text=awkward)
@settings(max_examples=150)
def test_every_text_comes_back(trained: dict[str, Tokenizer], kind: str, text: str) -> None:
    ids = trained[kind].encode(text)
    assert trained[kind].decode(ids) == text
    assert not {PADDING, UNKNOWN, BEGIN, END} & set(ids)


@pytest.mark.parametrize("kind", ["character", "whitespace", "word"])
@given(texts=st.lists(awkward, min_size=1, max_size=4))
@settings(max_examples=80)
def test_texts_of_known_symbols_come_back(kind: str, texts: list[str]) -> None:
    tokenizer = Tokenizer.train(texts, config(kind))
    for text, ids in zip(texts, tokenizer.encode_batch(texts), strict=True):
        assert tokenizer.decode(ids) == expected(tokenizer, text)
        assert not {PADDING, UNKNOWN, BEGIN, END} & set(ids)


@pytest.mark.parametrize("kind", KINDS)
@given(
    text=awkward, normalization=st.sampled_from(["none", "nfc", "nfd", "nfkc"]), lower=st.booleans()
)
@settings(max_examples=40)
def test_normal_form_comes_back(kind: str, text: str, normalization: str, lower: bool) -> None:
    chosen = config(kind, normalization=normalization, lowercase=lower)
    tokenizer = Tokenizer.train([text, "aé "], chosen)
    assert tokenizer.decode(tokenizer.encode(text)) == expected(tokenizer, text)


@pytest.mark.parametrize(
    ("options", "text", "normal"),
    [
        ({"normalization": "nfc"}, "e\u0301 ﬁ", "é ﬁ"),
        ({"normalization": "nfkc"}, "e\u0301 ﬁ Ａ", "é fi A"),
        ({"normalization": "nfd"}, "é 가", "e\u0301 \u1100\u1161"),
        ({"lowercase": True}, "ÀÇ Straße ΑΒ", "àç straße αβ"),
        ({"normalization": "nfkc", "lowercase": True}, "ＡＢ", "ab"),
        ({}, "e\u0301 ﬁ Ａ", "e\u0301 ﬁ Ａ"),
    ],
)
def test_normalize(options: dict[str, object], text: str, normal: str) -> None:
    for kind in ("character", "bpe"):
        tokenizer = Tokenizer.train(["a"], config(kind, **options))
        assert tokenizer.normalize(text) == normal
    form = unicodedata.normalize("NFC", "e\u0301")
    assert (
        len(Tokenizer.train(["e\u0301"], config("character", normalization="nfc")).encode(form))
        == 1
    )


@pytest.mark.parametrize("kind", KINDS)
@given(texts=st.lists(awkward, max_size=3))
@settings(max_examples=60)
def test_library_encodes_the_same(
    trained: dict[str, Tokenizer], kind: str, texts: list[str]
) -> None:
    tokenizer = trained[kind]
    theirs = tokenizers.Tokenizer.from_str(tokenizer.to_json())
    batch = tokenizer.encode_batch(texts)
    assert batch == [theirs.encode(text).ids for text in texts]
    assert batch == [tokenizer.encode(text) for text in texts]


@pytest.mark.parametrize("kind", ["character", "word", "bpe", "unigram", "byte"])
def test_library_decodes_the_same(trained: dict[str, Tokenizer], kind: str) -> None:
    theirs = tokenizers.Tokenizer.from_str(trained[kind].to_json())
    for text in TEXTS:
        assert theirs.decode(trained[kind].encode(text)) == text


def test_gaps_are_those_of_str_split() -> None:
    tokenizer = Tokenizer.train(["a b"], config("whitespace"))
    theirs = tokenizers.Tokenizer.from_str(tokenizer.to_json())
    gaps = [chr(n) for n in range(0x3100) if chr(n).isspace()]
    assert theirs.encode("a".join(gaps)).ids == [4] * (len(gaps) - 1)


def test_decoding_passes_over_specials(trained: dict[str, Tokenizer]) -> None:
    for kind in KINDS:
        tokenizer = trained[kind]
        ids = tokenizer.encode("the cat")
        assert tokenizer.decode([BEGIN, *ids, END, PADDING]) == "the cat"
        assert tokenizer.decode([]) == ""


def test_broken_bytes_show_as_replacement(trained: dict[str, Tokenizer]) -> None:
    first = trained["byte"].encode("é")[0]
    assert trained["byte"].decode([first, *trained["byte"].encode("a")]) == "\ufffda"


# ------------------------------------------------ tags


@pytest.mark.parametrize("kind", KINDS)
def test_tags_are_symbols(kind: str) -> None:
    texts = ["⟪V⟫⟪PST⟫walk", "⟪V⟫⟪PRS⟫Talk away", "walk talk away"]
    chosen = config(kind, lowercase=True)
    tokenizer = Tokenizer.train(texts, chosen, tags=["⟪V⟫", "⟪PST⟫", "⟪PRS⟫", "⟪V⟫"])
    assert tokenizer.tags == ("⟪PRS⟫", "⟪PST⟫", "⟪V⟫")
    ids = tokenizer.encode("⟪V⟫⟪PRS⟫Talk")
    assert tokenizer.symbols(ids[:2]) == ["⟪V⟫", "⟪PRS⟫"]
    assert ids[2:] == tokenizer.encode("talk")
    assert tokenizer.decode(ids).replace(" ", "") == "⟪V⟫⟪PRS⟫talk"
    assert tokenizer.normalize("⟪V⟫Talk") == "⟪V⟫talk"
    assert tokenizers.Tokenizer.from_str(tokenizer.to_json()).encode("⟪V⟫⟪PRS⟫Talk").ids == ids
    again = Tokenizer.from_json(tokenizer.to_json())
    assert again.tags == tokenizer.tags
    assert again.encode("⟪V⟫⟪PRS⟫Talk") == ids
    # a tag that was never seen is one symbol too
    assert tokenizer.encode("⟪V⟫⟪FUT⟫talk") == [ids[0], UNKNOWN, *ids[2:]]
    assert "⟪" not in "".join(tokenizer.symbols(range(4, tokenizer.size - 3)))


@pytest.mark.parametrize("kind", ["character", "bpe", "unigram", "word", "byte"])
def test_tags_come_back(kind: str) -> None:
    text = "⟪V⟫⟪PST⟫ a b\tc⟪N⟫ d"
    tokenizer = Tokenizer.train([text, "a b c d"], config(kind), tags=["⟪V⟫", "⟪PST⟫", "⟪N⟫"])
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_brackets_are_text_where_there_are_no_tags() -> None:
    tokenizer = Tokenizer.train(["⟪V⟫"], config("character"))
    assert tokenizer.symbols(tokenizer.encode("⟪V⟫")) == ["⟪", "V", "⟫"]


def test_tag_without_brackets_is_refused() -> None:
    with pytest.raises(ValueError, match=r"tags must be written as ⟪TAG⟫; got 'V'"):
        Tokenizer.train(["a"], config("character"), tags=["V"])


# ------------------------------------------------ the same every time

TRAIN_ALL = """
import sys, json
from transduce.config import TokenizerConfig
from transduce.tokenization.tokenizer import Tokenizer
texts = json.load(sys.stdin)
for kind in ("character", "whitespace", "word", "bpe", "unigram", "byte"):
    size = 330 if kind in ("bpe", "unigram") else None
    config = TokenizerConfig(kind=kind, vocabulary_size=size)
    print(json.dumps(Tokenizer.train(texts * 3, config).to_json()))
"""


def test_training_gives_the_same_in_another_process(trained: dict[str, Tokenizer]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRAIN_ALL],
        input=json.dumps(TEXTS),
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    files = [json.loads(line) for line in done.stdout.splitlines()]
    assert files == [trained[kind].to_json() for kind in KINDS]


FORK = """
import os
from transduce.config import TokenizerConfig
from transduce.tokenization.tokenizer import Tokenizer
tokenizer = Tokenizer.train(["a b"] * 100, TokenizerConfig(kind="bpe", vocabulary_size=300))
rows = tokenizer.encode_batch(["a b"] * 1000)
child = os.fork()
if child == 0:
    os._exit(0 if tokenizer.encode_batch(["a b"] * 1000) == rows else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_encodes_without_a_warning() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "TOKENIZERS_PARALLELISM"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_pieces_are_learnt_from_a_fair_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "SAMPLE", 100)
    kept, again = vocabulary._Sample(), vocabulary._Sample()
    kept.add(map(str, range(10_000)))
    for start in range(0, 10_000, 50):
        again.add(map(str, range(start, start + 50)))
    assert len(kept.texts) == 100
    assert kept.texts == again.texts
    assert 3000 < sum(map(int, kept.texts)) / 100 < 7000


@given(texts=st.lists(awkward, min_size=1, max_size=6), waiting=st.sampled_from([1, 3, 1 << 18]))
@settings(max_examples=100)
def test_words_are_counted_as_if_each_text_were_cut(texts: list[str], waiting: int) -> None:
    cutter = make_pre_tokenizer("word")
    assert cutter is not None
    expected = Counter(
        piece for text in filter(None, texts) for piece, _ in cutter.pre_tokenize_str(f" {text}")
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabulary, "CHUNKS", waiting)
        counts = vocabulary._WordCounts()
        for text in texts:
            counts.add([text])
        assert counts.total() == expected


@pytest.mark.parametrize("kind", KINDS)
def test_portions_give_what_all_texts_at_once_give(kind: str) -> None:
    whole, parts = (VocabularyLearner(config(kind, lowercase=True)) for _ in range(2))
    whole.add(TEXTS * 3)
    for text in TEXTS * 3:
        parts.add([text])
    one, other = Tokenizer.learnt(whole), Tokenizer.learnt(parts)
    assert one.to_json() == other.to_json()
    assert one.to_json() == Tokenizer.train(TEXTS * 3, config(kind, lowercase=True)).to_json()


def test_a_learner_complains_when_it_is_asked() -> None:
    learner = VocabularyLearner(config("word", lowercase=True, vocabulary_size=4))
    learner.add(["a", "b\ud800"])
    learner.add(["c"])
    with pytest.raises(ConfigError, match="vocabulary_size must be at least 5"):
        learner.model()
    learner = VocabularyLearner(config("word", lowercase=True))
    learner.add(["a", "b\ud800"])
    learner.add(["c"])
    with pytest.raises(DataError, match=r"got a lone surrogate in 'b\\ud800'"):
        learner.model()


def test_long_parts_are_encoded_without_being_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "REMEMBERED", 2)
    encode = direct.direct_encoder("word", [" a", " b", " c", "."])
    assert encode is not None
    long = "a" + "." * 100
    for _ in range(2):
        assert encode(f"a b. c. {long} d") == [4, 5, 7, 6, 7, 4, *[7] * 100, UNKNOWN]


# ------------------------------------------------ files


@pytest.mark.parametrize("kind", KINDS)
def test_load_restores_everything(trained: dict[str, Tokenizer], kind: str, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    trained[kind].save(path)
    loaded = Tokenizer.load(path)
    assert loaded.config == trained[kind].config
    assert loaded.size == trained[kind].size
    assert loaded.to_json() == trained[kind].to_json()
    assert loaded.encode_batch(TEXTS) == trained[kind].encode_batch(TEXTS)
    assert tokenizers.Tokenizer.from_file(str(path)).get_vocab_size() == loaded.size
    assert [file.name for file in tmp_path.iterdir()] == ["tokenizer.json"]


def test_failed_save_leaves_the_old_file(
    trained: dict[str, Tokenizer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tokenizer.json"
    trained["byte"].save(path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ModelError, match=r"tokenizer\.json: tokenizer must be writable; No space"):
        trained["bpe"].save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["tokenizer.json"]


def damaged(tokenizer: Tokenizer, what: str) -> bytes:
    state = json.loads(tokenizer.to_json())
    if what == "cut off":
        return tokenizer.to_json().encode()[:200]
    if what == "not UTF-8":
        return b"\xff\xfe"
    if what == "no object":
        return b"[]"
    if what == "of somebody else":
        del state["model"]["transduce"]
    elif what == "of a later version":
        state["model"]["transduce"]["version"] = 2
    elif what == "wrong kind":
        state["model"]["transduce"]["kind"] = "morpheme"
    elif what == "other specials":
        state["model"]["vocab"]["<pad>"], state["model"]["vocab"]["<eos>"] = 3, 0
    elif what == "no model":
        state["model"] = {"type": "Nothing", "transduce": state["model"]["transduce"]}
    return json.dumps(state).encode()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("cut off", "must be whole and valid"),
        ("not UTF-8", "must be UTF-8 text"),
        ("no object", "must be one that Transduce wrote"),
        ("of somebody else", "must be one that Transduce wrote"),
        ("of a later version", "must be of version 1; got 2"),
        ("wrong kind", "must be whole and valid"),
        ("other specials", "must begin with <pad> <unk> <bos> <eos>"),
        ("no model", "must be whole and valid"),
    ],
)
def test_broken_file_is_named(
    trained: dict[str, Tokenizer], tmp_path: Path, what: str, message: str
) -> None:
    path = tmp_path / "source.tokenizer.json"
    path.write_bytes(damaged(trained["character"], what))
    with pytest.raises(ModelError, match=message) as caught:
        Tokenizer.load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.json: tokenizer must be readable; No such file"):
        Tokenizer.load(tmp_path / "none.json")


# ------------------------------------------------ what a person can do wrong


@pytest.mark.parametrize(("kind", "least"), [("bpe", 261), ("unigram", 261), ("word", 5)])
def test_too_small_a_vocabulary_is_refused(kind: str, least: int) -> None:
    with pytest.raises(ConfigError, match=f"at least {least} for the kind {kind}; got 4"):
        Tokenizer.train(["a"], config(kind, vocabulary_size=4))


def test_no_text_is_refused() -> None:
    with pytest.raises(DataError, match="at least one text; got none"):
        Tokenizer.train([], config("bpe"))


@pytest.mark.parametrize("kind", KINDS)
def test_lone_surrogates_are_refused(trained: dict[str, Tokenizer], kind: str) -> None:
    message = "valid Unicode; got a lone surrogate in"
    if kind != "byte":  # learns nothing, so it does not look
        with pytest.raises(DataError, match=message):
            Tokenizer.train(["a", "b\ud800"], config(kind))
    if kind in ("character", "whitespace"):
        assert trained[kind].encode("\ud800") == [UNKNOWN]
    else:
        with pytest.raises(DataError, match=message):
            trained[kind].encode("b\ud800")
    with pytest.raises(DataError, match=message):
        Tokenizer.train(["a"], config(kind, lowercase=True)).encode("b\ud800")


@pytest.mark.parametrize("kind", KINDS)
def test_right_to_left_turns_the_symbols(kind: str) -> None:
    texts = ["ab c", "c ba a", "bca"]
    forward = Tokenizer.train(texts, config(kind))
    backward = Tokenizer.train(texts, config(kind, right_to_left=True))
    for text in texts:
        assert backward.encode(text) == forward.encode(text)[::-1]
        assert backward.decode(backward.encode(text)) == text
    assert Tokenizer.from_json(backward.to_json()).config.right_to_left
