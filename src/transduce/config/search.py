"""The search section of the config: its options, and one record of what each asks of a search."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from transduce.config.base import (
    Bounds,
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

__all__ = [
    "SEARCH_OPTIONS",
    "Beside",
    "NeighboursConfig",
    "SearchConfig",
    "SearchOption",
    "Takes",
]

_MOST_CHARACTERS = 10_000  # of all phrases together

Phrases = Annotated[tuple[Name, ...], Field(max_length=1000)]

Fraction = Annotated[float, Bounds(gt=0, lt=1)]

# ``bound``: a beam closes when nothing open could beat its n-th best. The others are what
# ``generate`` of Hugging Face transformers does with ``early_stopping`` false, true and never: it
# closes once K outputs are there and the best open hypothesis, if it ended now (never: at the
# maximum length), would not be better than the worst of them; at once; and outputs that reach
# the maximum length without an end rank among the others.
Stopping = Literal["bound", "generate", "generate-early", "generate-never"]


# The least that a search needs once the option is set, from the fastest on.
# ``plan``: a model may make the whole search by itself, told of the option in a ``BeamPlan``;
# ``candidates``: search steps the model, of whose next tokens a few best ones do;
# ``rows``: search needs the log-probabilities of all tokens.
Takes = Literal["plan", "candidates", "rows"]


@dataclass(frozen=True, slots=True)
class Beside:
    """Another option, and its values at which the one that leans on it does nothing."""

    name: str
    idle_at: tuple[object, ...]
    wanted: str  # in words
    group: str = ""  # those of one are named together


@dataclass(frozen=True, slots=True)
class SearchOption:
    """One option. ``attention``: the model must keep its weights over the source at each step;
    ``whole``: it asks about the whole vocabulary, so a shortlist is left aside.

    One that stands ``beside`` another is refused where it would do nothing.
    """

    takes: Takes = "plan"
    attention: bool = False
    whole: bool = False
    beside: Beside | None = None


_PLANNED = SearchOption()
_SAMPLE = SearchOption("rows", beside=Beside("sample", (False,), "true"))
_TAIL = SearchOption("rows", beside=Beside("sample", (False,), "true", "tail"))
_GROUPS = Beside("diverse_groups", (1,), "at least 2")
_POWERS = Beside("length_normalization", ("none", "average"), "gnmt or power")

SEARCH_OPTIONS: Mapping[str, SearchOption] = {
    "beam": _PLANNED,
    "nbest": _PLANNED,
    "sample": SearchOption("rows", whole=True),
    "temperature": _SAMPLE,
    "top_k": _SAMPLE,
    "top_p": _SAMPLE,
    "min_p": _TAIL,
    "typical_p": _TAIL,
    "epsilon_cutoff": _TAIL,
    "eta_cutoff": _TAIL,
    "sample_beam": _TAIL,
    # Not beside sample: what a seed promises, the same output each time, is kept without draws.
    "seed": _PLANNED,
    "diverse_groups": SearchOption("rows"),
    "diversity": SearchOption("rows", beside=_GROUPS),
    "length_normalization": _PLANNED,
    "length_alpha": SearchOption(beside=_POWERS),
    "stopping": _PLANNED,
    "forced_end": _PLANNED,
    "ctc_weight": SearchOption("rows", whole=True),
    "coverage_penalty": SearchOption("candidates", attention=True),
    "min_length": _PLANNED,
    "max_length": _PLANNED,
    "min_length_ratio": _PLANNED,
    "max_length_ratio": _PLANNED,
    "no_repeat_ngram": SearchOption("rows"),
    "repetition_penalty": SearchOption("rows"),
    "prefix": _PLANNED,
    "forbidden": SearchOption("rows"),
    "required": SearchOption("rows"),
    "shortlist": _PLANNED,
    "max_source_length": _PLANNED,  # sources are cut before a search sees them
    "batch_tokens": _PLANNED,
}


class SearchConfig(Section):
    """How a trained model writes its output. ``sample`` draws; otherwise beam search."""

    beam: Count = 1
    # At most as many as the beam; of samples more.
    nbest: Annotated[int, Bounds(ge=1, le=10_000)] = 1
    sample: bool = False
    temperature: Annotated[float, Bounds(ge=0.001, le=1000)] = 1.0
    top_k: Symbols | None = None
    top_p: Annotated[float, Bounds(gt=0, le=1)] | None = None
    min_p: Annotated[float, Bounds(gt=0, le=1)] | None = None  # of the likeliest (Nguyen 2024)
    typical_p: Fraction | None = None  # Meister et al. 2023
    epsilon_cutoff: Fraction | None = None  # Hewitt et al. 2022, as the next
    eta_cutoff: Fraction | None = None
    sample_beam: Count = 1  # hypotheses that are drawn and ranked together; nbest of them are given
    seed: Seed = 1
    diverse_groups: Count = 1  # Vijayakumar et al. 2018
    diversity: Ratio = 0.5
    length_normalization: Literal["none", "average", "gnmt", "power"] = "average"
    # gnmt: ((5 + n) / 6) ** alpha, power: n ** alpha
    length_alpha: Annotated[float, Bounds(ge=-5, le=5)] = 0.6
    stopping: Stopping = "bound"  # when a beam closes; see Stopping
    forced_end: bool = False  # at the maximum length what is still open ends, at no cost
    ctc_weight: Probability = 0.0  # model.ctc: its share of the scores (Watanabe et al. 2017)
    coverage_penalty: Ratio = 0.0  # Wu et al. 2016, equation 14
    min_length: Annotated[int, Bounds(ge=0, le=65_536)] = 0
    max_length: Annotated[int, Bounds(ge=1, le=65_536)] = 256
    min_length_ratio: Ratio | None = None  # of the source's tokens
    max_length_ratio: Annotated[float, Bounds(gt=0, le=1000)] | None = None
    no_repeat_ngram: Annotated[int, Bounds(ge=1, le=65_536)] | None = None
    repetition_penalty: Annotated[float, Bounds(ge=0.001, le=1000)] = 1.0  # Keskar et al. 2019
    prefix: Text | None = None
    forbidden: Phrases = ()  # texts that no output holds, 10,000 characters together
    required: Phrases = ()  # texts that each output holds, likewise
    shortlist: bool = False  # choose among the tokens that the source calls for
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
        if (reason := self.disagreement()) is not None:
            raise ValueError(reason)
        return self

    def disagreement(self) -> str | None:
        """Which options exclude each other, in a sentence; None where all agree.

        pydantic does not look at a copy with other values: search asks again.
        """
        if self.sample and (self.beam > 1 or self.diverse_groups > 1):
            return f"beam must be 1 when sample is true; got {self.beam}"
        if self.nbest > self.sample_beam > 1:
            return f"nbest must be at most sample_beam ({self.sample_beam}); got {self.nbest}"
        if self.nbest > self.beam and not self.sample:
            return f"nbest must be at most beam ({self.beam}); got {self.nbest}"
        if self.beam % self.diverse_groups:
            return (
                f"beam must be a multiple of diverse_groups ({self.diverse_groups}); "
                f"got {self.beam}"
            )
        if self.forced_end and self.stopping == "bound":
            return "stopping must be generate where forced_end is true; got bound"
        if self.length_alpha < 0 and self.stopping == "bound":
            return (
                f"length_alpha must be at least 0 where stopping is bound; got {self.length_alpha}"
            )
        if self.stopping != "bound" and self.diverse_groups > 1:
            return f"stopping must be bound with diverse_groups; got {self.stopping}"
        return None

    def refusal(self) -> str | None:
        """Why no search can be made with these options, in a sentence; None where one can."""
        if (reason := self.disagreement() or self.refusal_of_idle()) is not None:
            return reason
        if self.min_length > self.max_length:
            return (
                f"min_length must be at most max_length ({self.max_length}); got {self.min_length}"
            )
        least, most = self.min_length_ratio, self.max_length_ratio
        if least is not None and most is not None and least > most:
            return f"min_length_ratio must be at most max_length_ratio ({most}); got {least}"
        return None

    def refusal_of_idle(self, names: Collection[str] | None = None) -> str | None:
        """What must hold for the first idle one among ``names`` (None: all), in a sentence."""
        beside = next(
            (b for name, b in self.idle().items() if names is None or name in names), None
        )
        if beside is None:
            return None
        *others, last = [name for name, other in _BESIDE.items() if other == beside]
        together = f"{', '.join(others)} or {last}" if others else last
        value = getattr(self, beside.name)
        shown = str(value).lower() if isinstance(value, bool) else value
        return f"{beside.name} must be {beside.wanted} for {together}; got {shown}"

    def idle(self) -> dict[str, Beside]:
        """The options that are set and do nothing, each with what it needs to do something."""
        return {
            name: beside
            for name, beside in _BESIDE.items()
            if self.is_set(name) and getattr(self, beside.name) in beside.idle_at
        }

    @property
    def lanes(self) -> tuple[int, int]:
        """How many beams a sentence has that know nothing of each other's scores, and their width.

        Groups of a diverse beam, or independent draws; otherwise one.
        """
        if self.sample:
            return (1, self.sample_beam) if self.sample_beam > 1 else (self.nbest, 1)
        return self.diverse_groups, self.beam // self.diverse_groups

    def is_set(self, name: str) -> bool:
        """Whether an option has another value than where nobody says anything."""
        return bool(getattr(self, name) != _DEFAULTS[name])

    def greedily(self) -> SearchConfig:
        """The same with one hypothesis at a time, and one output."""
        one = self.model_copy(update={"beam": 1, "nbest": 1, "diverse_groups": 1})
        return one.without_idle()

    def without_idle(self) -> SearchConfig:
        """The same search, with options that do nothing as if nobody had set them."""
        idle = self.idle()
        if not idle:
            return self
        return self.model_copy(update={name: _DEFAULTS[name] for name in idle})


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


_DEFAULTS = {name: field.default for name, field in SearchConfig.model_fields.items()}
_BESIDE = {
    name: beside
    for name in SearchConfig.model_fields
    if (beside := SEARCH_OPTIONS[name].beside) is not None
}
