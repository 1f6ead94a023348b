"""A tensor of weights in fewer bytes, which stands wherever its floats would.

Whatever computes with it gets floats, made for that one operation; the engine takes the numbers as
they are stored. So no module, no explanation and no export knows that its weights were shrunk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from transduce.compress.groups import Int4Groups
from transduce.compress.rows import Int8Rows

__all__ = ["Shrunk", "StoredNumbers", "floats_of", "int8_rows"]

# What a tensor says of itself, and what nn.Module does with a parameter that stays where it is.
_ATTRIBUTES = (
    *("shape", "dtype", "device", "ndim", "layout", "requires_grad", "grad", "grad_fn", "is_leaf"),
    *("is_meta", "is_cpu", "is_cuda", "is_sparse", "is_quantized"),
)
_ASKED = {
    *(getattr(Tensor, name).__get__ for name in _ATTRIBUTES),
    *(Tensor.size, Tensor.dim, Tensor.numel, Tensor.__len__, Tensor.is_floating_point),
    *(Tensor.is_complex, Tensor.requires_grad_, torch.is_floating_point, torch.is_complex),
    Tensor.data.__set__,  # type: ignore[attr-defined]
}
_SAME = {Tensor.detach, Tensor.data.__get__}  # type: ignore[attr-defined]
_PRODUCTS = {torch.mul, Tensor.mul, Tensor.__mul__, Tensor.__rmul__}


class StoredNumbers(Protocol):
    """The numbers of a float32 tensor in fewer bytes; nobody changes them."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the floats."""
        ...

    @property
    def nbytes(self) -> int:
        """That a file holds of it, scales included."""
        ...

    def floats(self) -> Tensor:
        """Float32, made anew."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """What a file holds, by what follows the name of the tensor."""
        ...

    def int8(self) -> Int8Rows | None:
        """What int8 products take; None where floats are what it comes from."""
        ...


class Shrunk(Tensor):
    """Float32 to all who ask; ``numbers`` is what there is. It learns nothing."""

    numbers: StoredNumbers

    @staticmethod
    def __new__(cls, numbers: StoredNumbers) -> Shrunk:
        """An empty tensor of the same shape on the CPU."""
        made: Shrunk = Tensor._make_wrapper_subclass(cls, numbers.shape, dtype=torch.float32)
        made.numbers = numbers
        return made

    def __init__(self, numbers: StoredNumbers) -> None:
        super().__init__()

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        """Shape and kind."""
        return f"Shrunk({type(self.numbers).__name__}, {list(self.shape)})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        """The same numbers, which nobody changes."""
        other = _made(self.numbers, isinstance(self, nn.Parameter))
        memo[id(self)] = other
        return other

    def __reduce_ex__(self, protocol: Any) -> tuple[Callable[..., Tensor], tuple[Any, ...]]:
        """Its numbers, in a pickle."""
        return _made, (self.numbers, isinstance(self, nn.Parameter))

    @classmethod
    def __torch_function__(
        cls,
        function: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """What changes no number keeps the bytes few; everything else has floats."""
        given = dict(kwargs or {})
        if function in _ASKED:
            with torch._C.DisableTorchFunctionSubclass():
                return function(*args, **given)
        if function is Tensor.to and _stays(args, given):
            return args[0]
        kept = _kept(function, args)
        if kept is not None:
            return Shrunk(kept)
        return function(*_with_floats(args), **_with_floats(given))

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """The same below Python, for what never comes by above; the first costs seconds."""
        return function(*_with_floats(args), **_with_floats(dict(kwargs or {})))


def _made(numbers: StoredNumbers, as_parameter: bool) -> Tensor:
    made = Shrunk(numbers)
    return nn.Parameter(made, requires_grad=False) if as_parameter else made


def floats_of(tensor: Tensor) -> Tensor:
    """A tensor's floats: itself, where it is none that was shrunk."""
    return _floats(tensor) if isinstance(tensor, Shrunk) else tensor


def int8_rows(tensor: Tensor) -> Int8Rows | None:
    """What int8 products take of a shrunk tensor; None where it is one of floats."""
    return tensor.numbers.int8() if isinstance(tensor, Shrunk) else None


def _floats(tensor: Shrunk) -> Tensor:
    return tensor.numbers.floats()


def _with_floats(value: Any) -> Any:
    """Arguments with floats in the place of what was shrunk."""
    match value:
        case Shrunk():
            return _floats(value)
        case tuple() | list():
            return type(value)(_with_floats(each) for each in value)
        case dict():
            return {name: _with_floats(each) for name, each in value.items()}
    return value


def _stays(args: tuple[Any, ...], given: dict[str, Any]) -> bool:
    """Whether ``Tensor.to`` moves and changes nothing."""
    device, kind, *_ = torch._C._nn._parse_to(*args[1:], **given)
    return (device is None or device.type == "cpu") and kind in (None, torch.float32)


def _kept(function: Any, args: tuple[Any, ...]) -> StoredNumbers | None:
    """The result of an operation that only moves numbers; None where it does more."""
    if function is torch.cat:
        return _joined(*args)
    first = args[0]
    if not isinstance(first, Shrunk):
        return None
    if function in _SAME:
        return first.numbers
    rows = first.numbers
    if not isinstance(rows, Int8Rows):
        return None
    if function in _PRODUCTS and isinstance(args[1], float | int) and args[1] > 0:
        return rows.times(args[1])
    # Within rows: dimension 0 stays where it is.
    if function is Tensor.movedim and not {0, -first.ndim} & {args[1], args[2]}:
        return rows.within_rows(lambda codes: codes.movedim(args[1], args[2]))
    if function is Tensor.flatten and len(args) == 2 and args[1] > 0:
        return rows.within_rows(lambda codes: codes.flatten(args[1]))
    return None


def _joined(parts: list[Tensor], dim: int = 0) -> StoredNumbers | None:
    found = [part.numbers for part in parts if isinstance(part, Shrunk)]
    groups = [numbers for numbers in found if isinstance(numbers, Int4Groups)]
    if dim == 0 and len(groups) == len(parts) and len({each.shape[1:] for each in groups}) == 1:
        return Int4Groups.joined(groups)
    rows = [numbers for numbers in found if isinstance(numbers, Int8Rows)]
    return Int8Rows.joined(rows) if dim == 0 and len(rows) == len(parts) else None
