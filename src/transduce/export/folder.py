"""The directory that ``ctranslate2.Translator`` opens, whole or not there at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from transduce.config import ModelConfig
from transduce.data.parts import find_part
from transduce.errors import ConfigError
from transduce.export.holdable import (
    require_library,
    require_own_tokenizers,
    require_quantization,
    require_transformers,
)
from transduce.files import sync_folder
from transduce.models.seq2seq import Seq2Seq
from transduce.pipeline.trained import TrainedModel

__all__ = ["SOURCE", "TARGET", "export_model", "export_trained", "require_free"]

SOURCE, TARGET = "source.tokenizer.json", "target.tokenizer.json"


def export_trained(
    trained: TrainedModel,
    folder: Path,
    quantization: str = "float32",
    *,
    part: str | None = None,
) -> None:
    """Write a trained Transformer and its tokenizers into a new directory.

    Of a mixture the whole model is written, with the tokenizers of one ``part`` beside it. Raises
    ModelError where CTranslate2 cannot hold the model, ConfigError where the directory is not
    free, the package is missing or there is no such part, OSError.
    """
    name = find_part(trained.config, part).name
    require_own_tokenizers(trained.config.for_part(name))
    require_transformers(trained.config.model)
    source, target = trained.tokenizers(name)
    with _new(folder) as aside:
        _write(
            trained.model,
            trained.config.model,
            trained.source_tokenizer.entries,
            trained.target_tokenizer.entries,
            aside,
            quantization,
        )
        source.save(aside / SOURCE)
        target.save(aside / TARGET)


def export_model(
    model: Seq2Seq,
    config: ModelConfig,
    source_symbols: Sequence[str],
    target_symbols: Sequence[str],
    folder: Path,
    quantization: str = "float32",
) -> None:
    """Like :func:`export_trained` for a model without tokenizers.

    The symbols are the vocabularies in the order of their numbers, all different; the
    first four are ``<pad> <unk> <bos> <eos>``.
    """
    require_transformers(config)
    with _new(folder) as aside:
        _write(model, config, source_symbols, target_symbols, aside, quantization)


def require_free(folder: Path) -> None:
    """Raise ConfigError unless a directory is new or empty."""
    try:
        free = not folder.exists() or not any(folder.iterdir())
    except OSError as error:
        raise ConfigError(
            f"--output must be a directory; got {folder} ({error.strerror})"
        ) from None
    if not free:
        raise ConfigError(f"--output must be a new directory; got {folder}, which holds files")


def _write(
    model: Seq2Seq,
    config: ModelConfig,
    source_symbols: Sequence[str],
    target_symbols: Sequence[str],
    folder: Path,
    quantization: str,
) -> None:
    require_library()
    from transduce.export.specification import specify  # needs the extra

    require_quantization(quantization)
    spec = specify(model, config, source_symbols, target_symbols)
    spec.validate()
    spec.optimize(quantization)
    spec.save(str(folder))


@contextmanager
def _new(folder: Path) -> Iterator[Path]:
    """A directory to fill; it gets its name when the block ends well, otherwise goes."""
    require_free(folder)
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    aside.mkdir(parents=True)
    try:
        yield aside
        sync_folder(aside)
        if folder.exists():
            folder.rmdir()
        aside.replace(folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
