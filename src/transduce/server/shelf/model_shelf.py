"""The models of a server: loaded when first asked for, put away where memory is short."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from transduce.config import Config, require_one_input
from transduce.errors import one_line
from transduce.files import place
from transduce.light.prediction_records import record_key
from transduce.light.recording import model_note
from transduce.pretrained.published_model import load_trained
from transduce.server.limits.request_errors import RequestError
from transduce.server.shelf.adapter_names import adapters_by_model
from transduce.server.shelf.loaded_model import LoadedModel
from transduce.workflow.adapting.adapter_of import with_adapter
from transduce.workflow.model_folder import CONFIG, WEIGHTS, require_files
from transduce.workflow.trained import TrainedModel

__all__ = ["ModelShelf", "ToldModel"]

_TIMES = 2.0  # as much memory as its weights take on the disk: these, and their packed form


@dataclass(frozen=True, slots=True)
class ToldModel:
    """What is known of a model that need not be in memory.

    The ``kind`` of its sources, the languages of its recipe, and the ``codes`` of one of many, once
    it has been loaded.
    """

    kind: str
    source: str | None
    target: str | None
    codes: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: Config, codes: tuple[str, ...] = ()) -> ToldModel:
        """From its recipe. Raises ConfigError where a source has two inputs."""
        require_one_input(config, "a server's answers")
        kind, source, target = config.data.input.kind, config.source, config.target
        return cls(kind, source.language, target.language, codes)


class ModelShelf:
    """Models by name, the first the one that is meant where no name is given.

    Used in the thread of the event loop; models are read in others. Who has asked for a model keeps
    it until it is answered, whatever is put away or replaced meanwhile.
    """

    def __init__(
        self,
        folders: Mapping[str, Path],
        memory: float | None = None,
        adapters: Mapping[str, Path] | None = None,
    ) -> None:
        """``memory``: bytes of all models together; ``adapters``: files by name.

        Raises ModelError where a folder is no model, or an adapter of none of the models.
        """
        self._folders = dict(folders)
        self._memory = memory
        self._loaded: dict[str, LoadedModel] = {}  # the least used first
        self._locks = {name: asyncio.Lock() for name in folders}
        self._signatures: dict[str, object] = {}
        self._told: dict[str, ToldModel] = {}
        for name, folder in folders.items():
            require_files(folder, [CONFIG])
            config = TrainedModel.read_config(folder)  # says at the start what would fail later
            self._told[name] = ToldModel.of(config)
        self.adapters = tuple(adapters or ())
        self._adapters = adapters_by_model(adapters or {}, self._folders)

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self._folders)

    @property
    def loaded(self) -> tuple[str, ...]:
        """Those in memory."""
        return tuple(self._loaded)

    def told(self, name: str) -> ToldModel:
        """What is known of a model."""
        return self._told[name]

    @property
    def ready(self) -> bool:
        """Whether the first has been loaded."""
        return bool(self._loaded)

    async def get(self, name: str | None = None) -> LoadedModel:
        """A model, loaded if it is not. Raises RequestError (404) where none has the name."""
        name = self.names[0] if name is None else name
        if name not in self._folders:
            raise RequestError(f"model must be one of {', '.join(self.names)}; got {name!r}", 404)
        if (model := self._loaded.pop(name, None)) is None:
            async with self._locks[name]:  # or somebody loads it meanwhile
                if (model := self._loaded.pop(name, None)) is None:
                    model = await self._load(name)
        self._loaded[name] = model
        self._make_room(name)
        return model

    async def renew(self) -> None:
        """Take over loaded models whose files are others now; the old ones end their requests."""
        for name in self.loaded:
            folder = self._folders[name]
            signature = await asyncio.to_thread(_signature, folder)
            if signature is None or signature == self._signatures.get(name):
                continue
            try:
                model = await asyncio.to_thread(self._read, name)
            except Exception as error:
                # Tried again when it has changed once more; until then the old one answers.
                self._signatures[name] = signature
                _LOG.error("model %s cannot be read again: %s", name, type(error).__name__)
                continue
            async with self._locks[name]:
                self._signatures[name] = signature
                if name in self._loaded:
                    self._loaded[name] = model
            _LOG.info("model %s was replaced", name)

    async def _load(self, name: str) -> LoadedModel:
        self._signatures[name] = _signature(self._folders[name])
        try:
            return await asyncio.to_thread(self._read, name)
        except Exception as error:
            # Not to a client: it names a folder of this machine.
            _LOG.error("model %s cannot be loaded: %s", name, one_line(str(error)))
            raise RequestError(
                f"model {name} must be loaded; got an error of the server", 503, 60
            ) from None

    def _read(self, name: str) -> LoadedModel:
        folder = self._folders[name]
        key = record_key(folder)
        trained = load_trained(folder)
        adapted = {
            own: with_adapter(trained, folder, path) for own, path in self._adapters[name].items()
        }
        note = model_note(trained, folder, key)
        model = LoadedModel(name, trained, _size(folder) * (1 + len(adapted)), adapted, note)
        self._told[name] = ToldModel.of(model.trained.config, model.codes)
        model.warm()
        return model

    def _make_room(self, kept: str) -> None:
        if self._memory is None:
            return
        for name in [name for name in self._loaded if name != kept]:
            if sum(model.size for model in self._loaded.values()) <= self._memory:
                return
            del self._loaded[name]
            _LOG.info("model %s is put away", name)


_LOG = logging.getLogger("transduce.server")


def _size(folder: Path) -> int:
    weights = place(folder, WEIGHTS)
    return int(_TIMES * weights.stat().st_size) if weights.exists() else 0


def _signature(folder: Path) -> object:
    """Another one when a model is replaced; None while it is not there."""
    try:
        files = [place(folder, name).stat() for name in (CONFIG, WEIGHTS)]
    except OSError:
        return None
    return [(one.st_ino, one.st_size, one.st_mtime_ns) for one in files]
