"""From the path of a published model to one of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from transduce.confidence.record import confidence_file, confidence_of
from transduce.config import Config
from transduce.errors import ModelError, TransduceError, naming
from transduce.files import place, read_as_one
from transduce.pretrained.checkpoint.conversion import Conversion, trained_model
from transduce.pretrained.checkpoint.published_checkpoint import PublishedCheckpoint
from transduce.pretrained.ctranslate2.converted import is_ctranslate2, read_ctranslate2
from transduce.pretrained.families.fairseq import (
    convert_bart,
    convert_m2m100,
    convert_marian,
    convert_mbart,
    convert_pegasus,
)
from transduce.pretrained.families.g2p_en import is_g2p_en, read_g2p_en
from transduce.pretrained.families.t5 import convert_t5
from transduce.pretrained.families.whisper import read_whisper
from transduce.pretrained.foreign.foreign_model import read_adapted
from transduce.pretrained.foreign.published_files import holds_published, published_files
from transduce.pretrained.hub import HubAccess, model_folder
from transduce.workflow.adapting.adapter_of import with_adapter
from transduce.workflow.fitting.beginning import LearntFrom
from transduce.workflow.model_folder import CONFIG, PUBLISHED, checked, checked_export
from transduce.workflow.trained import TrainedModel, choose_device, read_report

__all__ = ["FAMILIES", "load_model", "load_trained", "read_learnt_from", "read_pretrained"]

FAMILIES: dict[str, Callable[[PublishedCheckpoint], Conversion]] = {
    "t5": convert_t5,
    "mt5": convert_t5,
    "bart": convert_bart,
    "mbart": convert_mbart,
    "marian": convert_marian,
    "m2m_100": convert_m2m100,
    "pegasus": convert_pegasus,
}


_OTHER_SHAPES = (ArithmeticError, IndexError, RuntimeError, TypeError, ValueError)
_WHISPER = "whisper"  # whose sources are recordings


def load_trained(folder: str | Path, device: str = "auto") -> TrainedModel:
    """Read what ``save`` wrote, be its network ours or one that transformers runs.

    Raises ModelError naming what is missing or broken.
    """
    folder = Path(folder)
    return read_as_one(folder, lambda: _load(folder, device))


def load_model(
    folder: str | Path, adapter: str | Path | None = None, device: str = "auto"
) -> TrainedModel:
    """The same, with the change of an adapter's file where one is given.

    Raises ModelError also where the adapter is damaged, or of another model.
    """
    folder = Path(folder)
    if adapter is None:
        return load_trained(folder, device)
    path = Path(adapter)
    return read_as_one(folder, lambda: with_adapter(_load(folder, device), folder, path))


def _load(folder: Path, device: str) -> TrainedModel:
    if not holds_published(folder):
        return TrainedModel.load(folder, device)
    config = TrainedModel.read_config(folder)
    files = [*published_files(folder), *confidence_file(folder)]
    with checked(folder, files), naming(folder):
        checkpoint = PublishedCheckpoint(place(folder, PUBLISHED))
        with closing(checkpoint.weights):
            trained = read_adapted(checkpoint, config)
        trained.confidence = confidence_of(folder)
    trained.report |= read_report(folder)
    trained.model.to(choose_device(device)).eval()
    return trained


def read_learnt_from(config: Config) -> LearntFrom:
    """What ``model.from``, ``model.encoder_from`` and ``training.teacher`` name: folders or names
    on the hub.

    Raises ModelError as ``read_pretrained``, and NoModelError where nothing has the name.
    """
    named = config.model.from_, config.model.encoder_from
    base, encoder = (None if path is None else read_pretrained(str(path)) for path in named)
    teachers = tuple(read_pretrained(str(path)) for path in config.training.teacher)
    return LearntFrom(base, teachers, encoder)


def read_pretrained(
    path: str | Path,
    *,
    device: str = "auto",
    source_language: str | None = None,
    target_language: str | None = None,
    legacy_weights: bool = False,
    download: bool = False,
) -> TrainedModel:
    """A model of ours, of CTranslate2, of g2p-en or of Hugging Face transformers, from files.

    A text that is no path is a name in the hub's cache; ``download`` permits fetching it, and
    nothing else is asked of the network. The languages are for models of many; ``legacy_weights``
    permits pytorch_model.bin. No code is run. A family that we have no modules for is run by the
    package transformers (``AdaptedModel``). Raises ModelError naming what is missing, broken
    or not known here.
    """
    path = model_folder(path, HubAccess(download), legacy_weights=legacy_weights)
    if place(path, CONFIG).is_file():
        return load_trained(path, device)
    with naming(path), _whose_shapes_fit(path):
        if is_g2p_en(path):
            trained = read_g2p_en(path)
        elif is_ctranslate2(path):
            with checked_export(path):
                trained = read_ctranslate2(path, source_language, target_language)
        else:
            checkpoint = PublishedCheckpoint(
                path,
                legacy_weights=legacy_weights,
                source_language=source_language,
                target_language=target_language,
            )
            with closing(checkpoint.weights):
                trained = _read_checkpoint(checkpoint)
    trained.model.to(choose_device(device)).eval()
    return trained


@contextmanager
def _whose_shapes_fit(path: Path) -> Iterator[None]:
    """Make a ModelError of what arithmetic says to tensors that no model of the kind has.

    Each family cuts and joins tensors before all of them are held against the model.
    """
    try:
        yield
    except TransduceError:
        raise
    except _OTHER_SHAPES as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{path}: weights must have the shapes of a model; {reason}") from error


def _read_checkpoint(checkpoint: PublishedCheckpoint) -> TrainedModel:
    if checkpoint.family == _WHISPER:
        return read_whisper(checkpoint)
    convert = FAMILIES.get(checkpoint.family)
    if convert is not None:
        return trained_model(checkpoint, convert(checkpoint))
    if not checkpoint.family:
        raise ModelError(f"{checkpoint.folder / 'config.json'}: model_type must be given; got none")
    return read_adapted(checkpoint)
