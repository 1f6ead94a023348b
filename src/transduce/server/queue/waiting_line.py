"""What waits for the engine: first come, first served, and nobody behind a whole document.

There is no timer. When the engine is free it takes what waits: of the first request and of all that
ask alike one source after another in turn, until the pack is full. What is left of a request goes
to the end of the line, so a document never stands before a short request for longer than a pack.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from transduce.reading.frames import FrameSource
from transduce.server.limits.request_errors import RequestError
from transduce.server.queue.pack_times import PackTimes
from transduce.server.queue.tickets import Ticket

__all__ = ["Mine", "Pack", "PackShare", "WaitingLine", "anything"]


@dataclass(frozen=True, slots=True)
class PackShare:
    """What of a ticket is in a pack: ``count`` sources from number ``first`` on."""

    ticket: Ticket
    first: int
    count: int

    @property
    def sources(self) -> Sequence[FrameSource]:
        """These."""
        return self.ticket.sources[self.first : self.first + self.count]


@dataclass(frozen=True, slots=True)
class Pack:
    """Sources that are answered together; ``cost`` tokens times beams."""

    shares: Sequence[PackShare]
    cost: int


_LATE = 0.05  # of a ticket's cost in what is usual

Mine = Callable[[Ticket], bool]


def anything(ticket: Ticket) -> bool:
    """Whatever waits."""
    return True


class WaitingLine:
    """Tickets in the order of their coming; who adds and who takes may be in any thread."""

    def __init__(
        self,
        requests: int,
        held_bytes: int,
        pack_tokens: int,
        wait_seconds: float = math.inf,
        takers: int = 1,
    ) -> None:
        """``requests``, ``held_bytes`` and ``wait_seconds`` bound what waits, ``pack_tokens`` a
        pack's tokens. Who would wait longer, by what the engine did lately, is refused at once.
        So many ``takers`` search side by side.
        """
        self._line: deque[Ticket] = deque()
        self._changed = threading.Condition()
        self._requests, self._held_bytes, self._pack_tokens = requests, held_bytes, pack_tokens
        self._wait_seconds = wait_seconds
        self._takers = takers
        self._closed = False
        self._taken = 0  # cost of the packs that are searched now
        self._times = PackTimes()
        self._usual = 0.0  # cost of a ticket, lately
        self.waiting_cost = 0
        self.held = 0
        self.joined = 0  # tickets, ever

    def __len__(self) -> int:
        return len(self._line)

    def add(self, ticket: Ticket) -> None:
        """Let it wait. Raises RequestError (503) where too much waits already."""
        with self._changed:
            if self._closed:
                raise RequestError("server must be running; got a request while it ends", 503, 5)
            if (refusal := self.refusal()) is not None:
                raise refusal
            if self.held + ticket.held > self._held_bytes:
                raise RequestError(
                    f"sources that wait must have at most {self._held_bytes:,} bytes together; "
                    "got more",
                    503,
                    self._seconds(),
                )
            self.held += ticket.held
            cost = sum(ticket.costs)
            self.waiting_cost += cost
            self._usual += (cost - self._usual) * _LATE
            self._line.append(ticket)
            self.joined += 1
            self._changed.notify_all()

    def refusal(self, coming: int = 0) -> RequestError | None:
        """What one more is told where no more may wait (503); None where there is room.

        Asked before a body is read, too: so many are ``coming`` then, of the usual cost.
        """
        waiting = len(self._line) + coming
        if waiting >= self._requests:
            return RequestError(
                f"queue must have room; got {waiting:,} requests that wait", 503, self._seconds()
            )
        if waiting and (expected := self._expected(coming)) > self._wait_seconds:
            return RequestError(
                f"queue must be answered within {self._wait_seconds:g} seconds; got "
                f"{expected:.2f} for what waits",
                503,
                self._seconds(),
            )
        return None

    def leave(self, ticket: Ticket) -> None:
        """Nobody waits for it any more, or it was answered: its place is free."""
        with self._changed:
            if ticket.waits:
                self.waiting_cost -= sum(ticket.costs[ticket.taken :])
            ticket.cancelled = True
            self.held -= ticket.held
            ticket.held = 0
            if ticket in self._line:
                self._line.remove(ticket)

    def close(self) -> None:
        """Nothing is added any more; ``take`` gives what waits, and then None."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def look_again(self) -> None:
        """Those who ``take`` find more that is theirs."""
        with self._changed:
            self._changed.notify_all()

    def take(self, mine: Mine = anything) -> Pack | None:
        """The next pack of tickets that are ``mine``, as soon as there is one; None once the line
        is closed and has none.
        """
        with self._changed:
            while (head := self._head(mine)) is None:
                if self._closed:
                    return None
                self._changed.wait()
            return self._pack(head, self._pack_tokens)

    def next(self, mine: Mine, *, share: int = 1) -> Pack | None:
        """Likewise, at once: None where none waits. So many takers ``share`` what does."""
        with self._changed:
            if (head := self._head(mine)) is None:
                return None
            return self._pack(head, min(self._pack_tokens, -(-self.waiting_cost // share)))

    def has(self, mine: Mine) -> bool:
        """Whether any that is ``mine`` waits."""
        with self._changed:
            return self._head(mine) is not None

    def _head(self, mine: Mine) -> Ticket | None:
        return next((ticket for ticket in self._line if mine(ticket)), None)

    def done(self, pack: Pack, seconds: float) -> None:
        """Remember how fast a pack was answered."""
        with self._changed:
            self._taken -= pack.cost
            self._times.add(pack.cost, seconds)

    def _seconds(self) -> int:
        """After which what waits now will be answered."""
        return max(1, round(self._expected()))

    def _expected(self, coming: int = 0) -> float:
        """Likewise, to a fraction of a second; 0 before the first pack was answered."""
        waiting = self.waiting_cost + round(coming * self._usual)
        packs = math.ceil(waiting / self._pack_tokens) + (self._taken > 0)
        return self._times.expected(packs, self._taken + waiting) / self._takers

    def _pack(self, head: Ticket, room: int) -> Pack:
        alike = [t for t in self._line if t is head or t.key == head.key]
        if head.asked.draws:  # whose outputs depend on which others of their request are there
            alike = [head]
        counts, cost = _shared(alike, room, whole=head.asked.draws)
        shares = [PackShare(t, t.taken, n) for t, n in zip(alike, counts, strict=True) if n]
        for share in shares:
            share.ticket.taken += share.count
        self.waiting_cost -= cost
        self._taken += cost
        left = [share.ticket for share in shares if share.ticket.waits]
        gone = {id(share.ticket) for share in shares}
        self._line = deque([*(t for t in self._line if id(t) not in gone), *left])
        return Pack(shares, cost)


def _shared(tickets: Sequence[Ticket], room: int, *, whole: bool) -> tuple[list[int], int]:
    """How many sources of each ticket fit, one of each in turn, the first always; their cost."""
    counts, cost = [0] * len(tickets), 0
    going_on = list(range(len(tickets)))
    while going_on:
        after = []
        for number in going_on:
            ticket = tickets[number]
            place = ticket.taken + counts[number]
            if place >= len(ticket.costs):
                continue
            own = ticket.costs[place]
            if cost and cost + own > room and not whole:
                return counts, cost
            cost += own
            counts[number] += 1
            after.append(number)
        going_on = after
    return counts, cost
