"""Names of modules as they were in earlier versions: they still import, with a warning.

``transduce.data`` and ``transduce.pipeline`` were folders. Those of their modules that scripts are
known to have named are found where they are now; in the next version they are not.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.abc import Loader, MetaPathFinder
else:  # importlib.abc loads much, and the Tab key waits for it
    Loader, MetaPathFinder = type("Loader", (), {}), type("MetaPathFinder", (), {})

__all__ = ["MOVED", "find_moved"]

MOVED = {
    "transduce.data.audio": "transduce.audio.samples",
    "transduce.data.audio_reader": "transduce.audio.reader",
    "transduce.data.corpus": "transduce.reading.pair_files",
    "transduce.data.image": "transduce.image.pixels",
    "transduce.data.image_augmentation": "transduce.image.augmentation",
    "transduce.data.image_reader": "transduce.image.reader",
    "transduce.data.log_mel": "transduce.audio.log_mel",
    "transduce.data.split": "transduce.reading.split",
    "transduce.data.tokenizer": "transduce.tokenization.tokenizer",
    "transduce.evaluation.metrics": "transduce.metrics.scores",
    "transduce.pipeline.corpora": "transduce.workflow.corpora.corpora",
    "transduce.pipeline.fitting": "transduce.workflow.fitting.fit",
    "transduce.pipeline.scoring": "transduce.workflow.evaluate",
    "transduce.pipeline.trained": "transduce.workflow.trained",
    "transduce.pretrained.reader": "transduce.pretrained.published_model",
    "transduce.pretrained.sentencepiece": "transduce.pretrained.checkpoint.sentencepiece",
}
_FOLDERS = ("transduce.data", "transduce.pipeline")


def find_moved() -> None:
    """Let the names of earlier versions import."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())


class _Finder(MetaPathFinder, Loader):
    """Asked last, for names that nobody else finds."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in _FOLDERS:
            return ModuleSpec(name, self, is_package=True)
        return ModuleSpec(name, self) if name in MOVED else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Folder(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """A folder stays empty; a module is the one that it is now."""
        name = module.__name__
        if name not in MOVED:
            return
        warnings.warn(f"{name} is now {MOVED[name]}", DeprecationWarning, stacklevel=2)
        sys.modules[name] = import_module(MOVED[name])


class _Folder(ModuleType):
    """``transduce.pipeline`` once its old modules were asked for: still the function."""

    def __call__(
        self,
        task: str,
        model: Any = None,
        **options: Any,
    ) -> Any:
        from transduce.tasks import pipeline

        return pipeline(task, model, **options)
