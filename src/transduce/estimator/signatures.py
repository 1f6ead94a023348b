"""Search options by name in signatures, so that ``help`` and completion know them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TypeVar

from transduce.config import SearchConfig

__all__ = ["with_search_options"]

Method = TypeVar("Method", bound=Callable[..., object])


def with_search_options(method: Method) -> Method:
    """Show each option of the search in the signature of a method that takes ``**search``.

    What is called stays the same. An option left out is as the model's recipe says.
    """
    signature = inspect.signature(method)
    given = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    options = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.get_default(call_default_factory=True),
            annotation=field.annotation,
        )
        for name, field in SearchConfig.model_fields.items()
    ]
    own = {parameter.name for parameter in given}
    shown = [*given, *(option for option in options if option.name not in own)]
    method.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    return method
