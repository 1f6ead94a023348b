"""One recogniser of speech in a process of its own, and the other end of the pipe to it.

All get the same log-mel spectrograms of 30 seconds, made before anything is timed; timed is from
spectrograms to texts. Requests and replies are JSON, one a line.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import kernel_architecture, peak_memory
from benchmarks.process import JsonProcess

__all__ = ["Reply", "Request", "Worker"]

Frames = NDArray[np.float32]  # [3000, F]


class System(Protocol):
    """Any of the systems compared."""

    def recognise(self, frames: Sequence[Frames], beam: int) -> list[str]:
        """The text of each recording."""
        ...


@dataclass(frozen=True)
class Request:
    """Batches of recordings by their paths, recognised one after another, each timed."""

    batches: list[list[str]]
    beam: int


@dataclass(frozen=True)
class Reply:
    """Seconds of each batch, by the clock and of all threads on processors, all texts in order, the
    process's peak memory in MB.
    """

    seconds: list[float]
    processor: list[float]
    texts: list[str]
    memory: float


class Worker:
    """A process that holds one system; a context manager that ends it."""

    def __init__(self, system: str, model: Path, threads: int) -> None:
        command = [sys.executable, "-m", "benchmarks.speech_worker", system, str(model)]
        self._process = JsonProcess(system, command, threads)
        self.system = system

    def ask(self, request: Request) -> Reply:
        """Send, wait, receive. Raises RuntimeError where the process has died."""
        return Reply(**self._process.ask(vars(request)))

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.end()


class Ours:
    """The model as :meth:`Transducer.from_pretrained` reads it."""

    def __init__(self, model: Path, engine: str) -> None:
        from transduce.config import EngineChoice
        from transduce.engine import fast_stepper
        from transduce.pretrained.published_model import read_pretrained

        self._trained = read_pretrained(model)
        self._stepper = fast_stepper(
            self._trained.model, cast(EngineChoice, engine), architecture=kernel_architecture()
        )

    def recognise(self, frames: Sequence[Frames], beam: int) -> list[str]:
        """The text of each recording."""
        options = self._trained.config.updated({"search.beam": beam}).search
        from transduce.workflow.predicting.frame_predictor import FramePredictor

        predictor = cast(FramePredictor, self._trained.predictor(stepper=self._stepper))
        return [best.text for best, *_ in predictor.predict_frames([[f] for f in frames], options)]


class CTranslate2:
    """Its own Whisper: ``int8``, ``float32`` or ``int8 workers``.

    ``workers`` are as many of one thread each as there are threads, in place of one with all.
    """

    def __init__(self, model: Path, kind: str) -> None:
        import ctranslate2
        from tokenizers import Tokenizer

        threads = int(os.environ["OMP_NUM_THREADS"])
        number, _, apart = kind.partition(" ")
        self._workers = threads if apart == "workers" else 1
        self._view = ctranslate2.StorageView
        self._tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
        self._model = ctranslate2.models.Whisper(
            str(model),
            device="cpu",
            compute_type=number,
            intra_threads=threads // self._workers,
            inter_threads=self._workers,
        )

    def recognise(self, frames: Sequence[Frames], beam: int) -> list[str]:
        """The text of each recording."""
        chunks = np.array_split(np.arange(len(frames)), min(self._workers, len(frames)))
        waiting = []
        for chunk in chunks:
            # its features stand by bins, not by time
            batch = np.ascontiguousarray(np.stack([frames[place].T for place in chunk]))
            prompt = ["<|startoftranscript|>", "<|notimestamps|>"]
            waiting += self._model.generate(
                self._view.from_array(batch),
                [prompt] * len(chunk),
                beam_size=beam,
                asynchronous=True,
            )
        found = [result.result().sequences_ids[0] for result in waiting]
        return [self._tokenizer.decode(ids).strip() for ids in found]


def _open(system: str, model: Path) -> System:
    family, _, kind = system.partition(" ")
    if family == "ours":
        return Ours(model, kind)
    if family == "ctranslate2":
        return CTranslate2(model, kind)
    raise ValueError(f"system must be ours or ctranslate2; got {system!r}")


def main() -> None:
    """Answer requests until there are no more."""
    from transduce.audio.reader import AudioReader
    from transduce.config.audio import AudioConfig

    # Libraries may print; what they print must not come between the replies.
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    system = _open(sys.argv[1], Path(sys.argv[2]))
    reader, known = AudioReader(AudioConfig(pad_to=30.0)), dict[str, Frames]()
    for line in sys.stdin:
        request = Request(**json.loads(line))
        seconds, processor, texts = [], [], []
        for batch in request.batches:
            for path in batch:
                if path not in known:
                    known[path] = reader.read(_source(path))
            frames = [known[path] for path in batch]
            started, used = time.perf_counter(), time.process_time()
            found = system.recognise(frames, request.beam)
            processor.append(time.process_time() - used)
            seconds.append(time.perf_counter() - started)
            texts += found
        reply = Reply(seconds, processor, texts, peak_memory())
        print(json.dumps(vars(reply)), file=channel, flush=True)


def _source(path: str) -> str | NDArray[np.float32]:
    """A recording's path, or samples at 16,000 hertz that NumPy saved."""
    if not path.endswith(".npy"):
        return path
    samples: NDArray[np.float32] = np.load(path, allow_pickle=False)
    return samples


if __name__ == "__main__":
    main()
