"""What every section of the config is made of: sections, and the bounds of numbers and texts.

Every number and every text has an upper bound, far above what anybody has had use for and low
enough that no computation overflows on the way. A value beyond it is refused by name; what
memory and time permit below it is another question, answered where the work is done.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from annotated_types import GroupedMetadata
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import PydanticCustomError, PydanticKnownError, core_schema

__all__ = [
    "LONGEST_PATH",
    "Bounds",
    "Count",
    "FilePath",
    "Length",
    "Name",
    "NonEmpty",
    "PositiveInt",
    "Probability",
    "Ratio",
    "Section",
    "Seed",
    "Symbols",
    "Text",
    "TokenBudget",
    "Width",
    "holds_mapping",
    "sections_in",
]

LONGEST_PATH = 4096  # bytes, what Linux permits


@dataclass(frozen=True)
class Bounds(GroupedMetadata):
    """What a number may be: at least or more than one, at most or less than another.

    It is no truth value: pydantic would take ``yes`` in the place of a number for 1.
    """

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None

    def __iter__(self) -> Iterator[Any]:
        """What pydantic reads in the place of this."""
        yield Field(ge=self.ge, gt=self.gt, le=self.le, lt=self.lt)
        yield _NoTruth()


class _NoTruth:
    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        schema = handler(source)
        kind: Literal["int_type", "float_type"] = (
            "int_type" if schema["type"] == "int" else "float_type"
        )

        def refuse(value: Any) -> Any:
            if isinstance(value, bool):
                raise PydanticKnownError(kind)
            return value

        return core_schema.no_info_before_validator_function(refuse, schema)


PositiveInt = Annotated[int, Bounds(ge=1, le=1_000_000_000)]  # steps, epochs: what takes time alone
Count = Annotated[int, Bounds(ge=1, le=1024)]  # beams, heads, layers, threads
Width = Annotated[int, Bounds(ge=1, le=65_536)]  # numbers of a vector
Length = Annotated[int, Bounds(ge=1, le=1_000_000)]  # tokens or frames of one sequence
Symbols = Annotated[int, Bounds(ge=1, le=4_194_304)]  # entries of a vocabulary
TokenBudget = Annotated[int, Bounds(ge=1, le=16_777_216)]  # positions computed together
Probability = Annotated[float, Bounds(ge=0, lt=1)]
Ratio = Annotated[float, Bounds(ge=0, le=1000)]
Seed = Annotated[int, Bounds(ge=-(2**63), le=2**63 - 1)]
Name = Annotated[str, Field(max_length=1000)]  # of a column, a symbol, a phrase
Text = Annotated[str, Field(max_length=10_000)]

Item = TypeVar("Item")
NonEmpty = Annotated[list[Item], Field(min_length=1, max_length=10_000)]


def _plain_path(path: Path) -> Path:
    try:
        name = os.fsencode(path)
    except UnicodeEncodeError:  # half of a surrogate pair: no file has such a name
        name = b"\0"
    if len(name) > LONGEST_PATH or b"\0" in name:
        raise PydanticCustomError("odd_path", "path must be shorter and without NUL")
    return path


FilePath = Annotated[
    Path, AfterValidator(_plain_path), Field(json_schema_extra={"maxLength": LONGEST_PATH})
]


class Section(BaseModel):
    """A section of the config: frozen, strict about its keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False
    )


def sections_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections that stand in a field's type, however deep."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from sections_in(argument)


def holds_mapping(annotation: Any) -> bool:
    """Whether a field's type has names that a recipe chooses."""
    return get_origin(annotation) is dict or any(map(holds_mapping, get_args(annotation)))
