"""A process that searches models of texts for a server: lines of JSON in, lines of JSON out.

It holds no torch and no event loop, so nobody waits for its interpreter. It reads its standard
input and ends with it; signals are the server's, which answers first what it has taken.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from transduce.light.light_model import NOT_OURS, LightModel, handed_model
from transduce.light.noted_options import NotedSearch
from transduce.workflow.predicting.output import Output

__all__ = ["bare_values_of", "main", "output_of", "serve", "values_of"]

_BARE = 2  # values


def values_of(output: Output) -> list[Any]:
    """An output as JSON, as far as such a search fills it; floats are read as the same again."""
    return [
        output.text,
        output.tokens,
        output.score,
        output.log_probability,
        output.token_scores,
        output.finished,
        output.error,
        output.numbers,
    ]


def bare_values_of(output: Output) -> list[Any]:
    """Its text and why there is none."""
    return [output.text, output.error]


def output_of(values: Sequence[Any]) -> Output:
    """The output again, as far as it was told."""
    if len(values) == _BARE:
        return Output(values[0], (), 0.0, 0.0, (), error=values[1])
    text, tokens, score, log_probability, token_scores, finished, error, numbers = values
    return Output(
        text,
        tuple(tokens),
        score,
        log_probability,
        tuple(token_scores),
        finished,
        error=error,
        numbers=tuple(numbers),
    )


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer until there are no more questions."""
    models: dict[int, LightModel] = {}
    for line in source:
        reply = _reply(models, json.loads(line))
        sink.write(json.dumps(reply, separators=(",", ":")).encode() + b"\n")
        sink.flush()


def _reply(models: dict[int, LightModel], asked: Mapping[str, Any]) -> dict[str, Any]:
    number = asked["model"]
    if "record" in asked:
        model = handed_model(Path(asked["folder"]), asked["key"], asked["record"])
        if model is not None:
            models[number] = model
            gc.freeze()  # what is loaded stays
        return {"loaded": model is not None}
    if "sources" not in asked:
        models.pop(number, None)
        return {}
    sources, options = asked["sources"], NotedSearch(**asked["search"])
    try:
        found = models[number].predict(
            sources, options, window=max(1, len(sources)), keep_going=True
        )
        values = bare_values_of if asked["bare"] else values_of
        return {"outputs": [[values(output) for output in outputs] for outputs in found]}
    except NOT_OURS as error:  # the server answers itself, and says what is wrong
        return {"failed": type(error).__name__}


def main() -> None:
    """Answer on standard output; what else is printed goes to standard error."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, channel)


if __name__ == "__main__":
    main()
