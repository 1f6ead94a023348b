"""What becomes of a pack: answers for each of its shares, or what went wrong with one."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from transduce.errors import TransduceError
from transduce.server.limits.request_errors import RequestError
from transduce.server.queue.waiting_line import PackShare
from transduce.workflow.predicting.output import Output

__all__ = ["Answers", "answers_of", "settle", "shared_out"]

# For each share its outputs, or what went wrong.
Answers = Sequence[Sequence[list[Output]] | Exception]


def answers_of(shares: Sequence[PackShare]) -> Answers:
    """Search them here. An error of one is no error of those beside it."""
    first = shares[0].ticket
    sources = [source for share in shares for source in share.sources]
    try:
        outputs = first.model.answer(first.asked, sources)
        if len(outputs) != len(sources) or not all(outputs):
            raise RuntimeError("a model must answer every source")
    except Exception as error:
        if len(shares) == 1:
            return [_said(error)]
        return [answers_of([share])[0] for share in shares]
    return shared_out(shares, outputs)


def shared_out(shares: Sequence[PackShare], outputs: Sequence[list[Output]]) -> Answers:
    """The outputs of all sources, by shares."""
    found, place = [], 0
    for share in shares:
        found.append(outputs[place : place + share.count])
        place += share.count
    return found


def settle(shares: Sequence[PackShare], answers: Answers) -> None:
    """Tell those who wait; in the thread of the event loop."""
    for share, answer in zip(shares, answers, strict=True):
        if isinstance(answer, Exception):
            share.ticket.fail(answer)
        else:
            share.ticket.settle(share.first, answer)


def _said(error: Exception) -> Exception:
    if isinstance(error, TransduceError):
        return error
    # Not its message: what a library says may quote the text.
    frames, place = error.__traceback__, ""
    while frames is not None:
        place, frames = f"{frames.tb_frame.f_code.co_qualname}:{frames.tb_lineno}", frames.tb_next
    logging.getLogger("transduce.server").error("%s in %s", type(error).__name__, place)
    return RequestError("answer must be possible; got an error of the server", 500)
