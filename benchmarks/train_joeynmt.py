"""JoeyNMT in training: its own ``TrainManager`` on a model of its own builder.

Only its data set is replaced, by one whose iterator gives the benchmark's batches; validation does
not come due. Its model has dropout on attention weights and inside the feed-forward layers
too, as it always has.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import torch
from joeynmt.batch import Batch
from joeynmt.config import parse_train_args
from joeynmt.model import Model, build_model
from joeynmt.training import TrainManager
from joeynmt.vocabulary import Vocabulary
from torch import Tensor

from benchmarks.train_protocol import BEGIN, END, FIRST, Case, Feed, Pairs, Ready

_UNKNOWN, _PADDING = 0, 1
_NEVER = 10**9  # steps
_CPU = torch.device("cpu")


class Loader:
    """What stands in for JoeyNMT's data set, and for the iterator and the sampler that it makes."""

    def __init__(self, feed: Feed[Pairs]) -> None:
        self.seed = 0
        self.batch_sampler = self
        self._feed = feed

    def make_iter(self, **_: object) -> Loader:
        """Itself: neither size nor order of the batches is JoeyNMT's choice."""
        return self

    def __iter__(self) -> Iterator[Batch]:
        return map(_batch, self._feed)  # collated as they are asked for, like its own

    def set_seed(self, seed: int) -> None:
        """The order is given."""

    def get_state(self) -> Tensor:
        """Saved with JoeyNMT's last checkpoint, after all is measured."""
        return torch.zeros(1)


class Manager(TrainManager):  # type: ignore[misc]  # JoeyNMT has no types
    """JoeyNMT's, telling its losses."""

    feed: Feed[Pairs]
    entropy: float  # of a smoothed target: the loss is the divergence from it

    def _train_step(self, batch: Batch) -> tuple[float, int]:
        loss, correct = super()._train_step(batch)
        self.feed.losses.append(loss + self.entropy)
        return loss, correct


def main() -> None:
    """Train on request."""
    feed: Feed[Pairs] = Feed()
    case = Case.read(sys.argv[1])
    torch.manual_seed(1)
    model = _model(case)
    training = {
        "optimizer": "adamw",
        "adam_betas": [0.9, 0.98],
        "learning_rate": case.learning_rate,
        "learning_rate_min": 0.0,
        "scheduling": "exponential",  # by one to the epoch: constant
        "decrease_factor": 1.0,
        "label_smoothing": case.label_smoothing,
        "normalization": "tokens",
        "batch_type": "token",
        "batch_size": 4096,
        "epochs": 1,
        "validation_freq": 100 * _NEVER,
    }
    with tempfile.TemporaryDirectory() as folder:
        manager = Manager(
            rank=0,
            model=model,
            model_dir=Path(folder),
            device=_CPU,
            autocast={"device_type": "cpu", "enabled": False},
            train_args=parse_train_args(training),
        )
        manager.feed = feed
        manager.entropy = _entropy(case.label_smoothing, case.sizes[1])
        parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
        versions = {name: version(name) for name in ("torch", "joeynmt")}
        feed.open(case.batches, Ready(parameters, versions))
        data = Loader(feed)
        manager.train_and_validate(data, data)


def _model(case: Case) -> Model:
    special = SimpleNamespace(
        unk_token="<unk>",
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        sep_token=None,
        unk_id=_UNKNOWN,
        pad_id=_PADDING,
        bos_id=BEGIN,
        eos_id=END,
        lang_tags=[],
    )
    words = [f"w{number}" for number in range(FIRST, case.sizes[1])]
    vocabulary = Vocabulary(words, special)
    stack = {
        "type": "transformer",
        "num_layers": case.layers,
        "num_heads": case.heads,
        "embeddings": {"embedding_dim": case.width, "scale": True, "dropout": case.dropout},
        "hidden_size": case.width,
        "ff_size": case.feedforward,
        "dropout": case.dropout,
        "layer_norm": "pre",
    }
    options = {
        "initializer": "xavier_uniform",
        "embed_initializer": "xavier_uniform",
        "bias_initializer": "zeros",
        "tied_embeddings": True,
        "tied_softmax": True,
        "encoder": stack,
        "decoder": stack,
    }
    model = build_model(options, vocabulary, vocabulary)
    model.loss_function = ("crossentropy", case.label_smoothing)
    return model


def _entropy(smoothing: float, size: int) -> float:
    """Of ``1 - smoothing`` on the target and the rest over ``size - 2`` others, in nats."""
    if not smoothing:
        return 0.0
    return -(1 - smoothing) * math.log(1 - smoothing) - smoothing * math.log(smoothing / (size - 2))


def _batch(pairs: Pairs) -> Batch:
    sources, targets = pairs
    return Batch(
        src=_padded([[*row, END] for row in sources]),
        src_length=torch.tensor([len(row) + 1 for row in sources]),
        src_prompt_mask=None,
        trg=_padded([[BEGIN, *row, END] for row in targets]),
        trg_prompt_mask=None,
        indices=torch.arange(len(sources)),
        device=_CPU,
        pad_index=_PADDING,
        eos_index=END,
    )


def _padded(rows: list[list[int]]) -> Tensor:
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[_PADDING] * (longest - len(row))] for row in rows])


if __name__ == "__main__":
    main()
