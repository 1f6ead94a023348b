"""A small model, batches and scores that stand for the real ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from transduce.config import TrainingConfig
from transduce.interfaces import BEGIN, END, PADDING, Batch, Source
from transduce.training.objectives.cross_entropy import CrossEntropy
from transduce.training.objectives.weighted import Weighted

VOCABULARY = 9


class ToyModel(nn.Module):
    """The mean of the source's embeddings starts a GRU over the target."""

    def __init__(self, dropout: float = 0.0, seed: int = 0, width: int = 8) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.embedding = nn.Embedding(VOCABULARY, width)
        self.recurrent = nn.GRU(width, width, batch_first=True)
        self.output = nn.Linear(width, VOCABULARY)
        self.dropout = nn.Dropout(dropout)

    def enter(self, source: Source) -> tuple[Tensor, Source]:
        return self.embedding(source.tokens), source

    def begin(self, vectors: Tensor, source: Source) -> Tensor:
        return ((vectors * source.mask[..., None]).sum(1) / source.lengths[:, None])[None]

    def embed(self, tokens: Tensor) -> Tensor:
        return self.dropout(self.embedding(tokens))

    def proceed(self, vectors: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        outputs, state = self.recurrent(vectors, state)
        return self.output(self.dropout(outputs)), state

    def forward(self, source: Source, target_input: Tensor) -> Tensor:
        return self.proceed(self.embed(target_input), self.begin(*self.enter(source)))[0]


ONLY_TARGETS = (Weighted(1.0, CrossEntropy()),)


def toy_batch(pairs: list[tuple[list[int], list[int]]], indices: list[int]) -> Batch:
    """Padded by hand, so that these tests need no other module."""
    longest_source = max((len(source) for source, _ in pairs), default=0) + 1
    longest_target = max((len(target) for _, target in pairs), default=0) + 2
    sources = torch.full((len(pairs), longest_source), PADDING)
    targets = torch.full((len(pairs), longest_target), PADDING)
    for row, (source, target) in enumerate(pairs):
        sources[row, : len(source) + 1] = torch.tensor([*source, END])
        targets[row, : len(target) + 2] = torch.tensor([BEGIN, *target, END])
    source_lengths = torch.tensor([len(source) + 1 for source, _ in pairs], dtype=torch.int64)
    target_lengths = torch.tensor([len(target) + 1 for _, target in pairs], dtype=torch.int64)
    return Batch(Source(sources, source_lengths), targets, target_lengths, tuple(indices))


class ToyBatches:
    """Pairs x → x of random lengths, ``size`` to a batch, in fresh order each epoch."""

    def __init__(self, pairs: int = 40, size: int = 5, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.size, self.seed = size, seed
        self.pairs: list[tuple[list[int], list[int]]] = []
        for _ in range(pairs):
            length = int(torch.randint(1, 6, (), generator=generator))
            tokens = torch.randint(4, VOCABULARY, (length,), generator=generator).tolist()
            self.pairs.append((tokens, tokens))

    def count(self, epoch: int) -> int:
        return -(-len(self.pairs) // self.size)

    def iterate(self, epoch: int, start: int = 0, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(1000 * self.seed + epoch)
        order = torch.randperm(len(self.pairs), generator=generator).tolist()
        for number in range(start, self.count(epoch)):
            chosen = order[number * self.size : (number + 1) * self.size][rank::world]
            yield toy_batch([self.pairs[index] for index in chosen], chosen)


@torch.no_grad()
def toy_loss(model: nn.Module, batches: ToyBatches) -> float:
    """Loss per target token over one epoch."""
    total = tokens = 0.0
    for batch in batches.iterate(0):
        logits = model(batch.source, batch.target_input)
        log = torch.log_softmax(logits, -1).gather(-1, batch.target_output[..., None])[..., 0]
        total -= float(log[batch.target_output != PADDING].sum())
        tokens += int(batch.target_lengths.sum())
    return total / tokens


class ToyScore:
    """Loss on pairs of their own; remembers what it saw."""

    def __init__(self) -> None:
        self.batches = ToyBatches(pairs=20, seed=7)
        self.losses: list[float] = []
        self.was_training: list[bool] = []

    def __call__(self, model: nn.Module) -> dict[str, float]:
        self.was_training.append(model.training)
        self.losses.append(toy_loss(model, self.batches))
        return {"loss": self.losses[-1], "exact_match": 100.0 - self.losses[-1]}


def toy_config(**options: Any) -> TrainingConfig:
    """Quick and in float32 whatever the machine; options override."""
    defaults: dict[str, Any] = {
        "precision": "float32",
        "warmup_steps": 2,
        "learning_rate": 0.01,
        "average": "none",
        "label_smoothing": 0.0,
    }
    return TrainingConfig(**{**defaults, **options})


def weights_of(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()
