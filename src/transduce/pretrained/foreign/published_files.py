"""A published model kept whole inside a directory of ours, for networks that transformers runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from safetensors import SafetensorError

from transduce.errors import ModelError
from transduce.files import Change, place
from transduce.models.storage import as_system_error
from transduce.untrusted.bounded import read_bytes
from transduce.untrusted.json import LARGEST
from transduce.workflow.model_folder import CONFIG, PUBLISHED, WEIGHTS

__all__ = ["holds_published", "published_files", "quiet", "side_files", "write_published"]

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
        place(folder, CONFIG).is_file()
        and place(folder, PUBLISHED).is_dir()
        and not place(folder, WEIGHTS).is_file()
    )


def published_files(folder: Path) -> list[str]:
    """The files of the published model, by their paths from the directory of ours."""
    inner = place(folder, PUBLISHED)
    paths = sorted(path for path in inner.rglob("*") if path.is_file())
    return [str(PurePosixPath(PUBLISHED, path.relative_to(inner).as_posix())) for path in paths]


def side_files(folder: Path) -> dict[str, bytes]:
    """By path from ``folder``: the files that read texts and pictures. Raises ModelError."""
    found = {}
    for name in (str(Path(inner) / file) for inner in _FOLDERS for file in _SIDE_FILES):
        path = folder / name
        if path.is_file():
            try:
                found[name] = read_bytes(path, LARGEST)
            except OSError as error:
                raise ModelError(f"{path} must be readable; {error.strerror}") from None
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the library's progress bars and advice out of a command's output."""
    from transformers.utils import logging

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()


def write_published(network: Any, files: Mapping[str, bytes], change: Change) -> None:
    """Write the network (safetensors) and ``files`` as the published model of a change.

    Raises ModelError where the library cannot save the network, OSError.
    """
    inner = change.path(PUBLISHED)
    try:
        with quiet():
            network.save_pretrained(inner)
    except OSError:
        raise
    except SafetensorError as error:
        raise as_system_error(error, inner) from None
    except Exception as error:  # of many kinds, told in the library's words
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(
            f"{change.folder}: transformers must be able to save it; {reason}"
        ) from None
    for name, content in files.items():
        change.write_bytes(f"{PUBLISHED}/{name}", content)
