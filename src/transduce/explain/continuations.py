"""What if: how an output would have gone on after another token at one of its places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from transduce.explain.asking.outputs import Written
from transduce.explain.records.continuation import Continuation
from transduce.interfaces import BEGIN, END, PADDING, Source
from transduce.reading.parts import Part
from transduce.search.retrace import Retracing, retraced
from transduce.tokenization.joint import coder
from transduce.workflow.predicting.other_tokens import token_names
from transduce.workflow.predicting.writer import Writer
from transduce.workflow.trained import TrainedModel

__all__ = ["continuations"]

_TOGETHER = 64  # rows of a search
_MOST = 256  # continuations of an output: of a long one the first places have some
_LONGER = 20  # tokens than the output


@torch.no_grad()
def continuations(
    trained: TrainedModel, source: Source, written: Written, part: Part, count: int
) -> tuple[Continuation, ...]:
    """Of each token that was chosen, its end among them, the ``count`` nearest others and how the
    output goes on after each, greedily.

    All are searched together, at most 64 rows at once, and 256 of an output.
    """
    if not count or not written.tokens:
        return ()
    own = coder(trained.target_tokenizer, part.name)
    writer, stepper = Writer(own, part), trained.stepper()
    state = stepper.start(source)
    [read] = retraced(
        stepper, state, [written.tokens], Retracing(count + 3)
    )  # itself, PADDING, BEGIN
    places: list[tuple[int, int, float]] = []
    for step in range(written.forced, len(written.tokens)):
        pairs = zip(
            read.best_tokens[step].tolist(), read.best_log_probs[step].tolist(), strict=True
        )
        others = [pair for pair in pairs if pair[0] not in (written.tokens[step], PADDING, BEGIN)]
        places += [(step, token, log_prob) for token, log_prob in others[:count]]
    places = places[:_MOST]
    beginnings = [(*written.tokens[:step], token) for step, token, _ in places]
    longest = len(written.tokens) + _LONGER
    most = trained.limits().outputs
    longest = longest if most is None else min(longest, most)
    ended: list[list[int]] = []
    for first in range(0, len(places), _TOGETHER):
        some = beginnings[first : first + _TOGETHER]
        ended += _greedy(stepper, state.expand(len(some)), some, longest)
    names = token_names([token for _, token, _ in places], own)
    return tuple(
        Continuation(
            step,
            name,
            log_prob,
            own.decode([token for token in tokens[writer.unwritten() :] if token != END]),
            END in tokens,
        )
        for (step, _, log_prob), name, tokens in zip(places, names, ended, strict=True)
    )


def _greedy(
    stepper: Any, state: Any, beginnings: Sequence[Sequence[int]], longest: int
) -> list[list[int]]:
    """Each beginning (N, a row of the state each) with the most probable tokens behind it."""
    rows = [list(beginning) for beginning in beginnings]
    device = state.mask.device
    last = torch.full((len(rows), 1), BEGIN, device=device)
    for place in range(max(longest, max(map(len, rows)))):
        logits, state = stepper.step(last, state)
        best = logits[:, -1].argmax(dim=1).tolist()
        for row, token in zip(rows, best, strict=True):
            if len(row) == place and END not in row:
                row.append(token)
        if all(END in row for row in rows):
            break
        read = [row[place] if place < len(row) else PADDING for row in rows]
        last = torch.tensor(read, device=device)[:, None]
    return rows
