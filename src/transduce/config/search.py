"""The search section of the config."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from transduce.config.base import (
    Count,
    Length,
    Name,
    Probability,
    Ratio,
    Section,
    Seed,
    Symbols,
    Text,
    TokenBudget,
)

__all__ = ["SearchConfig"]

_MOST_CHARACTERS = 10_000  # of all phrases together

Phrases = Annotated[tuple[Name, ...], Field(max_length=1000)]

# ``bound``: a beam closes when nothing open could beat its n-th best. The others are what
# ``generate`` of Hugging Face transformers does with ``early_stopping`` false, true and never: it
# closes once K outputs are there and the best open hypothesis, if it ended now (never: at the
# maximum length), would not be better than the worst of them; at once; and outputs that reach
# the maximum length without an end rank among the others.
Stopping = Literal["bound", "generate", "generate-early", "generate-never"]


class SearchConfig(Section):
    """How a trained model writes its output. ``sample`` draws; otherwise beam search."""

    beam: Count = 1
    # At most as many as the beam; of samples more.
    nbest: Annotated[int, Field(ge=1, le=10_000)] = 1
    sample: bool = False
    temperature: Annotated[float, Field(ge=0.001, le=1000)] = 1.0
    top_k: Symbols | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Seed = 1
    diverse_groups: Count = 1  # Vijayakumar et al. 2018
    diversity: Ratio = 0.5
    length_normalization: Literal["none", "average", "gnmt", "power"] = "average"
    # gnmt: ((5 + n) / 6) ** alpha, power: n ** alpha
    length_alpha: Annotated[float, Field(ge=-5, le=5)] = 0.6
    stopping: Stopping = "bound"  # when a beam closes; see Stopping
    forced_end: bool = False  # at the maximum length what is still open ends, at no cost
    ctc_weight: Probability = 0.0  # model.ctc: its share of the scores (Watanabe et al. 2017)
    coverage_penalty: Ratio = 0.0  # Wu et al. 2016, equation 14
    min_length: Annotated[int, Field(ge=0, le=65_536)] = 0
    max_length: Annotated[int, Field(ge=1, le=65_536)] = 256
    min_length_ratio: Ratio | None = None  # of the source's tokens
    max_length_ratio: Annotated[float, Field(gt=0, le=1000)] | None = None
    no_repeat_ngram: Annotated[int, Field(ge=1, le=65_536)] | None = None
    prefix: Text | None = None
    forbidden: Phrases = ()  # texts that no output holds, 10,000 characters together
    required: Phrases = ()  # texts that each output holds, likewise
    # Tokens (END counted) or frames: longer sources are cut. None: they are refused where the
    # model has no positions or the machine no memory for them.
    max_source_length: Length | None = None
    batch_tokens: TokenBudget = 8192  # source tokens × beams decoded together

    @field_validator("forbidden", "required")
    @classmethod
    def _not_a_book(cls, phrases: tuple[str, ...]) -> tuple[str, ...]:
        if (total := sum(map(len, phrases))) > _MOST_CHARACTERS:
            raise ValueError(
                f"phrases must have at most {_MOST_CHARACTERS:,} characters together; got {total:,}"
            )
        return phrases

    @model_validator(mode="after")
    def _agree(self) -> SearchConfig:
        if disagreement := self.disagreement():
            raise ValueError(disagreement)
        if self.forced_end and self.stopping == "bound":
            raise ValueError("stopping must be generate where forced_end is true; got bound")
        if self.length_alpha < 0 and self.stopping == "bound":
            raise ValueError(
                f"length_alpha must be at least 0 where stopping is bound; got {self.length_alpha}"
            )
        if self.stopping != "bound" and self.diverse_groups > 1:
            raise ValueError(f"stopping must be bound with diverse_groups; got {self.stopping}")
        return self

    def disagreement(self) -> str | None:
        """Which of beam, groups and outputs do not fit together; None where they do.

        pydantic does not look at a copy with other values: search asks again.
        """
        if self.sample and self.beam > 1:
            return f"beam must be 1 when sample is true; got {self.beam}"
        if self.nbest > self.beam and not self.sample:
            return f"nbest must be at most beam ({self.beam}); got {self.nbest}"
        if self.beam % self.diverse_groups:
            return (
                f"beam must be a multiple of diverse_groups ({self.diverse_groups}); "
                f"got {self.beam}"
            )
        return None

    def greedily(self) -> SearchConfig:
        """The same with one hypothesis at a time, and one output."""
        return self.model_copy(update={"beam": 1, "nbest": 1, "diverse_groups": 1})
