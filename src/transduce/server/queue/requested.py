"""What is asked of sources beside their texts: requests that ask alike are answered together."""

from __future__ import annotations

from dataclasses import dataclass

from transduce.config import SearchConfig

__all__ = ["Requested"]


@dataclass(frozen=True, slots=True)
class Requested:
    """The search and all that is wanted of its outputs; hashable, a pack has one of these.

    ``languages`` are source and target of a model of many; None: as it was loaded.
    """

    options: SearchConfig
    part: str | None = None
    languages: tuple[str | None, str | None] = (None, None)
    timings: bool = False
    confidence: bool = False
    least: float | None = None
    alternatives: int = 0
    alignments: bool | str = False
    adapter: str | None = None  # by its name; None: the model as it is
    bare: bool = False  # of outputs their texts and errors are wanted, and nothing else

    @property
    def draws(self) -> bool:
        """Whether outputs depend on the place of a source among others of its request."""
        return self.options.sample

    @property
    def rows(self) -> int:
        """Hypotheses of each source that are open at once."""
        lanes, width = self.options.lanes
        return lanes * width
