"""The border to the kernels: what is handed in is checked there, and refused in words here."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any, ClassVar, Protocol, Self

from transduce.errors import EngineError, ModelError, SearchError, TransduceError

__all__ = [
    "NAMELESS",
    "Checked",
    "Given",
    "Held",
    "Numbers",
    "addresses",
    "bytes_of",
    "checked",
    "given",
    "numbers_of",
    "raise_refusal",
]

NAMELESS = -1  # the number of what is no tensor of a program

# Integers of C, which ctypes would cut without a word.
_BITS: dict[Any, int] = {ctypes.c_int: 32, ctypes.c_int64: 64}


class Checked(ctypes.Structure):
    """A structure whose integers are refused where they do not fit."""

    _limits: ClassVar[list[tuple[int, str, int]]]  # place, name and bits of each integer

    def __init_subclass__(cls) -> None:
        cls._limits = [
            (place, field[0], _BITS[field[1]])
            for place, field in enumerate(cls._fields_)
            if field[1] in _BITS
        ]

    @classmethod
    def of(cls, *values: Any) -> Self:
        """Of a value for each field, in order. Raises EngineError."""
        if len(values) != len(cls._fields_):
            raise TypeError(f"{cls.__name__} has {len(cls._fields_)} fields; got {len(values)}")
        for place, name, bits in cls._limits:
            _check(bits, values[place], name)
        return cls(*values)


class Held(Protocol):
    """Numbers in memory as the kernels take them: a tensor of torch, or a ``HeldArray``."""

    @property
    def nbytes(self) -> int:
        """Bytes of all of them."""
        ...

    @property
    def is_cpu(self) -> bool:
        """Whether the processor reads them."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the numbers."""
        ...

    def data_ptr(self) -> int:
        """Where they begin."""
        ...

    def is_contiguous(self) -> bool:
        """Whether they stand row by row without gaps."""
        ...

    def numel(self) -> int:
        """How many there are."""
        ...

    def element_size(self) -> int:
        """Bytes of one."""
        ...

    def __len__(self) -> int:
        """Entries of the first dimension."""
        ...

    def __getitem__(self, places: Any, /) -> Self:
        """Some entries of the first dimension, not copied."""
        ...


class Given(ctypes.Structure):
    """``Given`` of native/call.h: a tensor's memory and how large that is."""

    _fields_ = (("memory", ctypes.c_void_p), ("bytes", ctypes.c_int64))


class Numbers(ctypes.Structure):
    """``Numbers`` of native/call.h: float32 weights and how many they are."""

    _fields_ = (("values", ctypes.c_void_p), ("count", ctypes.c_int64))


class _Report(ctypes.Structure):
    """``Report`` of native/call.h."""

    _fields_ = tuple(
        (name, ctypes.c_int64) for name in ("fault", "tensor", "found", "least", "bound")
    )


def numbers_of(tensor: Held | None) -> Numbers:
    """Contiguous float32 on the CPU as the kernels take it; None: none."""
    return Numbers(None, 0) if tensor is None else Numbers(tensor.data_ptr(), tensor.numel())


def bytes_of(tensor: Held) -> Given:
    """A contiguous tensor on the CPU as memory and its size."""
    return Given(tensor.data_ptr(), tensor.nbytes)


def given(names: Mapping[str, int], tensors: Mapping[str, Held]) -> ctypes.Array[Given]:
    """Tensors by their numbers. Raises EngineError where one is not as kernels read it."""
    found = (Given * max(1, len(names)))()
    for name, number in names.items():
        tensor = tensors.get(name)
        if tensor is None:
            continue
        if not tensor.is_contiguous() or not tensor.is_cpu:
            raise EngineError(f"{name} must be contiguous, on the CPU")
        found[number] = Given(tensor.data_ptr(), tensor.nbytes)
    return found


def addresses(tensors: Sequence[Held]) -> ctypes.Array[ctypes.c_void_p]:
    """Where contiguous tensors on the CPU begin."""
    return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))


def checked(function: Any, kinds: Sequence[Any]) -> Callable[..., Any]:
    """A function of the library that takes no integer that ctypes would cut."""
    integers = [(place, _BITS[kind]) for place, kind in enumerate(kinds) if kind in _BITS]

    def call(*arguments: Any) -> Any:
        for place, bits in integers:
            _check(bits, arguments[place], "number")
        return function(*arguments)

    return call


def _check(bits: int, value: Any, name: str) -> None:
    if not -(1 << bits - 1) <= value < 1 << bits - 1:
        raise EngineError(f"{name} must be a number of {bits} bits; got {value}")


def raise_refusal(functions: Any, names: Mapping[str, int] | None = None) -> None:
    """Say what the last call of this thread was refused for; ``names`` are its tensors'."""
    report = _Report()
    functions.report(ctypes.byref(report))
    named = {number: name for name, number in (names or {}).items()}
    raise _refusal(report, named.get(report.tensor, "tensor"))


class _Fault(IntEnum):
    """``Fault`` of native/call.h."""

    MEMORY = 1
    OPERATION = 2
    NUMBERS = 3
    SIZES = 4
    MISSING = 5
    SHORT = 6
    RANGE = 7
    SCORES = 8
    POSITIONS = 9
    FINITE = 10


def _refusal(report: _Report, tensor: str) -> TransduceError:
    match _Fault(report.fault):
        case _Fault.MEMORY:
            return EngineError("native kernels failed: memory is short, or threads did not start")
        case _Fault.OPERATION:
            return EngineError("an operation must fit the buffers and weights that it is given")
        case _Fault.NUMBERS:
            return ModelError("weights must be finite numbers; got NaN or infinity")
        case _Fault.SIZES:
            return EngineError("the sizes of a run must agree with each other")
        case _Fault.MISSING:
            return EngineError(f"{tensor} must be given")
        case _Fault.SHORT:
            return EngineError(f"{tensor} must have {report.bound} bytes; got {report.found}")
        case _Fault.RANGE:
            bounds = f"at least {report.least} and below {report.bound}"
            return EngineError(f"{tensor} must be {bounds}; got {report.found}")
        case _Fault.FINITE:
            return EngineError(f"{tensor} must hold finite numbers; got NaN or infinity")
        case _Fault.SCORES:
            return SearchError("scores of the model must be numbers; got NaN")
        case _Fault.POSITIONS:
            return ModelError("sequence must not be longer than the model's positions")
