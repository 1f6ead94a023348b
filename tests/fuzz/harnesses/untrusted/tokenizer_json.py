"""tokenizer.json as the library's pipeline, and as our own tokenizer."""

from __future__ import annotations

from pathlib import Path

from fuzz.feeding.pipelines import STEPS, pipelines
from fuzz.feeding.texts import TEXTS, try_texts
from fuzz.harness import Files, Harness, WrongAnswerError, lay
from fuzz.mutations.values import json_with
from transduce.config import TokenizerConfig
from transduce.tokenization.imported import ImportedSymbols
from transduce.tokenization.numbering import Numbering
from transduce.tokenization.tokenizer import Tokenizer
from transduce.untrusted.tokenizer_json import read_pipeline

_CHANGE = json_with(*STEPS)
_SENTENCES = ["the cat sat on the mat", "a dog ran fast", "cats and dogs ⟪PL⟫"] * 5


def feed_published(files: Files, folder: Path) -> object:
    """Cut and join by a published pipeline."""
    text = files["tokenizer.json"].decode("utf-8", "replace")
    pipeline, _ = read_pipeline(text, "tokenizer.json")
    count = max([*pipeline.get_vocab().values(), 0]) + 1
    symbols = ImportedSymbols(pipeline, Numbering(count, None, None, 0, min(1, count - 1)))
    answer = try_texts(symbols)
    Tokenizer.from_json(Tokenizer.imported(symbols).to_json())
    return answer


def feed_own(files: Files, folder: Path) -> object:
    """Cut and join by a tokenizer of ours; written, it is read as the same."""
    lay(files, folder)
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    rows = tokenizer.encode_batch(TEXTS)
    for row in rows:
        if row and not 0 <= min(row) <= max(row) < tokenizer.size:
            raise WrongAnswerError(f"numbers must be below {tokenizer.size}; got {row}")
        tokenizer.decode(row).encode()
        tokenizer.symbols(row)
    few = list(range(min(tokenizer.size, 300)))
    tokenizer.decode(few).encode()
    tokenizer.symbols(few)
    again = Tokenizer.from_json(tokenizer.to_json())
    if again.encode_batch(TEXTS) != rows:
        raise WrongAnswerError("what is written of a tokenizer must cut alike")
    return tokenizer.kind, len(rows[0]), bool(tokenizer.tags)


def _own() -> list[Files]:
    made = []
    for kind in ("character", "whitespace", "word", "bpe", "unigram", "byte"):
        size = 300 if kind in ("bpe", "unigram") else None
        config = TokenizerConfig(kind=kind, vocabulary_size=size, normalization="nfc")
        made.append(Tokenizer.train(_SENTENCES, config, ["⟪PL⟫"]))
    turned = TokenizerConfig(lowercase=True, normalization="nfd", right_to_left=True)
    made.append(Tokenizer.train(_SENTENCES, turned))
    for text in pipelines()[:3]:
        pipeline, _ = read_pipeline(text.decode(), "x")
        size = pipeline.get_vocab_size()
        languages = {"en": 3, "fr": 4}
        symbols = ImportedSymbols(
            pipeline, Numbering(size, 0, 2, 0, 1), (3,), True, frozenset({5}), None, languages, (6,)
        )
        made.append(Tokenizer.imported(symbols))
    return [{"tokenizer.json": tokenizer.to_json().encode()} for tokenizer in made]


HARNESSES = [
    Harness(
        "tokenizer-json",
        lambda: [{"tokenizer.json": text} for text in pipelines()],
        {"*": _CHANGE},
        feed_published,
        quick=150,
        needs=("sentencepiece",),
    ),
    Harness("own-tokenizer", _own, {"*": _CHANGE}, feed_own, quick=150, needs=("sentencepiece",)),
]
