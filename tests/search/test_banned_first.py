"""Tokens that no output begins with."""

from __future__ import annotations

from typing import Any

import pytest
from search_fakes import ConstantStepper, ProposingStepper, make_source

from transduce.config import SearchConfig
from transduce.search import Constraints, decode

LOGITS = [-9, -9, -9, 1.0, 3.0, 2.0, 0.0]  # 4 is the best, then 5, END and 6


class Proposing(ConstantStepper):
    """The same tables, asked for candidates."""

    propose = ProposingStepper.propose

    def __init__(self, logits: list[float]) -> None:
        super().__init__(logits)
        self.counts: list[int] = []
        self.given = None


def outputs(constraints: Constraints, proposing: bool, **options: Any) -> list[tuple[int, ...]]:
    model = Proposing(LOGITS) if proposing else ConstantStepper(LOGITS)
    config = SearchConfig(**{"max_length": 4, **options})
    found = decode(model, make_source([(4, 5), (6,)]), config, constraints)
    return [hypothesis.tokens for hypotheses in found for hypothesis in hypotheses]


@pytest.mark.parametrize("proposing", [False, True])
@pytest.mark.parametrize("prefix", [(), (4,), (6, 6)])
@pytest.mark.parametrize("options", [{}, {"beam": 3, "nbest": 3}, {"sample": True, "nbest": 9}])
def test_only_the_first_token_is_banned(
    proposing: bool, prefix: tuple[int, ...], options: dict[str, Any]
) -> None:
    place = len(prefix)
    free = outputs(Constraints(prefix=prefix), proposing, **options)
    assert any(tokens[place : place + 1] == (4,) for tokens in free)
    bound = outputs(Constraints(prefix=prefix, banned_first=(4, 3)), proposing, **options)
    for tokens in bound:
        assert tokens[:place] == prefix
        assert len(tokens) > place  # END is banned too
        assert tokens[place] in (5, 6)
    assert any(4 in tokens[place + 1 :] for tokens in bound)
