"""The cache of encoded pairs: opened as it was written, or not at all."""

from __future__ import annotations

import hashlib
import json
import tempfile
from functools import cache
from pathlib import Path
from random import Random

from fuzz.feeding.models import SENTENCES, files_in
from fuzz.harness import Files, Harness, WrongAnswerError, lay
from fuzz.mutations.octets import octets
from fuzz.mutations.values import json_with
from transduce.batches.encoded_corpus import EncodedCorpus
from transduce.config import TokenizerConfig
from transduce.tokenization.tokenizer import Tokenizer

_ODD = (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError)


@cache
def _tokenizer() -> Tokenizer:
    return Tokenizer.train(SENTENCES, TokenizerConfig())


@cache
def _files() -> Files:
    pairs = [(text, text[::-1]) for text in SENTENCES]
    with tempfile.TemporaryDirectory() as home:
        EncodedCorpus.build(pairs, _tokenizer(), _tokenizer(), folder=Path(home), fingerprint="f")
        return files_in(Path(home))


def _signed(chance: Random, files: Files) -> Files:
    """Sums that are true of the damaged files, so that what is behind them is reached."""
    try:
        state = json.loads(files["corpus.json"])
        for side, own in state["sides"].items():
            endings = ("tokens", 2, "tokens"), ("lengths", 4, "pairs")
            for place, (ending, size, name) in enumerate(endings):
                data = files[f"{side}.{ending}"]
                own["digests"][place] = hashlib.blake2b(data, digest_size=16).hexdigest()
                if chance.random() < 0.5:
                    own[name] = len(data) // size
    except _ODD:
        return files
    return {**files, "corpus.json": json.dumps(state).encode()}


def feed(files: Files, folder: Path) -> object:
    """Open, and read everything as training would."""
    lay(files, folder)
    corpus = EncodedCorpus.open(folder, "f", (_tokenizer().size,) * 2)
    if corpus is None:
        return "none"
    if len(corpus) != len(SENTENCES):
        return "another number of pairs"
    batch = corpus.batch(range(len(corpus)))
    for tokens in (batch.source.tokens, batch.target):
        if not 0 <= int(tokens.min()) <= int(tokens.max()) < _tokenizer().size:
            raise WrongAnswerError("tokens must be symbols of the vocabulary")
    for index in range(len(corpus)):
        corpus.pair(index)
    return len(corpus)


HARNESS = Harness(
    "encoded-corpus",
    lambda: [_files()],
    {"corpus.json": json_with("<u2", "<u4", "<i8", "<f4", "O", "f"), "*": octets},
    feed,
    quick=250,
    whole=_signed,
)
