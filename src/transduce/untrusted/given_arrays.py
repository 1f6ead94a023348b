"""Arrays that a caller gives: of NumPy, PyTorch or another library, or nested lists."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from transduce.errors import DataError

__all__ = ["as_array"]


def as_array(values: Any, name: str) -> NDArray[Any]:
    """As NumPy has it; a tensor without its gradients, in float32 where it has another precision.

    Raises DataError for what is no array.
    """
    try:
        if callable(getattr(values, "detach", None)):
            values = values.detach().cpu()
            values = values.float() if values.is_floating_point() else values
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        reason = str(error).partition("\n")[0].partition(". ")[0]
        raise DataError(f"{name} must be an array of numbers; got: {reason}") from None
