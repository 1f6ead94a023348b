"""What teachers say to all training pairs: asked once, kept in the run's directory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from transduce.batches.teaching_files import TeachingFiles, Told
from transduce.errors import CheckpointError, ConfigError
from transduce.files import locked_in_turn
from transduce.interfaces import Batch
from transduce.search import Ensemble
from transduce.workflow.corpora.digests import digest
from transduce.workflow.model_folder import CONFIG
from transduce.workflow.readers.source_reader import Corpus
from transduce.workflow.teacher_names import teachers_digest
from transduce.workflow.trained import TrainedModel

__all__ = ["teach"]

_WINDOW = 1 << 14  # pairs that are sorted by length together
_OFTEN = 10.0  # seconds between two lines

Say = Callable[[str], None]


def teach(
    trained: TrainedModel,
    teachers: Sequence[TrainedModel],
    corpus: Corpus,
    folder: Path,
    data: str,
    say: Say | None,
) -> TeachingFiles | None:
    """What the ``teachers`` of a model say to each pair that it learns from; None without any.

    The gold tokens before it, each token's distribution is the mean of theirs; the likeliest
    ``training.teacher_outputs`` tokens are kept, in ``FOLDER/training/teacher`` or below
    ``training.teacher_folder``, and found there again: after a resume or, as their name hangs on
    teachers, ``data`` and tokenizers alone, by another student of the same teachers. Raises
    ConfigError where a teacher reads or writes otherwise, or the folder is a model's,
    CheckpointError where the files cannot be written.
    """
    if not teachers:
        return None
    for name, teacher in zip(trained.config.training.teacher, teachers, strict=True):
        if (side := teacher.other_side(trained)) is not None:
            raise ConfigError(
                f"training.teacher must share the {side} tokenizer of the model; {name} has another"
            )
    vocabulary = trained.target_tokenizer.size
    outputs = min(trained.config.training.teacher_outputs, vocabulary)
    own = _name(trained, teachers, data, outputs)
    place = _place(trained.config.training.teacher_folder, folder, own)
    layout = corpus.target_lengths, vocabulary, outputs
    try:
        place.mkdir(parents=True, exist_ok=True)
        with locked_in_turn(place):  # of several processes of this run one asks
            found = TeachingFiles.open(place, own, *layout)
            if found is None:
                told = _told(trained, teachers, corpus, outputs, say)
                TeachingFiles.write(place, own, *layout, told)
                found = TeachingFiles.open(place, own, *layout)
    except OSError as error:
        raise CheckpointError(
            f"{place}: what the teacher says cannot be written ({error.strerror})"
        ) from None
    if found is None:
        raise CheckpointError(f"{place}: what the teacher says must stay as written; it changed")
    return found


def _name(trained: TrainedModel, teachers: Sequence[TrainedModel], data: str, outputs: int) -> str:
    """Of what they say to these data; what the student is like does not matter."""
    sides = str(trained.reader.fingerprint()), trained.target_tokenizer.to_json()
    return digest("\n".join([data, *map(str, sides), str(outputs), *teachers_digest(teachers)]))


def _place(shared: Path | None, folder: Path, own: str) -> Path:
    """Where it is kept. Raises ConfigError for a folder that belongs to a model."""
    if shared is None:
        return folder / "training" / "teacher"
    if (shared / CONFIG).exists():
        raise ConfigError(
            f"training.teacher_folder must be a folder of its own; got {shared}, which is a model"
        )
    return shared / own


def _told(
    trained: TrainedModel,
    teachers: Sequence[TrainedModel],
    corpus: Corpus,
    outputs: int,
    say: Say | None,
) -> Iterator[Told]:
    """What they say to the pairs of each window, in the order of the corpus."""
    device, count = trained.model.device, len(corpus)
    for teacher in teachers:
        teacher.model.to(device).eval()
    stepper = Ensemble([teacher.model for teacher in teachers])
    plain, began = corpus.unchanged(), time.monotonic()
    if say is not None:
        say(f"asking {_named(teachers)} about {count:,} pairs")
    spoke = began
    for start in range(0, count, _WINDOW):
        pairs = np.arange(start, min(start + _WINDOW, count))
        yield _window(stepper, plain, pairs, outputs, trained)
        now = time.monotonic()
        if say is not None and now - spoke > _OFTEN and pairs[-1] + 1 < count:
            spoke, share = now, (int(pairs[-1]) + 1) / count
            left = (now - began) * (1 - share) / share
            say(f"  {share:.0%} of the pairs, {left / 60:.1f} minutes left")


def _named(teachers: Sequence[TrainedModel]) -> str:
    return "the teacher" if len(teachers) == 1 else f"{len(teachers)} teachers"


def _window(
    stepper: Ensemble,
    corpus: Corpus,
    pairs: NDArray[np.int64],
    outputs: int,
    trained: TrainedModel,
) -> Told:
    lengths = corpus.target_lengths[pairs].astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    tokens = np.zeros((int(lengths.sum()), outputs), np.int64)
    log_probs = np.zeros((int(lengths.sum()), outputs), np.float32)
    first = int(pairs[0])
    for own in _batches(corpus, pairs, trained.config.training.batch_tokens):
        batch = corpus.batch(own)
        best = _likeliest(stepper, batch.to(trained.model.device), outputs)
        for row, index in enumerate(batch.indices):  # without what could not be read
            start, length = int(starts[index - first]), int(lengths[index - first])
            tokens[start : start + length] = best[1][row, :length].numpy()
            log_probs[start : start + length] = best[0][row, :length].numpy()
    return tokens, log_probs


def _batches(
    corpus: Corpus, pairs: NDArray[np.int64], positions: int
) -> Iterator[NDArray[np.int64]]:
    """The pairs by length, at most so many positions of source or target together."""
    longest = np.maximum(corpus.source_lengths[pairs], corpus.target_lengths[pairs])
    order = np.argsort(longest, kind="stable")
    begin = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or (end + 1 - begin) * int(longest[order[end]]) > positions:
            yield pairs[order[begin:end]]
            begin = end


def _likeliest(stepper: Ensemble, batch: Batch, outputs: int) -> tuple[Tensor, Tensor]:
    """Log-probabilities and tokens, ``[B, T, K]``, on the CPU."""
    with torch.inference_mode():
        log_probs = stepper.step(batch.target_input, stepper.start(batch.source))[0]
        best = log_probs.float().topk(outputs, dim=-1)
    return best.values.cpu(), best.indices.cpu()
