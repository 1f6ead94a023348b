"""Text constraints of a search for models that write their outputs from left or from right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product

import pytest
import torch
from torch import Tensor

from transduce.config import SearchConfig, TokenizerConfig
from transduce.errors import SearchError
from transduce.interfaces import END, Source
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.predicting.text_predictor import TextPredictor
from transduce.workflow.predicting.writer import Writer

FIRST = 4  # the number of "a"
# What each symbol is followed by, by falling probability: alone, the model writes a, b, c, d, END.
FOLLOWS: Mapping[int, str] = {0: "abcd.", FIRST: "bcd.", FIRST + 1: "cd.a", FIRST + 2: "d.ab"}


@dataclass(frozen=True)
class ChainState:
    """A chain remembers nothing; it only counts its rows."""

    rows: int
    attention: Tensor | None = None

    def expand(self, beams: int) -> ChainState:
        return replace(self, rows=self.rows * beams)

    def reorder(self, rows: Tensor) -> ChainState:
        return self

    def select(self, sentences: Tensor) -> ChainState:
        raise AssertionError("there is one sentence")


class Chain:
    """Writes by the last token alone, whatever the source; each choice is e⁻¹ of the one before."""

    def __init__(self) -> None:
        self.steps = 0

    def start(self, source: Source, *, attention: bool = False) -> ChainState:
        return ChainState(len(source.lengths))

    def step(self, tokens: Tensor, state: ChainState) -> tuple[Tensor, ChainState]:
        self.steps += 1
        logits = torch.full((*tokens.shape, FIRST + 4), -9.0)
        for at in product(*map(range, tokens.shape)):
            token = int(tokens[at])
            for place, symbol in enumerate(FOLLOWS.get(token if token >= FIRST else 0, ".abcd")):
                number = END if symbol == "." else FIRST + ord(symbol) - ord("a")
                logits[*at, number] = -float(place)
        return logits, state


def predictor(*, right_to_left: bool) -> TextPredictor:
    config = TokenizerConfig(right_to_left=right_to_left)
    tokenizer = Tokenizer.train(["abcd"], config)
    return TextPredictor(Chain(), tokenizer, Writer(tokenizer), torch.device("cpu"))


def write(right_to_left: bool, **options: object) -> str:
    config = SearchConfig.model_validate({"beam": 4, "max_length": 6, **options})
    ((best, *_),) = predictor(right_to_left=right_to_left).predict(["a"], config)
    assert best.constraints_met
    return best.text


def test_right_to_left_writes_from_the_end() -> None:
    assert write(False) == "abcd"
    assert write(True) == "dcba"


def test_phrases_are_given_as_they_are_read() -> None:
    assert "bc" not in write(False, forbidden=["bc"])
    assert "cb" not in write(True, forbidden=["cb"])
    assert write(True, forbidden=["bc"]) == "dcba"
    assert "ac" in write(False, required=["ac"])
    assert "ca" in write(True, required=["ca"])
    assert write(True, required=["dc"]) == "dcba"


def test_a_prefix_is_refused_where_the_end_is_written_first() -> None:
    assert write(False, prefix="b").startswith("b")
    backward = predictor(right_to_left=True)
    with pytest.raises(
        SearchError, match=r"search\.prefix must be empty where .* right_to_left.*; got 'dc'"
    ):
        list(backward.predict(["a", ""], SearchConfig(prefix="dc")))
    assert isinstance(backward.stepper, Chain)
    assert backward.stepper.steps == 0
