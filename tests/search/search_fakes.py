"""Models made of tables, for tests of search: exact, tiny, and strict about how they are used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from transduce.interfaces import BEGIN, END, PADDING, Candidates, Source

SOURCE_SALT, HISTORY_SALT = 101, 103


def make_source(rows: Sequence[Sequence[int]], extra_padding: int = 0) -> Source:
    width = max(len(row) for row in rows) + 1 + extra_padding
    padded = [[*row, END, *[PADDING] * (width - len(row) - 1)] for row in rows]
    return Source(torch.tensor(padded), torch.tensor([len(row) + 1 for row in rows]))


@dataclass(frozen=True)
class TableState:
    """Remembers all it has read, and checks the contract of interfaces.State."""

    sources: tuple[tuple[int, ...], ...]
    histories: tuple[tuple[int, ...], ...]
    beams: int
    width: int
    keep_attention: bool
    attention: Tensor | None = None

    @property
    def mask(self) -> Tensor:
        lengths = torch.tensor([len(source) for source in self.sources])
        return torch.arange(self.width) < lengths[:, None]

    def expand(self, beams: int) -> TableState:
        assert self.beams == 1, "expand takes B rows"
        histories = tuple(h for h in self.histories for _ in range(beams))
        return replace(self, histories=histories, beams=beams, attention=None)

    def reorder(self, rows: Tensor) -> TableState:
        assert rows.dtype == torch.int64
        assert rows.shape == (len(self.histories),)
        own = torch.arange(len(rows)) // self.beams
        assert torch.equal(rows // self.beams, own), "rows stay within their own sentence"
        assert not torch.equal(rows, torch.arange(len(rows))), "nothing is copied in vain"
        histories = tuple(self.histories[row] for row in rows.tolist())
        return replace(self, histories=histories, attention=None)

    def select(self, sentences: Tensor) -> TableState:
        assert sentences.dtype == torch.int64
        kept = sentences.tolist()
        assert len(set(kept)) == len(kept) < len(self.sources), "select drops sentences"
        histories = tuple(
            self.histories[sentence * self.beams + beam]
            for sentence in kept
            for beam in range(self.beams)
        )
        sources = tuple(self.sources[sentence] for sentence in kept)
        # As a model may: columns that are now all padding go too.
        width = max(len(source) for source in sources)
        return replace(self, sources=sources, histories=histories, width=width, attention=None)


class TableStepper:
    """Random logits for each (source, history), the same ones for ever.

    ``size`` is the vocabulary, ``spread`` the standard deviation of logits. ``fixed`` replaces
    single tables: history (without BEGIN) to logits.
    """

    def __init__(
        self,
        size: int = 7,
        seed: int = 0,
        spread: float = 2.0,
        end: float = 0.0,
        attention: bool = True,
        fixed: dict[tuple[int, ...], Sequence[float]] | None = None,
    ) -> None:
        self.size, self.seed, self.spread, self.end = size, seed, spread, end
        self.has_attention = attention
        self.fixed = fixed or {}
        self.cache: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]] = {}
        self.steps: list[tuple[int, int]] = []  # shape of the tokens of each step

    def entry(
        self, source: tuple[int, ...], history: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Logits ``[V]`` and attention ``[len(source)]`` after BEGIN and ``history``."""
        key = (*source, SOURCE_SALT, *history, HISTORY_SALT)
        if key not in self.cache:
            random = np.random.default_rng([self.seed, *key])
            logits = random.normal(0, self.spread, self.size)
            logits[END] += self.end
            weights = random.dirichlet(np.full(len(source), 0.3))
            if history in self.fixed:
                logits = np.array(self.fixed[history], dtype=float)
            self.cache[key] = logits, weights
        return self.cache[key]

    def log_probs(self, source: Sequence[int], history: Sequence[int]) -> np.ndarray:
        """For tests: float64 ``[V]``; ``source`` without END."""
        logits = self.entry((*source, END), tuple(history))[0]
        return logits - np.log(np.exp(logits - logits.max()).sum()) - logits.max()

    def start(self, source: Source, *, attention: bool = False) -> TableState:
        pairs = zip(source.tokens.tolist(), source.lengths.tolist(), strict=True)
        rows = tuple(tuple(row[:length]) for row, length in pairs)
        assert all(row[-1] == END for row in rows)
        return TableState(rows, ((),) * len(rows), 1, source.tokens.shape[1], attention)

    def step(self, tokens: Tensor, state: TableState) -> tuple[Tensor, TableState]:
        count, steps = tokens.shape
        assert count == len(state.histories) == len(state.sources) * state.beams
        assert tokens.dtype == torch.int64
        assert not torch.is_grad_enabled()
        self.steps.append((count, steps))
        logits = np.empty((count, steps, self.size))
        attention = np.zeros((count, steps, state.width))
        histories = []
        for row, read in enumerate(tokens.tolist()):
            history = state.histories[row]
            source = state.sources[row // state.beams]
            for place, token in enumerate(read):
                history = (*history, token)
                assert history[0] == BEGIN
                assert 0 <= token < self.size
                logits[row, place], weights = self.entry(source, history[1:])
                attention[row, place, : len(source)] = weights
            histories.append(history)
        keep = state.keep_attention and self.has_attention
        after = replace(
            state,
            histories=tuple(histories),
            attention=torch.from_numpy(attention) if keep else None,
        )
        return torch.from_numpy(logits), after


class ConstantStepper(TableStepper):
    """The same logits everywhere."""

    def __init__(self, logits: Sequence[float]) -> None:
        super().__init__(size=len(logits))
        self.logits = np.array(logits, dtype=float)

    def entry(
        self, source: tuple[int, ...], history: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        return self.logits, np.full(len(source), 1 / len(source))


class ProposingStepper(TableStepper):
    """Gives candidates too. ``digits`` rounds logits, so that many are equal."""

    def __init__(self, size: int = 7, seed: int = 0, end: float = 0.0, digits: int = 9) -> None:
        super().__init__(size=size, seed=seed, end=end)
        self.digits = digits
        self.counts: list[int] = []  # of each call of propose
        self.given: Candidates | None = None

    def entry(
        self, source: tuple[int, ...], history: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        logits, weights = super().entry(source, history)
        return logits.round(self.digits), weights

    def propose(
        self, tokens: Tensor, state: TableState, count: int
    ) -> tuple[Candidates, TableState]:
        if self.given is not None:  # what was given before may be overwritten now
            for values in (self.given.log_probs, self.given.tokens):
                values.fill_(-1)
        assert tokens.shape == (len(state.histories), 1)
        logits, state = self.step(tokens, state)
        self.steps.pop()
        self.counts.append(count)
        log_probs = torch.log_softmax(logits[:, 0], dim=1)
        ordered = log_probs[:, END:].sort(dim=1, descending=True, stable=True)
        self.given = Candidates(
            ordered.values[:, :count].clone(),
            ordered.indices[:, :count] + END,
        )
        return self.given, state
