"""Whether predictions ask the nearest training examples, and how much they say."""

from __future__ import annotations

from typing import Annotated

from pydantic import model_validator

from transduce.config.base import Bounds, Count, Probability, Section, Text

__all__ = ["NeighboursConfig"]


class NeighboursConfig(Section):
    """Nearest-neighbour decoding (Khandelwal et al. 2021); none without an ``index``."""

    index: Text | None = None  # a file that `transduce index` wrote
    share: Probability = 0.3  # λ: of the probability that the neighbours have
    count: Count = 8
    temperature: Annotated[float, Bounds(ge=0.001, le=1_000_000)] = 10.0

    @model_validator(mode="after")
    def _not_idle(self) -> NeighboursConfig:
        fields = type(self).model_fields
        said = [name for name in fields if getattr(self, name) != fields[name].default]
        if self.index is None and said:
            raise ValueError(f"index must be given for {said[0]}; got none")
        return self
