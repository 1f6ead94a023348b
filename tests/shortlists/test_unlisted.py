"""What is learnt of the tokens in no list, against least squares in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from architectures import ARCHITECTURES, SYMBOLS, make_model
from transduce.interfaces import BEGIN, END, PADDING, Source
from transduce.models.seq2seq import Seq2Seq
from transduce.search import Shortlist
from transduce.shortlists.choosing import Heard
from transduce.shortlists.unlisted import learn_unlisted

NOTHING = np.zeros(SYMBOLS + 1, dtype=np.int64)
SEEN = [
    Heard([5, 6, END], [4, 7]),
    Heard([8, END], []),
    Heard([9, 10, 11, END], [12, 13, 5, 6]),
    Heard([4, END], [8]),
]


def model_of(name: str) -> Seq2Seq:
    torch.manual_seed(3)
    model = make_model(ARCHITECTURES[name]).eval()
    with torch.no_grad():
        model.output.weight.normal_(0, 1.0)
        model.output.bias.normal_(0, 1.0)
    return model


def read(model: Seq2Seq, one: Heard) -> np.ndarray:
    """What the output layer reads at each step, float64 ``[T, D]``, a sentence at a time."""
    held: list[torch.Tensor] = []
    hook = model.output.register_forward_pre_hook(lambda _, given: held.append(given[0]))
    with torch.no_grad():
        tokens = torch.tensor([[BEGIN, *one.output]])
        model.step(tokens, model.start(Source.of_tokens([one.source[:-1]])))
        found = model.output.projected(held[0])[0]
    hook.remove()
    return found.double().numpy()


@pytest.mark.parametrize("together", [1 << 24, 1])
@pytest.mark.parametrize("name", ["transformer-learned", "lstm-copy", "gru-general"])
def test_least_squares(name: str, together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transduce.shortlists.unlisted._LOGITS", together)
    model = model_of(name)
    always = np.array([4, 7, 9])
    found = learn_unlisted(model, Shortlist(NOTHING, always[:0], always, SYMBOLS), SEEN)
    assert found is not None
    vectors = np.concatenate([read(model, one) for one in SEEN])
    weight = model.output.weight.detach().double().numpy()
    logits = vectors @ weight.T + model.output.bias.detach().double().numpy()
    others = [v for v in range(SYMBOLS) if v == PADDING or (v > END and v not in always)]
    z = np.log(np.exp(logits[:, others]).sum(1))
    # min |X w + b - z|² + λ |w|²: the bias goes out with the means.
    centred = vectors - vectors.mean(0)
    ridge = 1e-4 * len(z) * centred.var(0).mean() * np.eye(vectors.shape[1])
    own = np.linalg.solve(centred.T @ centred + ridge, centred.T @ (z - z.mean()))
    assert found[:-1] == pytest.approx(own, abs=1e-3)
    assert found[-1] == pytest.approx(z.mean() - vectors.mean(0) @ own, abs=1e-3)


def test_of_a_list_of_all_tokens_it_is_the_logit_of_padding() -> None:
    model = model_of("transformer-learned")
    seen = [Heard([a, b, END], [b, a, b]) for a in range(4, SYMBOLS) for b in range(4, SYMBOLS)]
    every = np.arange(SYMBOLS)
    found = learn_unlisted(model, Shortlist(NOTHING, every[:0], every, SYMBOLS), seen)
    assert found is not None
    vectors = np.concatenate([read(model, one) for one in seen[:5]])
    weight, bias = (t.detach().double().numpy() for t in (model.output.weight, model.output.bias))
    expected = vectors @ weight[PADDING] + bias[PADDING]
    assert vectors @ found[:-1] + found[-1] == pytest.approx(expected, abs=0.02)


def test_of_nothing_nothing_is_learnt() -> None:
    every = np.arange(SYMBOLS)
    shortlist = Shortlist(NOTHING, every[:0], every, SYMBOLS)
    assert learn_unlisted(model_of("gru-general"), shortlist, []) is None
