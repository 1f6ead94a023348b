"""``transduce tune``: try what matters in a recipe, and write the one that was best."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from transduce.commands.arguments import split_overrides
from transduce.config import parse_override
from transduce.pretrained.hub import fetching
from transduce.tuning.board import choose_board
from transduce.tuning.tune_recipe import run_tuning

__all__ = ["tune"]


def tune(
    arguments: Sequence[str],
    output: Path | None,
    minutes: float,
    jobs: int | None,
    tried: Sequence[str],
    *,
    download: bool = False,
) -> bool:
    """Print what was found and what to type next; false where somebody stopped it."""
    inputs, overrides = split_overrides(arguments)
    with fetching(download):
        tuned = run_tuning(
            inputs,
            output,
            minutes=minutes,
            jobs=jobs,
            tried=tried,
            options=dict(parse_override(text) for text in overrides),
            board=choose_board(1),
        )
    if tuned is not None:
        print(tuned.table())
        print(f"recipe: {tuned.recipe}")
        if tuned.picture is not None:
            print(f"picture: {tuned.picture}")
        print(f"the best trial's model: {tuned.model}")
    if tuned is None or tuned.ended == "interrupted":
        print("stopped; go on with the same command")
        return False
    if tuned.ended == "minutes":
        print("go on with the same command and more --minutes")
    print("what to type next:")
    print(f"  transduce train {shlex.quote(str(tuned.recipe))}")
    return True
