"""A process that trains one trial after another, told by lines of JSON what to train.

It reads its standard input and writes its standard output; what else is printed goes to standard
error. Where the input ends, which is where whoever started it ends, however that comes, it ends.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from transduce.config import Config
from transduce.errors import TransduceError
from transduce.pretrained.published_model import read_learnt_from
from transduce.training.record.progress import Silence, Status
from transduce.tuning.trials.study import SCORINGS
from transduce.workflow.corpora.corpora import Corpora, open_corpora
from transduce.workflow.evaluate import spread
from transduce.workflow.fitting.beginning import LearntFrom
from transduce.workflow.fitting.fit import dev_scorer, fit
from transduce.workflow.fitting.shared_data import SharedData

__all__ = ["main", "serve"]

_FEW = 200  # dev sources that trials are scored on while they train, so that it is done often

Message = dict[str, Any]


class _EndedEarlyError(Exception):
    """The trial is behind the others."""


class _Asking(Silence):
    """Tells of each dev scoring, and goes on if the answer says so."""

    def __init__(self, metric: str, ask: Callable[[Message], Message]) -> None:
        self._metric = metric
        self._ask = ask
        self._share = 0.0
        self.minutes = 0.0

    def step(self, status: Status) -> None:
        """Where the run is; the loop says so before each scoring."""
        self._share, self.minutes = status.progress, status.minutes

    def scored(self, step: int, metrics: Mapping[str, float], best: bool) -> None:
        """Raises _EndedEarlyError."""
        scoring = round(self._share * SCORINGS)
        if scoring >= SCORINGS:
            return  # the last one, which ``done`` tells of
        said = {"is": "scored", "scoring": scoring, "score": metrics[self._metric]}
        if not self._ask({**said, "minutes": self.minutes})["go"]:
            raise _EndedEarlyError


class _Trials:
    """Trains trials, keeping what they share."""

    def __init__(self, folder: Path, ask: Callable[[Message], Message]) -> None:
        self._ask = ask
        self._shared = SharedData(folder)
        self._corpora: tuple[str, Corpora] | None = None
        self._models: tuple[str, LearntFrom] | None = None

    def run(self, recipe: Mapping[str, Any], folder: Path) -> Message:
        """What became of a trial."""
        progress: _Asking | None = None
        try:
            config = Config.from_mapping(recipe)
            progress = _Asking(config.training.metric, self._ask)
            corpora, models = self._opened(config), self._learnt_from(config)
            trained = fit(
                config,
                _with_few(corpora),
                folder,
                learnt_from=models,
                progress=progress,
                shared=self._shared,
            )
            score = dev_scorer(trained, corpora)(trained.model)[config.training.metric]
        except _EndedEarlyError:
            return {"is": "ended early", "minutes": progress.minutes if progress else 0.0}
        except TransduceError as error:
            return {"is": "failed", "reason": str(error)}
        except Exception as error:  # whatever it is, the others may do better
            traceback.print_exc()
            return {"is": "failed", "reason": f"{type(error).__name__}: {error}"}
        record = trained.report["training"]
        if record["stopped"] == "interrupted":
            return {"is": "failed", "reason": "somebody stopped it"}
        return {"is": "done", "score": score, "minutes": record["minutes"]}

    def _opened(self, config: Config) -> Corpora:
        key = config.data.model_dump_json()
        if self._corpora is None or self._corpora[0] != key:
            self._corpora = key, open_corpora(config)
        return self._corpora[1]

    def _learnt_from(self, config: Config) -> LearntFrom:
        model = config.model
        key = f"{model.from_} {model.encoder_from} {config.training.teacher}"
        if self._models is None or self._models[0] != key:
            self._models = key, read_learnt_from(config)
        return self._models[1]


def _with_few(corpora: Corpora) -> Corpora:
    """The same with a part of dev, of each part of a mixture alike."""
    most = max(1, _FEW // max(1, len(corpora.parts)))
    parts = tuple(replace(part, dev=spread(part.dev, most)) for part in corpora.parts)
    dev = [example for part in parts for example in part.dev] or spread(corpora.dev, _FEW)
    return replace(corpora, dev=dev, parts=parts)


def serve(receive: Callable[[], Message], send: Callable[[Message], None], folder: Path) -> None:
    """Train what each message names until one says that it is the last.

    ``folder`` is where encoded pairs are shared, where they are many.
    """

    def ask(message: Message) -> Message:
        send(message)
        return receive()

    trials = _Trials(folder, ask)
    send({"is": "ready"})
    while (message := receive())["do"] == "train":
        send(trials.run(message["recipe"], Path(message["folder"])))


def main(incoming: TextIO, outgoing: TextIO, folder: Path) -> None:
    """Serve whoever is at the other ends."""
    messages: queue.SimpleQueue[Message] = queue.SimpleQueue()

    def listen() -> None:
        for line in incoming:
            messages.put(json.loads(line))
        os._exit(0)  # whoever asked is gone, in the middle of a step too

    threading.Thread(target=listen, daemon=True).start()

    def send(message: Message) -> None:
        outgoing.write(json.dumps(message) + "\n")
        outgoing.flush()

    serve(messages.get, send, folder)


if __name__ == "__main__":
    private = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no message
    main(sys.stdin, private, Path(sys.argv[1]))
