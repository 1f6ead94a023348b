"""One recipe in a process of its own, which trains or predicts for some seconds on request."""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from transduce.config import load_config
from transduce.interfaces import Batch
from transduce.search import decode_all
from transduce.training.allocation import keep_freed_buffers
from transduce.training.distributed import join_processes
from transduce.training.learner import Learner
from transduce.training.objectives.choose import choose_objectives
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.corpora.survey import survey
from transduce.workflow.fitting import fit
from transduce.workflow.fitting.training_batches import training_batches
from transduce.workflow.trained import TrainedModel

__all__ = ["main"]

_SENTENCES = 512  # of a prediction
_LONGEST = 20  # tokens: a model that has learnt little seldom ends by itself


def main() -> None:
    """Serve requests, a line each, until standard input ends."""
    config = load_config(Path(sys.argv[1]), sys.argv[2:])
    keep_freed_buffers()
    corpora = open_corpora(config)
    tokenizers, _ = survey(config, corpora, None)
    torch.manual_seed(config.training.seed)
    trained = TrainedModel.fresh(config, *tokenizers)
    with tempfile.TemporaryDirectory() as folder, join_processes(torch.device("cpu")) as processes:
        corpus = fit._encode(config, corpora, trained, Path(folder), "benchmark", None)
        stream = training_batches(corpus, trained, None)
        batches = itertools.chain.from_iterable(map(stream.iterate, itertools.count()))
        objectives = choose_objectives(config.training, trained.model)
        learner = Learner(trained.model, objectives, config.training, processes)
        texts = [pair.source for pair in itertools.islice(corpora.train(), _SENTENCES)]
        rows = [trained.coders("")[0].encode(text) for text in texts]
        jobs: dict[str, Callable[[], float]] = {
            "train": lambda: _step(trained, learner, batches),
            "predict": lambda: _predict(trained, rows),
        }
        print("{}", flush=True)
        for line in sys.stdin:
            request = json.loads(line)
            count, began = 0.0, time.monotonic()
            while (now := time.monotonic()) < began + request["seconds"]:
                count += jobs[request["task"]]()
            now = time.monotonic()
            print(json.dumps({"pace": count / (now - began)}), flush=True)


def _step(trained: TrainedModel, learner: Learner, batches: Iterator[Batch]) -> float:
    trained.model.train()
    batch = next(batches)
    tokens = float(batch.target_lengths.sum())
    learner.step([batch], tokens, 1e-3, 0.0)
    return tokens


def _predict(trained: TrainedModel, rows: list[list[int]]) -> float:
    trained.model.eval()
    options = trained.config.search.model_copy(update={"max_length": _LONGEST})
    return float(len(list(decode_all(trained.stepper(), rows, options, window=4096))))


if __name__ == "__main__":
    main()
