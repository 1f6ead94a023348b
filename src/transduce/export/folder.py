"""The directory that ``ctranslate2.Translator`` opens, whole or not there at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from transduce.config import ModelConfig
from transduce.errors import ConfigError
from transduce.export.exported import SOURCE, TARGET
from transduce.export.holdable import (
    require_library,
    require_own_tokenizers,
    require_quantization,
    require_transformers,
)
from transduce.files import SUMS, Sums, digest, named, switching
from transduce.models.seq2seq import Seq2Seq
from transduce.reading.parts import find_part
from transduce.workflow.trained import TrainedModel

__all__ = ["export_model", "export_trained", "require_free"]

MODEL = "model.bin"


def export_trained(
    trained: TrainedModel,
    folder: Path,
    quantization: str = "float32",
    *,
    part: str | None = None,
) -> None:
    """Write a trained Transformer and its tokenizers into a directory, new or an earlier export's.

    Of a mixture the whole model is written, with the tokenizers of one ``part`` beside it. Raises
    ModelError where CTranslate2 cannot hold the model, ConfigError where the directory is not
    free, the package is missing or there is no such part, BusyError where another process writes
    there, OSError.
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
        _write_text(aside / SOURCE, source.to_json())
        _write_text(aside / TARGET, target.to_json())


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
    """Raise ConfigError unless a directory is new, empty or an earlier export, and nothing more."""
    try:
        names = {path.name for path in folder.iterdir()} if folder.exists() else set()
        known = set(Sums.read(folder / SUMS) or ()) if names else set()
    except OSError as error:
        raise ConfigError(
            f"--output must be a directory; got {folder} ({error.strerror})"
        ) from None
    if names and (MODEL not in known or names - known - {SUMS}):
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
    """A directory to fill; it takes the place of ``folder`` when the block ends well."""
    require_free(folder)
    with switching(folder) as aside:
        yield aside
        paths = sorted(path for path in aside.rglob("*") if path.is_file())
        sums = Sums((path.relative_to(aside).as_posix(), digest(path)) for path in paths)
        _write_text(aside / SUMS, sums.to_text())


def _write_text(path: Path, text: str) -> None:
    with named(path):
        path.write_bytes(text.encode())
