"""Lines of the log on standard error: what was asked and answered, without the texts."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from transduce.server.limits.serve_config import LogForm

__all__ = ["ACCESS", "logged"]

# A record of it has the numbers of a request in ``told``.
ACCESS = logging.getLogger("transduce.access")
_SERVER = logging.getLogger("transduce.server")


class _Lines(logging.Formatter):
    """A line for each record, of JSON or for people."""

    def __init__(self, form: LogForm) -> None:
        super().__init__()
        self._json = form == "json"

    def format(self, record: logging.LogRecord) -> str:
        told = getattr(record, "told", None) or {"message": record.getMessage()}
        if self._json:
            line = {"time": round(record.created, 3), "level": record.levelname.lower(), **told}
            return json.dumps(line)
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        return " ".join([clock, *(str(value) for value in told.values())])


@contextmanager
def logged(form: LogForm) -> Iterator[None]:
    """Write what is logged while this lasts; ``off`` leaves loggers as they are."""
    if form == "off":
        yield
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(form))
    before = [(log, log.level, log.propagate) for log in (ACCESS, _SERVER)]
    for log, _, _ in before:
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
    try:
        yield
    finally:
        for log, level, propagate in before:
            log.removeHandler(handler)
            log.setLevel(level)
            log.propagate = propagate
