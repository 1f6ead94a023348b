"""A model's modules without memory, to be held against what a file of weights holds.

A config is a file's word: one number in it asks for terabytes, or for a million layers. So a
model that is loaded is first built on torch's meta device, where tensors have shapes and no
numbers, and of no more modules than the weights can fill.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_module_registration_hook
from torch.overrides import TorchFunctionMode

from transduce.errors import ConfigError, ModelError

__all__ = ["blueprint"]

_MODULES_A_TENSOR = 8  # containers, dropouts and the like hold none
_MODULES = 256


@contextmanager
def blueprint(tensors: int, folder: Path) -> Iterator[None]:
    """Within the block this thread builds modules on the meta device, for so many tensors.

    Raises ModelError, naming the folder, where they would be more than the tensors can fill, or
    of sizes that nobody can build.
    """
    left = _MODULES + _MODULES_A_TENSOR * tensors
    here = threading.get_ident()

    def count(parent: nn.Module, name: str, child: nn.Module | None) -> None:
        nonlocal left
        left -= threading.get_ident() == here
        if left < 0:
            raise ModelError(
                f"{folder}: config must describe the {tensors} tensors there are; got more layers"
            )

    hook = register_module_module_registration_hook(count)
    try:
        with torch.device("meta"), _Unfilled():
            yield
    except ConfigError:
        raise
    except (ArithmeticError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{folder}: config must describe a model that exists; {reason}") from None
    finally:
        hook.remove()


class _Unfilled(TorchFunctionMode):
    """Tensors are made and get no numbers.

    On the meta device they would get none anyhow, but the first such operation loads a compiler,
    which takes seconds.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """What ``function`` gives, in shape."""
        given = dict(kwargs or {})
        name, module = function.__name__, getattr(function, "__module__", None)
        first = args[0] if args else given.get("tensor")
        if isinstance(first, Tensor):
            if name in ("normal_", "uniform_") or module == nn.init.__name__:
                return first
            if name in ("div", "mul", "log"):
                return torch.empty(first.shape)
        return (torch.empty if name == "randn" else function)(*args, **given)
