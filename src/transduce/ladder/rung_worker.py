"""A process that holds one rung, told by lines of JSON what to answer.

It loads what its rung needs and nothing else, as all of it counts: memory and start-up are
measured here. It reads its standard input and ends with it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO

from transduce.errors import TransduceError

__all__ = ["main", "memory", "serve"]

Reply = dict[str, Any]


class RunningRung(Protocol):
    """What runs a rung."""

    def answers(self, sources: Sequence[str], together: int) -> Reply:
        """``texts`` of the best outputs, ``errors`` ("" where there is none) and the ``tokens`` of
        all, ends among them; so many sources together.
        """
        ...


class _Model:
    """A model directory of ours."""

    def __init__(self, folder: str, options: Sequence[str], part: str | None) -> None:
        from transduce.config import parse_override
        from transduce.pretrained.published_model import load_trained

        self._trained = load_trained(folder)
        config = self._trained.config.updated(dict(parse_override(text) for text in options))
        self._trained.config = config
        self._search = config.search.model_copy(update={"nbest": 1})
        self._part = part

    def answers(self, sources: Sequence[str], together: int) -> Reply:
        found = self._trained.predict(
            sources, self._search, part=self._part, window=together, keep_going=True
        )
        best = [outputs[0] for outputs in found]
        tokens = sum(len(output.tokens) + output.finished for output in best)
        texts, errors = [output.text for output in best], [output.error for output in best]
        return {"texts": texts, "errors": errors, "tokens": tokens}


class _Export:
    """What ``transduce export`` wrote."""

    def __init__(
        self,
        folder: str,
        usage: Mapping[str, Any],
        arguments: Mapping[str, float],
        threads: int,
    ) -> None:
        from transduce.export.exported import Exported, ExportUsage

        self._exported = Exported(Path(folder), ExportUsage(**usage), arguments, threads)

    def answers(self, sources: Sequence[str], together: int) -> Reply:
        texts, tokens = [], 0
        for start in range(0, len(sources), together):
            for text, count in self._exported.answers(sources[start : start + together], together):
                texts.append(text)
                tokens += count
        return {"texts": texts, "errors": [""] * len(texts), "tokens": tokens}


def _opened(job: dict[str, Any]) -> RunningRung:
    kind = job.pop("kind")
    return _Model(**job) if kind == "transduce" else _Export(**job)


def serve(source: TextIO, sink: TextIO) -> None:
    """Answer until there are no more questions; the first line is the job."""

    def send(reply: Reply) -> None:
        print(json.dumps(reply), file=sink, flush=True)

    try:
        system = _opened(json.loads(source.readline()))
        for line in source:
            asked = json.loads(line)
            began = time.perf_counter()
            reply = system.answers(asked["sources"], asked["together"])
            seconds = time.perf_counter() - began
            send({**reply, "seconds": seconds, **memory()})
    except TransduceError as error:
        send({"failed": str(error)})


def memory() -> dict[str, float]:
    """Of this process in megabytes: ``resident`` now and ``most`` that ever was; where the system
    does not tell the first, the second for both.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return dict.fromkeys(("resident", "most"), _most())
    values = dict(line.split(":", 1) for line in lines if ":" in line)
    found = {}
    for name, key in (("resident", "VmRSS"), ("most", "VmHWM")):
        found[name] = float(values[key].split()[0]) * 1024 / 1e6 if key in values else _most()
    return found


def _most() -> float:
    if sys.platform == "win32":
        return 0.0
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e6 if sys.platform == "darwin" else most * 1024 / 1e6


def main() -> None:
    """Answer on standard output; what else is printed goes to standard error."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.stdin, channel)


if __name__ == "__main__":
    main()
