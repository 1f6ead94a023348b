from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from transduce.modules.attention_scores import (
    AdditiveScore,
    CosineScore,
    DotScore,
    GeneralScore,
    MultiHead,
    make_attention,
)

KINDS = ["dot", "general", "additive", "cosine", "multihead"]
B, Q, S, D, M = 2, 3, 4, 6, 5


def numpy_of(parameter: Tensor) -> np.ndarray:
    return parameter.detach().numpy()


def scored(score: torch.nn.Module, queries: Tensor, memory: Tensor) -> np.ndarray:
    return numpy_of(score(queries, score.keys(memory)))


def each_pair(queries: Tensor, memory: Tensor, one) -> np.ndarray:
    return np.array(
        [
            [[one(h, m) for m in memory_row.numpy()] for h in query_row.numpy()]
            for query_row, memory_row in zip(queries, memory, strict=True)
        ]
    )


def softmax(x: np.ndarray) -> np.ndarray:
    exponentials = np.exp(x - x.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


@pytest.fixture
def queries() -> Tensor:
    return torch.randn(B, Q, D).double()


@pytest.fixture
def memory() -> Tensor:
    return torch.randn(B, S, M).double()


def test_dot(queries: Tensor) -> None:
    memory = torch.randn(B, S, D).double()
    score = DotScore(D, D).double()
    expected = each_pair(queries, memory, lambda h, m: h @ m)
    np.testing.assert_allclose(scored(score, queries, memory), expected, atol=1e-12)
    assert not list(score.parameters())


def test_dot_of_other_widths_projects_the_memory(queries: Tensor, memory: Tensor) -> None:
    score = DotScore(D, M).double()
    W = numpy_of(score.project.weight)
    expected = each_pair(queries, memory, lambda h, m: h @ (W @ m))
    np.testing.assert_allclose(scored(score, queries, memory), expected, atol=1e-12)


def test_general(queries: Tensor, memory: Tensor) -> None:
    score = GeneralScore(D, M).double()
    W = numpy_of(score.project.weight)
    assert W.shape == (D, M)
    expected = each_pair(queries, memory, lambda h, m: h @ W @ m)
    np.testing.assert_allclose(scored(score, queries, memory), expected, atol=1e-12)


def test_additive(queries: Tensor, memory: Tensor) -> None:
    score = AdditiveScore(D, M).double()
    torch.nn.init.normal_(score.query.bias)
    W, b = numpy_of(score.query.weight), numpy_of(score.query.bias)
    U, v = numpy_of(score.key.weight), numpy_of(score.vector)
    expected = each_pair(queries, memory, lambda h, m: v @ np.tanh(W @ h + U @ m + b))
    np.testing.assert_allclose(scored(score, queries, memory), expected, atol=1e-12)


@pytest.mark.parametrize("width", [D, M])
def test_cosine(queries: Tensor, width: int) -> None:
    memory = torch.randn(B, S, width).double()
    score = CosineScore(D, width).double()
    assert score.log_sharpness.exp().item() == pytest.approx(10)
    torch.nn.init.constant_(score.log_sharpness, 0.7)
    W = np.eye(D) if width == D else numpy_of(score.project.weight)

    def one(h: np.ndarray, m: np.ndarray) -> float:
        return np.exp(0.7) * (h @ W @ m) / np.linalg.norm(h) / np.linalg.norm(W @ m)

    expected = each_pair(queries, memory, one)
    np.testing.assert_allclose(scored(score, queries, memory), expected, atol=1e-12)


def test_cosine_of_nothing_is_zero() -> None:
    score = CosineScore(D, D)
    keys = score.keys(torch.zeros(1, S, D))
    assert torch.equal(score(torch.zeros(1, Q, D), keys), torch.zeros(1, Q, S))


def test_multihead(queries: Tensor, memory: Tensor) -> None:
    attention = MultiHead(D, M, heads=2).double()
    mask = torch.ones(B, S, dtype=torch.bool)
    contexts, weights = attention(queries, attention.prepare(memory), memory, mask)
    inner = attention.heads
    WQ, WK, WV, WO = (
        numpy_of(linear.weight) for linear in (inner.query, inner.key, inner.value, inner.output)
    )
    for row in range(B):
        q, k, v = (
            queries[row].numpy() @ WQ.T,
            memory[row].numpy() @ WK.T,
            memory[row].numpy() @ WV.T,
        )
        heads, means = [], []
        for columns in (slice(0, 3), slice(3, 6)):
            a = softmax(q[:, columns] @ k[:, columns].T / np.sqrt(3))
            heads.append(a @ v[:, columns])
            means.append(a)
        np.testing.assert_allclose(
            numpy_of(contexts[row]), np.concatenate(heads, 1) @ WO.T, atol=1e-12
        )
        np.testing.assert_allclose(numpy_of(weights[row]), np.mean(means, 0), atol=1e-12)


@pytest.mark.parametrize("kind", ["dot", "general", "additive", "cosine"])
def test_context_is_the_weighted_memory(kind: str, queries: Tensor, memory: Tensor) -> None:
    attention = make_attention(kind, query_width=D, memory_width=M, heads=1).double()
    prepared = attention.prepare(memory)
    mask = torch.tensor([[True] * S, [True, True, False, False]])
    contexts, weights = attention(queries, prepared, memory, mask)
    scores = numpy_of(attention.score(queries, prepared["keys"]))
    for row, real in ((0, S), (1, 2)):
        expected = softmax(scores[row, :, :real])
        np.testing.assert_allclose(numpy_of(weights[row, :, :real]), expected, atol=1e-12)
        np.testing.assert_allclose(
            numpy_of(contexts[row]), expected @ memory[row, :real].numpy(), atol=1e-12
        )
    assert attention.width == M


@pytest.mark.parametrize("kind", KINDS)
def test_padding_gets_no_weight_and_changes_nothing(kind: str) -> None:
    attention = make_attention(kind, query_width=D, memory_width=M, heads=2)
    queries, memory = torch.randn(1, Q, D), torch.randn(1, S, M)
    padded = torch.cat([memory, 100 * torch.randn(1, 3, M)], dim=1)
    mask = torch.arange(S + 3)[None] < S
    alone, alone_weights = attention(queries, attention.prepare(memory), memory, mask[:, :S])
    contexts, weights = attention(queries, attention.prepare(padded), padded, mask)
    torch.testing.assert_close(contexts, alone, rtol=0, atol=1e-5)
    torch.testing.assert_close(weights[:, :, :S], alone_weights, rtol=0, atol=1e-5)
    assert torch.equal(weights[:, :, S:], torch.zeros(1, Q, 3))
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, Q))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_right(kind: str) -> None:
    attention = make_attention(kind, query_width=4, memory_width=3, heads=2).double()
    mask = torch.tensor([[True, True, True], [True, True, False]])
    inputs = (torch.randn(2, 2, 4).double(), torch.randn(2, 3, 3).double())

    def run(queries: Tensor, memory: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
        return attention(queries, attention.prepare(memory), memory, mask)

    everything = (*inputs, *attention.parameters())
    assert torch.autograd.gradcheck(run, tuple(value.requires_grad_() for value in everything))


@pytest.mark.parametrize("kind", KINDS)
def test_runs_in_bfloat16(kind: str) -> None:
    attention = make_attention(kind, query_width=D, memory_width=D, heads=2)
    queries, memory = torch.randn(B, Q, D), torch.randn(B, S, D)
    mask = torch.ones(B, S, dtype=torch.bool)
    exact, _ = attention(queries, attention.prepare(memory), memory, mask)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough, _ = attention(queries, attention.prepare(memory), memory, mask)
    torch.testing.assert_close(rough.float(), exact, rtol=0.05, atol=0.05)
