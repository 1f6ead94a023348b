"""Sequence-to-sequence learning: any sequence in, text out.

>>> from transduce import Transducer, pipeline  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transduce.forks import keep_to_one_thread
from transduce.moved import find_moved

if TYPE_CHECKING:
    from transduce.tasks import pipeline
    from transduce.transducer import Transducer
    from transduce.tuning.tune_recipe import tune

__all__ = ["Transducer", "__version__", "pipeline", "tune"]

__version__ = "0.1.0"

find_moved()
keep_to_one_thread()


def __getattr__(name: str) -> Any:
    # Lazy, so that `transduce --help` does not wait for PyTorch.
    if name == "Transducer":
        from transduce.transducer import Transducer

        return Transducer
    if name == "pipeline":
        from transduce.tasks import pipeline

        return pipeline
    if name == "tune":
        from transduce.tuning.tune_recipe import tune

        return tune
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
