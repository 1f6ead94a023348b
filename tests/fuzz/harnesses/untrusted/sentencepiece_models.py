"""SentencePiece's model files as pipelines."""

from __future__ import annotations

from pathlib import Path

from fuzz.feeding.sentencepieces import trained_pieces
from fuzz.feeding.texts import try_texts
from fuzz.harness import Files, Harness, lay
from fuzz.mutations.protobuf import protobuf
from transduce.pretrained.checkpoint.sentencepiece import pipeline_of, read_pieces
from transduce.tokenization.imported import ImportedSymbols
from transduce.tokenization.numbering import Numbering


def feed(files: Files, folder: Path) -> object:
    """Texts cut and joined as a model file says."""
    lay(files, folder)
    pieces = read_pieces(folder / "a.model")
    pipeline = pipeline_of(pieces, {"<extra>": 0})
    size = pipeline.get_vocab_size()
    numbering = Numbering(size, None, pieces.unknown, 0, min(1, size - 1))
    return pieces.bpe, pieces.byte_fallback, try_texts(ImportedSymbols(pipeline, numbering))


HARNESS = Harness(
    "sentencepiece",
    lambda: [
        {"a.model": trained_pieces()},
        {"a.model": trained_pieces("bpe")},
        {"a.model": trained_pieces(size=330, byte_fallback=True)},
        {"a.model": trained_pieces(user_defined_symbols="<user>", control_symbols="<ctl>")},
        {"a.model": trained_pieces("bpe", add_dummy_prefix=False, remove_extra_whitespaces=False)},
    ],
    {"*": protobuf},
    feed,
    quick=150,
    needs=("sentencepiece",),
)
