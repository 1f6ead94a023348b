"""How much each holder of a key may ask for: requests a minute, characters a day.

Counted in memory: a server that is started again begins anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from transduce.server.limits.keys import KeyEntry, KeyRing
from transduce.server.limits.request_errors import RequestError
from transduce.server.limits.serve_config import ServeConfig

__all__ = ["Quotas", "Usage"]

_DAY, _MINUTE = 86_400.0, 60.0


@dataclass
class Usage:
    """Of one holder. ``allowance`` requests are left of a minute, at ``moment``."""

    allowance: float
    moment: float
    day: int = 0
    characters: int = 0


class Quotas:
    """Of all holders of keys."""

    def __init__(
        self, ring: KeyRing, config: ServeConfig, clock: Callable[[], float] = time.time
    ) -> None:
        self._ring, self._config, self._clock = ring, config, clock
        self._used: dict[str, Usage] = {}

    def limits(self, holder: str) -> tuple[int | None, int | None]:
        """Requests a minute and characters a day; None: as many as they like."""
        own: KeyEntry | None = self._ring.entries.get(holder)
        requests = own.requests_a_minute if own is not None else None
        characters = own.characters_a_day if own is not None else None
        return (
            requests or self._config.requests_a_minute,
            characters or self._config.characters_a_day,
        )

    def used(self, holder: str) -> int:
        """Characters of today."""
        return self._usage(holder).characters

    def count_request(self, holder: str) -> None:
        """Raise RequestError (429) for one more than the minute's."""
        most, _ = self.limits(holder)
        usage, now = self._usage(holder), self._clock()
        if most is None:
            return
        refilled = usage.allowance + max(0.0, now - usage.moment) * most / _MINUTE
        usage.allowance, usage.moment = min(float(most), refilled), now
        if usage.allowance < 1:
            wait = max(1, round((1 - usage.allowance) * _MINUTE / most))
            raise RequestError(f"requests must be at most {most:,} a minute; got more", 429, wait)
        usage.allowance -= 1

    def count_characters(self, holder: str, characters: int) -> None:
        """Raise RequestError (429) for more than the day's."""
        _, most = self.limits(holder)
        usage = self._usage(holder)
        if most is not None and usage.characters + characters > most:
            wait = max(1, round(_DAY - self._clock() % _DAY))
            raise RequestError(
                f"characters must be at most {most:,} a day; got {usage.characters:,} and "
                f"{characters:,} more",
                429,
                wait,
            )
        usage.characters += characters

    def _usage(self, holder: str) -> Usage:
        now = self._clock()
        usage = self._used.get(holder)
        if usage is None:
            usage = self._used[holder] = Usage(float(self.limits(holder)[0] or 0), now)
        if usage.day != int(now // _DAY):
            usage.day, usage.characters = int(now // _DAY), 0
        return usage
