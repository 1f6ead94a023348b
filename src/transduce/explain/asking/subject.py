"""A model with one source and one output, as the function that every method explains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from transduce.errors import ModelError
from transduce.explain.asking.question import Question
from transduce.explain.asking.units import Units
from transduce.interfaces import END, PADDING, UNKNOWN, Source, State, Stepper
from transduce.models.seq2seq import Seq2Seq

__all__ = ["Subject", "blank_tokens"]

_ROOM = 1 << 22  # numbers of vectors and logits that a block of rows may take: 16 MB each


@dataclass(frozen=True)
class Subject:
    """The numbers of a :class:`Question` as a function of a source and of the target before.

    ``stepper`` answers for tokens and frames; ``model`` is the same where it is of our modules,
    None where another library runs it and no gradients can be had. ``source`` has one row;
    ``units`` say what of it is weighed, ``blank`` (like ``source.values``, one row) is what stands
    in the place of what is taken away. Rows are computed in blocks, so memory hangs on the length
    of the source alone. The model must be in evaluation mode.
    """

    stepper: Stepper[Any]
    model: Seq2Seq | None
    source: Source
    question: Question
    units: Units
    blank: Tensor
    other: Question | None = None  # of the output's contrast: another output, subtracted
    vocabularies: tuple[int, int] = (0, 0)  # symbols of source (of frames 0) and target
    room: int = _ROOM

    @property
    def length(self) -> int:
        """S: tokens with END, or frames."""
        return int(self.source.lengths[0])

    @property
    def prefix(self) -> Tensor:
        """What the decoder reads, int64 ``[1, T]``."""
        return self.question.prefix[None].to(self.source.device)

    @property
    def blank_prefix(self) -> Tensor:
        """UNKNOWN in the place of each token, ``[1, T]``."""
        return torch.full_like(self.prefix, UNKNOWN)

    # ------------------------------------------------ tokens and frames: any model

    def scores(self, values: Tensor | None = None, prefix: Tensor | None = None) -> Tensor:
        """All Q numbers of N rows, float64 ``[N, Q]``, without gradients.

        ``values`` are sources like ``source.values``, ``[N, S]`` or ``[N, S, F]``, ``prefix`` what
        the decoder reads, int64 ``[N, T]``; what is not given is as it is.
        """
        values = self.source.values if values is None else values
        prefix = self.prefix if prefix is None else prefix
        count = max(len(values), len(prefix))
        found = [
            self._some_scores(_rows(values, part), _rows(prefix, part))
            for part in self.blocks(count)
        ]
        return torch.cat(found)

    def scores_of(
        self, which: Tensor, values: Tensor | None = None, prefix: Tensor | None = None
    ) -> Tensor:
        """Number ``which[n]`` (int64 ``[N]``) alone of each row of :meth:`scores`, float64 ``[N]``.

        Only as much is read as the numbers hang on, and only one step's logits are computed.
        """
        if self.model is None or self.question.kind == "output":
            every = self.scores(values, prefix).expand(len(which), -1)
            return every.gather(1, which[:, None].to(every.device))[:, 0]
        values = self.source.values if values is None else values
        read = (self.prefix if prefix is None else prefix).to(self.source.device)
        read = read[:, : int(self.question.last_read[which].max()) + 1]
        found = []
        for part in self.blocks(len(which)):
            found.append(self._some_of(which[part], _rows(values, part), _rows(read, part)))
        return torch.cat(found)

    @torch.no_grad()
    def _some_of(self, which: Tensor, values: Tensor, prefix: Tensor) -> Tensor:
        model, count = self.modules, len(which)
        state = model.start(Source(values, self.source.lengths.expand(len(values))))
        if len(values) < count:
            state = state.expand(count)
        read = model.target_embedding(prefix.expand(count, -1))
        outputs, after = model.decoder.step(read, state)
        steps = self.question.last_read[which].to(read.device)
        weights = None if after.attention is None else _at(after.attention, steps)
        logits = model.logits(_at(outputs, steps), _at(read, steps), weights, after)
        return self.question.of_one(logits[:, 0], which.to(read.device)).double()

    @torch.no_grad()
    def _some_scores(self, values: Tensor, prefix: Tensor) -> Tensor:
        source = Source(values, self.source.lengths.expand(len(values)))
        state = self.stepper.start(source)
        rows = len(values)
        numbers = self._after(self.question, prefix, state, rows)
        if self.other is not None:
            numbers = numbers - self._after(self.other, self.other.prefix[None], state, rows)
        return numbers.double()

    def _after(self, question: Question, prefix: Tensor, state: State, rows: int) -> Tensor:
        """``prefix`` ``[N, T]`` or ``[1, T]`` after a state of N sentences, or of one."""
        prefix = prefix.to(self.source.device)
        if rows < len(prefix):
            state = state.expand(len(prefix))
        logits, _ = self.stepper.step(prefix.expand(max(rows, len(prefix)), -1), state)
        return question.of_all(logits.float() if logits.dtype.itemsize < 4 else logits)

    # ------------------------------------------------ vectors: models of our modules

    @property
    def modules(self) -> Seq2Seq:
        """The model. Raises ModelError where another library runs it."""
        if self.model is None:
            raise ModelError(
                "method must be occlusion, lime or kernel-shap for a model that another library "
                "runs; got one that looks into it"
            )
        return self.model

    @torch.no_grad()
    def vectors(self, values: Tensor) -> Tensor:
        """What gradients are taken of: embedded tokens ``[N, S, E]``, or the frames themselves."""
        model = self.modules
        if model.frontend is not None:
            return values.to(model.output.weight.dtype)
        found: Tensor = model.source_embedding(values)
        return found

    @torch.no_grad()
    def prefix_vectors(self, prefix: Tensor) -> Tensor:
        """The decoder's embedded tokens, ``[N, T, E]``."""
        found: Tensor = self.modules.target_embedding(prefix)
        return found

    def number(self, vectors: Tensor, prefix: Tensor, which: Tensor) -> Tensor:
        """Number ``which[n]`` (int64 ``[N]``) of vectors ``[N, S, E]`` and ``[N, T, E]``: ``[N]``.

        Differentiable in both. A pointer copies the source's own tokens.
        """
        model, question = self.modules, self.question
        count = len(vectors)
        lengths = self.source.lengths.expand(count)
        if model.frontend is None:
            tokens = self.source.values.expand(count, -1)
            state = model.begin(vectors, Source(tokens, lengths))
        else:
            entered, lengths = model.frontend(vectors, lengths)
            state = model.begin(entered, Source(entered, lengths))
        outputs, after = model.decoder.step(prefix, state)
        if question.kind != "output":
            # Only one step of each row is asked for: the vocabulary is large.
            steps = question.last_read.to(which.device)[which]
            picked = [_at(own, steps) for own in (outputs, prefix)]
            attention = None if after.attention is None else _at(after.attention, steps)
            logits = model.logits(picked[0], picked[1], attention, after)
            return question.of_one(logits[:, 0], which)
        numbers = question.of_all(model.logits(outputs, prefix, after.attention, after))
        if self.other is not None:
            others = self.other.prefix[None].expand(count, -1).to(which.device)
            numbers = numbers - self.other.of_all(model.step(others, state)[0])
        return numbers[:, 0]

    def gradients(
        self, vectors: Tensor, prefix: Tensor, which: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of :meth:`number` by both, ``[N, S, E]`` and ``[N, T, E]``, and it, ``[N]``."""
        found = []
        for part in self.blocks(len(which)):
            own = _rows(vectors, part).detach().expand(len(which[part]), -1, -1)
            read = _rows(prefix, part).detach().expand(len(which[part]), -1, -1)
            own, read = own.clone().requires_grad_(), read.clone().requires_grad_()
            with torch.enable_grad(), _without_parameters(self.modules):
                numbers = self.number(own, read, which[part])
                by_source, by_prefix = torch.autograd.grad(
                    numbers.sum(), (own, read), materialize_grads=True
                )
            found.append((by_source, by_prefix, numbers.detach()))
        by_source, by_prefix, numbers = (torch.cat(own) for own in zip(*found, strict=True))
        return by_source, by_prefix, numbers

    def own_gradients(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Where the source and the prefix are: their vectors ``[1, S, E]`` and ``[1, T, E]``, and
        the gradients of all Q numbers by them, ``[Q, S, E]`` and ``[Q, T, E]``.
        """
        vectors, prefix = self.vectors(self.source.values), self.prefix_vectors(self.prefix)
        which = torch.arange(self.question.count, device=vectors.device)
        by_source, by_prefix, _ = self.gradients(vectors, prefix, which)
        return vectors, prefix, by_source, by_prefix

    # ------------------------------------------------ blocks

    @property
    def rows_together(self) -> int:
        """How many rows are computed together."""
        width = self.source.values.shape[2] if self.source.values.ndim == 3 else 1
        a_row = self.length * max(width, 256) + len(self.question.target) * self.vocabularies[1]
        return max(1, self.room // a_row)

    def blocks(self, count: int) -> list[slice]:
        """Which of ``count`` rows are computed together, part after part."""
        height = self.rows_together
        return [slice(first, min(count, first + height)) for first in range(0, count, height)]

    # ------------------------------------------------ others in its place

    def drawn(self, count: int, chance: torch.Generator) -> Tensor:
        """``count`` sources of random symbols, or of the source's own frames in random order.

        Each random symbol is an ordinary one, any as likely as another; ``[N, S]`` or
        ``[N, S, F]``.
        """
        values, real = self.source.values, self.length
        others = values.repeat(count, *[1] * (values.ndim - 1))
        if values.ndim == 3:
            orders = torch.rand(count, real, generator=chance).argsort(1)
            others[:, :real] = values[0][orders.to(values.device)]
        else:
            others[:, :real] = self._symbols(0, (count, real), chance)
        return others

    def drawn_prefix(self, count: int, chance: torch.Generator) -> Tensor:
        """``count`` prefixes of random symbols, ``[N, T]``."""
        return self._symbols(1, (count, self.prefix.shape[1]), chance)

    def _symbols(self, side: int, shape: tuple[int, int], chance: torch.Generator) -> Tensor:
        size = self.vocabularies[side]
        found = torch.randint(min(END + 1, size - 1), size, shape, generator=chance)
        return found.to(self.source.device)

    # ------------------------------------------------ others like it

    def padded(self, width: int) -> Subject:
        """The same with a source that is padded to ``width`` tokens or frames."""
        values, of = self.source.values, self.units.of
        missing = width - values.shape[1]
        shape = (1, missing, *values.shape[2:])
        pad = values.new_full(shape, PADDING)
        more = of.new_full((missing, *of.shape[1:]), self.units.count)
        return replace(
            self,
            source=Source(torch.cat([values, pad], 1), self.source.lengths),
            blank=torch.cat([self.blank, pad], 1),
            units=replace(self.units, of=torch.cat([of, more])),
        )


def blank_tokens(source: Source) -> Tensor:
    """UNKNOWN in the place of each token, END among them."""
    return torch.full_like(source.values, UNKNOWN)


def _rows(values: Tensor, part: slice) -> Tensor:
    return values if len(values) == 1 else values[part]


def _at(vectors: Tensor, steps: Tensor) -> Tensor:
    """``[N, T, D]`` at one step each, ``[N, 1, D]``."""
    return vectors[torch.arange(len(steps), device=steps.device), steps][:, None]


@contextmanager
def _without_parameters(model: nn.Module) -> Iterator[None]:
    """Inside nothing is computed for gradients of weights."""
    wanting = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in wanting:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in wanting:
            parameter.requires_grad_(True)
