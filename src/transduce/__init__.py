"""Sequence-to-sequence learning: any sequence in, text out.

>>> from transduce import Transducer, pipeline  # doctest: +SKIP
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transduce.tasks import pipeline
    from transduce.transducer import Transducer

__all__ = ["Transducer", "__version__", "pipeline"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Lazy, so that `transduce --help` does not wait for PyTorch.
    if name == "Transducer":
        from transduce.transducer import Transducer

        return Transducer
    if name == "pipeline":
        return import_module("transduce.pipeline")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# `transduce.pipeline(task, model=…)` is what code written for transformers calls, and a folder here
# has that name too: the folder answers calls.
class _Callable(ModuleType):
    def __call__(
        self,
        task: str,
        model: Any,
        *,
        device: str = "auto",
        src_lang: str | None = None,
        tgt_lang: str | None = None,
        part: str | None = None,
    ) -> Any:
        from transduce.tasks import pipeline as make

        return make(task, model, device=device, src_lang=src_lang, tgt_lang=tgt_lang, part=part)


class _Package(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        if name == "pipeline" and isinstance(value, ModuleType):
            value.__class__ = _Callable
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
