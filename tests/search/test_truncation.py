"""What is cut off before a draw, and a beam that is drawn."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
import torch

from transduce.config import SearchConfig
from transduce.interfaces import END
from transduce.search.choosing.open_hypotheses import Live
from transduce.search.choosing.sampled_beam import SampledBeamChooser
from transduce.search.choosing.truncation import warped

CUTS: list[dict[str, Any]] = [
    {"min_p": 0.2},
    {"typical_p": 0.4},
    {"typical_p": 0.9},
    {"epsilon_cutoff": 0.05},
    {"eta_cutoff": 0.3},
    {"top_k": 4, "temperature": 0.6},
    {"top_p": 0.7},
    {"top_k": 9, "top_p": 0.8, "min_p": 0.1, "typical_p": 0.8, "epsilon_cutoff": 0.02},
]


@pytest.mark.parametrize("options", CUTS, ids=lambda options: " ".join(options))
def test_what_is_cut_is_what_transformers_cuts(options: dict[str, Any]) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = {
        "temperature": "TemperatureLogitsWarper", "top_k": "TopKLogitsWarper",
        "top_p": "TopPLogitsWarper", "min_p": "MinPLogitsWarper",
        "typical_p": "TypicalLogitsWarper", "epsilon_cutoff": "EpsilonLogitsWarper",
        "eta_cutoff": "EtaLogitsWarper",
    }  # fmt: skip
    generator = torch.Generator().manual_seed(1)
    scores = (torch.randn(200, 30, generator=generator) * 2).log_softmax(1)
    expected = scores
    for name, warper in theirs.items():
        if name in options:
            expected = getattr(transformers, warper)(options[name])(None, expected)
    found = warped(scores, SearchConfig(sample=True, **options))
    assert torch.equal(found.isinf(), expected.isinf())
    kept = ~found.isinf()
    torch.testing.assert_close(found[kept], expected[kept])
    assert kept.any(1).all()
    assert not kept.all()


def test_a_beam_is_drawn_without_replacement() -> None:
    """Which of five continuations is not among the four drawn: by definition, over all orders."""
    shares = [0.4, 0.3, 0.15, 0.1, 0.05]
    sentences, size = 20_000, END + 1 + len(shares)
    scores = torch.full((sentences, 2, size), -torch.inf)
    # the second hypothesis of each beam is none: draws are of continuations of the first
    scores[:, 0, END + 1 :] = torch.tensor(shares).log()
    live = Live(0, torch.tensor([[0.0, -torch.inf]]).repeat(sentences, 1), None)
    options, names = SearchConfig(sample=True, sample_beam=2, nbest=2), torch.arange(sentences)
    chooser = SampledBeamChooser(options, names, (END,))
    drawn = chooser._drawn(scores.flatten(1), 0, names) - END - 1  # [B, 2 · 2]
    assert drawn.shape == (sentences, 4)
    left_out = sum(range(len(shares))) - drawn.sum(1)
    for token in range(len(shares)):
        expected = 0.0
        for order in permutations([n for n in range(len(shares)) if n != token]):
            chance, left = 1.0, 1.0
            for one in order:
                chance *= shares[one] / left
                left -= shares[one]
            expected += chance
        assert float((left_out == token).double().mean()) == pytest.approx(expected, abs=0.012)
    choice = chooser(scores, live, names)
    # the two likeliest of the drawn ones go on
    assert bool((choice.scores[:, 0] > choice.scores[:, 1]).all())
    assert torch.equal(choice.tokens, drawn.sort(1).values[:, :2] + END + 1)
    assert torch.equal(chooser(scores, live, names).tokens, choice.tokens)
