"""tokenizer.json: what would end or stall the library is refused before it reads it."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models

from transduce.errors import ModelError
from transduce.untrusted.charsmap import require_whole
from transduce.untrusted.tokenizer_json import library, read_pipeline

State = dict[str, Any]


def bpe() -> State:
    numbers = {"<unk>": 0, "a": 1, "b": 2, "ab": 3}
    pipeline = Tokenizer(models.BPE(numbers, [("a", "b")], unk_token="<unk>"))
    pipeline.add_special_tokens(["<s>"])
    state: State = json.loads(pipeline.to_str())
    return state


def unigram() -> State:
    pipeline = Tokenizer(models.Unigram([("<unk>", 0.0), ("a", -1.0)], 0, False))
    state: State = json.loads(pipeline.to_str())
    return state


def split(pattern: str) -> State:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


A = {"String": "a"}


def replaced(pattern: State, content: str) -> State:
    return {"type": "Replace", "pattern": pattern, "content": content}


def test_what_is_whole_is_read() -> None:
    for state in (bpe(), unigram()):
        pipeline, found = read_pipeline(json.dumps(state), "x")
        assert found == state
        assert pipeline.encode("a").ids == [1]


def test_truncation_and_padding_are_left_out() -> None:
    pipeline = Tokenizer.from_str(json.dumps(bpe()))
    pipeline.enable_truncation(1)
    pipeline.enable_padding(pad_to_multiple_of=1 << 40)
    read, _ = read_pipeline(pipeline.to_str(), "x")
    assert read.encode("ab a").ids == [3, 0, 1]


@pytest.mark.parametrize(
    ("make", "change", "reason"),
    [
        (bpe, lambda s: s["model"]["vocab"].update(a=-1), "symbols must be numbered 0 to"),
        (bpe, lambda s: s["model"]["vocab"].update(a=10**12), "symbols must be numbered 0 to"),
        (bpe, lambda s: s["model"]["vocab"].update(a=1.0), "symbols must be numbered 0 to"),
        (bpe, lambda s: s["model"]["vocab"].update(a=True), "symbols must be numbered 0 to"),
        (bpe, lambda s: s["model"]["vocab"].update(a=2), "symbols must have numbers of their own"),
        (bpe, lambda s: s["model"]["vocab"].update({"c" * 5000: 9}), "symbols must have 4096"),
        (bpe, lambda s: s["model"].update(vocab=None), "it must have a vocabulary"),
        (bpe, lambda s: s["model"]["merges"].append(["a", "x"]), "merges must make symbols of"),
        # longer than any symbol, for which the library has made no room
        (bpe, lambda s: s["model"]["merges"].append(["ab", "ab"]), "merges must make symbols of"),
        (bpe, lambda s: s["model"]["merges"].append(["a"]), "merges must be of two symbols each"),
        (bpe, lambda s: s["model"].update(merges=["ab"]), "merges must be of two symbols each"),
        (
            bpe,
            lambda s: s["model"].update(continuing_subword_prefix="##longer"),
            "merges must have the prefix of inner pieces",
        ),
        (bpe, lambda s: s.update(model=[]), "it must have a model"),
        (bpe, lambda s: s["added_tokens"][0].update(id=1 << 40), "added_tokens must be numbered"),
        (bpe, lambda s: s["added_tokens"][0].update(content=""), "must have a content each"),
        (bpe, lambda s: s["added_tokens"].append(s["added_tokens"][0]), "must be different"),
        (bpe, lambda s: s["added_tokens"].append(1), "must have a content each"),
        (bpe, lambda s: s["added_tokens"][0].update(content="x" * 5000), "symbols must have 4096"),
        (
            bpe,
            lambda s: s.update(added_tokens=[{"id": n, "content": f"{n}"} for n in range(200_000)]),
            "added_tokens must be 131,072 at most; got 200,000",
        ),
        (unigram, lambda s: s["model"].update(unk_id=2), "unk_id must be 0 to 1; got 2"),
        (unigram, lambda s: s["model"].update(unk_id=-1), "unk_id must be 0 to 1; got -1"),
        (unigram, lambda s: s["model"]["vocab"].append(["b"]), "pieces with their scores"),
        (unigram, lambda s: s["model"]["vocab"].append([1, 1]), "pieces with their scores"),
        (bpe, lambda s: s.update(pre_tokenizer=split("(a+)+b")), "must not repeat a group"),
        (
            bpe,
            lambda s: s.update(
                normalizer={
                    "type": "Sequence",
                    "normalizers": [replaced({"String": "a"}, "aa")] * 9,
                }
            ),
            "normalizer must make texts 64 times as long at most",
        ),
        (
            bpe,
            lambda s: s.update(decoder=replaced({"Regex": "a"}, "x" * 100)),
            "decoder must make texts 64 times as long at most",
        ),
        (
            bpe,
            lambda s: s.update(normalizer={"type": "Prepend", "prepend": "x" * 5000}),
            "normalizer must have texts of 4096 characters at most",
        ),
        (
            bpe,
            lambda s: s.update(pre_tokenizer={"type": "FixedLength", "length": 0}),
            "pre_tokenizer must cut texts into pieces of one character at least",
        ),
        *(
            (
                bpe,
                lambda s, pattern=pattern: s.update(normalizer=replaced(pattern, " ")),
                "what is replaced must be none of the end of a text",
            )
            for pattern in ({"Regex": "a*"}, {"Regex": "^"}, {"Regex": ""}, {"String": ""})
        ),
        (
            bpe,
            lambda s: s.update(normalizer={"type": "Precompiled", "precompiled_charsmap": 3}),
            "a step of type Precompiled must have a precompiled_charsmap",
        ),
        (
            bpe,
            lambda s: s.update(normalizer={"type": "Precompiled", "precompiled_charsmap": "!"}),
            "precompiled_charsmap must be base64",
        ),
        (
            bpe,
            lambda s: s.update(
                normalizer={"type": "Precompiled", "precompiled_charsmap": "/////wAA"}
            ),
            "the map of characters must be as long as it says",
        ),
        (
            bpe,
            lambda s: s.update(
                pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "Whitespace"}] * 300}
            ),
            "pre_tokenizer must have 256 steps at most",
        ),
    ],
)
def test_what_is_refused(
    make: Callable[[], State], change: Callable[[State], object], reason: str
) -> None:
    state = make()
    change(state)
    with pytest.raises(ModelError, match="x: tokenizer must be whole and valid; ") as caught:
        read_pipeline(json.dumps(state), "x")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def strip(start: int, stop: int) -> State:
    return {"type": "Strip", "content": " ", "start": start, "stop": stop}


def test_a_decoder_that_would_end_in_a_panic() -> None:
    untyped = {key: value for key, value in strip(1, 1).items() if key != "type"}
    for step in (strip(1, 1), strip(0, 1), untyped):
        for decoder in (step, {"type": "Sequence", "decoders": [step]}):
            with pytest.raises(ModelError, match="must strip no characters from a token's end"):
                read_pipeline(json.dumps({**bpe(), "decoder": decoder}), "x")
    pipeline, _ = read_pipeline(json.dumps({**bpe(), "decoder": strip(1, 0)}), "x")
    assert pipeline.decode([3]) == "ab"


def test_a_panic_is_an_error_like_others() -> None:
    class PanicException(BaseException):
        pass

    with pytest.raises(ModelError, match="must be; gone"), library("x must be"):
        raise PanicException("gone\nand more")
    with pytest.raises(KeyboardInterrupt), library("x must be"):
        raise KeyboardInterrupt


# ------------------------------------------------ maps of characters


def charsmap(links: dict[tuple[int, int], tuple[int, int | None]], texts: bytes) -> bytes:
    """A map whose links lead from a node by a byte to another node, which may have a value."""
    units = np.zeros(1024, np.uint32)
    units[0] = 1 << 10  # the first node is 1
    for (node, byte), (target, value) in links.items():
        place = node ^ byte
        offset = place ^ target
        units[place] = byte | (offset << 10) | ((value is not None) << 8)
        if value is not None:
            units[target] = np.uint32(value) | np.uint32(1 << 31)
    return struct.pack("<I", units.nbytes) + units.tobytes() + texts


WHOLE = charsmap({(1, 97): (300, 0), (300, 98): (600, 2)}, b"x\0\xc3\xa9\0")


def normalizing(content: bytes) -> State:
    text = base64.b64encode(content).decode()
    return {**unigram(), "normalizer": {"type": "Precompiled", "precompiled_charsmap": text}}


def test_a_map_is_walked_as_the_library_walks_it() -> None:
    require_whole(b"")
    require_whole(WHOLE)
    pipeline, _ = read_pipeline(json.dumps(normalizing(WHOLE)), "x")
    assert pipeline.normalizer.normalize_str("a b") == "x b"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\1", "must be as long as it says"),
        (struct.pack("<I", 1 << 30) + bytes(100), "must be as long as it says"),
        (struct.pack("<I", 4) + bytes(100), "must have whole blocks of units"),
        (bytes(5 << 20), "bytes at most"),
        (charsmap({(1, 97): (300, 9)}, b"x\0"), "must lead to texts that it has"),
        (charsmap({(1, 97): (300, 1)}, b"\xc3\xa9\0"), "must lead to whole characters"),
        (charsmap({(1, 97): (300, 0)}, b"\xff\0"), "must lead to UTF-8"),
        (charsmap({(1, 97): (300, 0)}, b"x" * 300), "must lead to 256 bytes at most"),
        (charsmap({(1, 97): (5000, None)}, b"x\0"), "must lead to units that it has"),
        (charsmap({(1, 97): (300, None), (300, 1): (1 << 20, None)}, b""), "units that it has"),
    ],
)
def test_maps_that_lead_astray(content: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        require_whole(content)


def test_a_map_that_goes_in_circles_is_walked_once() -> None:
    require_whole(charsmap({(1, 97): (300, None), (300, 97): (300, 0)}, b"x\0"))


def test_any_changed_unit_is_harmless() -> None:
    generator = np.random.default_rng(1)
    texts = ["a", "ab", "b a", "é", "abab" * 10]
    read = 0
    for _ in range(300):
        changed = bytearray(WHOLE)
        for _ in range(generator.integers(1, 4)):
            place = generator.integers(4, len(changed)) if generator.random() < 0.5 else 4 * (
                generator.choice([1 ^ 97, 300 ^ 98, 300, 600, 0]) + 1
            ) + generator.integers(4)  # fmt: skip
            changed[place] = generator.integers(256)
        try:
            pipeline, _ = read_pipeline(json.dumps(normalizing(bytes(changed))), "x")
        except ModelError:
            continue
        read += 1
        for text in texts:
            pipeline.normalizer.normalize_str(text)
    assert 50 < read < 290
