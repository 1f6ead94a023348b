"""tokenizer.json as it is saved: the library's, or one of SentencePiece's pieces, maybe packed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from transduce.errors import ModelError, naming
from transduce.tokenization.pieces.piece_pipeline import PIECES, PiecePipeline
from transduce.tokenization.pipelines import BYTES, SPECIALS
from transduce.tokenization.text_pipeline import TextPipeline
from transduce.untrusted.bounded import read_bytes, unpack
from transduce.untrusted.json import LARGEST, parse_json
from transduce.untrusted.tokenizer_json import read_pipeline

if TYPE_CHECKING:  # whose library takes its time to load
    from transduce.config import TokenizerConfig

__all__ = ["PACKED", "check_entries", "read_stored", "stored_text"]

PACKED = ".gz"  # what the name of a packed one ends in


def stored_text(path: str | Path, content: bytes | None = None) -> str:
    """The JSON of a file, packed or not; ``content`` is what the file has, where that was read.

    Raises ModelError that names the file.
    """
    try:
        if content is None:
            content = read_bytes(path, LARGEST)
        if Path(path).suffix == PACKED:
            content = unpack(content, LARGEST, path)
        return content.decode()
    except OSError as error:
        raise ModelError(f"{path}: tokenizer must be readable; {error.strerror}") from None
    except UnicodeDecodeError:
        raise ModelError(f"{path}: tokenizer must be UTF-8 text") from None


def read_stored(text: str, name: str | Path) -> tuple[TextPipeline, dict[str, Any]]:
    """The pipeline of a file's text, the library's or one of pieces, and the text's JSON.

    Raises ModelError, which names the file by ``name``.
    """
    if f'"{PIECES}"' not in text:
        return read_pipeline(text, name)
    must = f"{name}: tokenizer must be whole and valid"
    try:
        state: dict[str, Any] = parse_json(text)
        if state["model"]["type"] != PIECES:  # it was a symbol's name
            return read_pipeline(text, name)
        with naming(name):
            return PiecePipeline.from_state(state), state
    except (KeyError, TypeError, AttributeError):
        raise ModelError(must) from None
    except ValueError as error:
        raise ModelError(f"{must}; {error}") from None


def check_entries(pipeline: TextPipeline, config: TokenizerConfig, name: str | Path) -> None:
    """Raise ModelError where the numbers that everything else relies on are others."""
    fixed: tuple[str, ...] = SPECIALS
    if config.kind in ("byte", "bpe", "unigram"):
        fixed += BYTES
    found = tuple(pipeline.id_to_token(number) for number in range(len(fixed)))
    if found != fixed:
        raise ModelError(f"{name}: tokenizer must begin with {' '.join(SPECIALS)} (and bytes)")
    numbers = pipeline.get_vocab()
    if sorted(numbers.values()) != list(range(len(numbers))):
        raise ModelError(f"{name}: tokenizer must number its symbols without gaps")
