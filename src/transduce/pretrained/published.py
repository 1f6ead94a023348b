"""A published model kept whole inside a directory of ours, for networks that transformers runs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transduce.errors import ModelError
from transduce.files import replacing, write_bytes
from transduce.pipeline.trained import CONFIG, WEIGHTS

__all__ = ["PUBLISHED", "holds_published", "quiet", "side_files", "write_published"]

PUBLISHED = "published"
_FOLDERS = ("", "decoder")  # a decoder may have a tokenizer of its own
_SIDE_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
    "preprocessor_config.json",
    "processor_config.json",
)


def holds_published(folder: Path) -> bool:
    """Whether the directory is one of ours around a published model."""
    return (
        (folder / CONFIG).is_file()
        and (folder / PUBLISHED).is_dir()
        and not (folder / WEIGHTS).is_file()
    )


def side_files(folder: Path) -> dict[str, bytes]:
    """By path from ``folder``: the files that read texts and pictures. Raises ModelError."""
    found = {}
    for name in (str(Path(inner) / file) for inner in _FOLDERS for file in _SIDE_FILES):
        path = folder / name
        if path.is_file():
            try:
                found[name] = path.read_bytes()
            except OSError as error:
                raise ModelError(f"{path} must be readable; {error.strerror}") from None
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the library's progress bars out of a command's output."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def write_published(network: Any, files: Mapping[str, bytes], folder: Path) -> None:
    """Write the network (safetensors) and ``files`` below ``folder``, each file in one step.

    Raises ModelError where the library cannot save the network, OSError.
    """
    inner = folder / PUBLISHED
    inner.mkdir(parents=True, exist_ok=True)
    # aside first: the weights may still be mapped from the very file that they replace
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{PUBLISHED}.") as aside:
        try:
            with quiet():
                network.save_pretrained(aside)
        except OSError:
            raise
        except Exception as error:  # of many kinds, told in the library's words
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ModelError(f"{folder}: transformers must be able to save it; {reason}") from None
        for path in sorted(Path(aside).iterdir()):
            with replacing(inner / path.name) as place:
                path.replace(place)
    for name, content in files.items():
        (inner / name).parent.mkdir(exist_ok=True)
        write_bytes(inner / name, content)
