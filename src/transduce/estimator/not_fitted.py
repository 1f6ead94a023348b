"""The error of a model that has not learnt yet, in the class that scikit-learn's callers catch."""

from __future__ import annotations

import sys

from transduce.errors import ModelError

__all__ = ["not_fitted"]


def not_fitted() -> ModelError:
    """To raise where a model is asked before ``fit``.

    A :class:`ModelError`; where scikit-learn is loaded its ``NotFittedError`` too. It is not
    loaded for this: who catches its class has it.
    """
    message = "model must be fitted or loaded first; call fit or Transducer.load"
    if "sklearn" in sys.modules:
        from transduce.estimator.scikit_learn import NotFittedModelError

        return NotFittedModelError(message)
    return ModelError(message)
