"""Small models learn small tasks: what no comparison of numbers can show.

Each trains on an endless stream of random strings until it has all strings of a fixed
sample right, none of which steer it, or fails at ``LIMIT`` steps.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from architectures import ARCHITECTURES, OVER_FRAMES, WITH_ATTENTION, make_model
from transduce.interfaces import BEGIN, END, PADDING, Source
from transduce.models.seq2seq import Seq2Seq

pytestmark = pytest.mark.learning

LIMIT = 1000
WIDTH = 32
FIRST, LAST = END + 1, END + 3  # the symbols of the strings

# An encoder without positions hands over a bag of symbols, which has no reverse.
OTHERS = {"transformer-none", *OVER_FRAMES}
REVERSING = [name for name in WITH_ATTENTION if name not in OTHERS]
COPYING = [
    "lstm-dot",
    "gru-general",
    "rnn-additive",
    "lstm-copy",
    "transformer",
    "transformer-to-gru",
    "ssru",
]


@dataclass(frozen=True)
class Task:
    """Strings of ``shortest`` to ``longest`` symbols, to be copied or turned round."""

    shortest: int
    longest: int
    reverse: bool

    def draw(self, count: int, generator: torch.Generator) -> tuple[Source, Tensor, Tensor]:
        """Sources, what the decoder reads and what it must say."""
        lengths = torch.randint(self.shortest, self.longest + 1, (count, 1), generator=generator)
        symbols = torch.randint(FIRST, LAST + 1, (count, self.longest), generator=generator)
        source = self._ended(symbols, lengths)
        target = source
        if self.reverse:
            mirrored = (lengths - 1 - torch.arange(self.longest)).clamp(min=0)
            target = self._ended(symbols.gather(1, mirrored), lengths)
        read = torch.cat([torch.full((count, 1), BEGIN), target[:, :-1]], dim=1)
        return Source(source, lengths[:, 0] + 1), read, target

    def _ended(self, symbols: Tensor, lengths: Tensor) -> Tensor:
        columns = torch.arange(self.longest + 1)
        room = F.pad(symbols, (0, 1))
        return room.where(columns < lengths, torch.where(columns == lengths, END, PADDING))


def make_learner(name: str) -> Seq2Seq:
    architecture = copy.deepcopy(ARCHITECTURES[name])
    for side in ("encoder", "decoder"):
        architecture[side]["width"] = WIDTH
        if architecture[side]["kind"] == "transformer":
            # One layer, the first, is enough for these tasks, and twice as quick.
            first = {
                name: value[:1] if isinstance(value, list) else value
                for name, value in architecture[side].items()
            }
            architecture[side] = {**first, "layers": 1}
    return make_model(architecture).train()


def share_right(model: Seq2Seq, examples: tuple[Source, Tensor, Tensor]) -> float:
    """Strings whose every symbol is the likeliest: what greedy search would get right."""
    source, read, target = examples
    model.eval()
    with torch.inference_mode():
        right = (model(source, read).argmax(-1) == target) | (target == PADDING)
    model.train()
    return right.all(dim=1).double().mean().item()


def learn(name: str, task: Task, limit: int = LIMIT) -> float:
    """Train until all is right or ``limit`` steps are done; the share right at the end."""
    model = make_learner(name)
    stream = torch.Generator().manual_seed(7)
    examples = task.draw(200, torch.Generator().manual_seed(99))
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), fused=True)
    for step in range(1, limit + 1):
        optimizer.param_groups[0]["lr"] = 0.01 * min(1.0, step / 50)
        source, read, target = task.draw(64, stream)
        logits = model(source, read).flatten(0, 1)
        loss = F.cross_entropy(logits, target.flatten(), ignore_index=PADDING)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 25 == 0 and share_right(model, examples) == 1:
            return 1.0
    return share_right(model, examples)


@pytest.mark.parametrize("name", COPYING)
def test_copies(name):
    assert learn(name, Task(1, 3, reverse=False)) == 1


@pytest.mark.parametrize("name", ["rnn-none", "lstm-none", "gru-none", "transformer-to-lstm-none"])
def test_one_vector_holds_a_short_string(name):
    assert learn(name, Task(1, 3, reverse=False)) == 1


@pytest.mark.parametrize("name", REVERSING)
def test_reverses(name):
    assert learn(name, Task(1, 3, reverse=True)) == 1


def test_without_positions_a_transformer_cannot_reverse():
    # Whether it says "ab" or "ba" for "ba" is a guess, so most strings are wrong.
    assert learn("transformer-none", Task(4, 4, reverse=True), limit=100) < 0.5


def test_one_vector_does_not_hold_a_long_string_where_attention_does():
    task = Task(8, 10, reverse=True)
    attention, one_vector = (learn(name, task, limit=300) for name in ("lstm-dot", "lstm-none"))
    assert attention > 0.85
    assert one_vector < 0.5
