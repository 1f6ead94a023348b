from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from transduce.errors import ModelError
from transduce.modules.positions import (
    LearnedPositions,
    RelativeBias,
    SinusoidalPositions,
    fairseq_table,
    relative_buckets,
    rotary_table,
    rotate,
    sinusoidal_table,
)

CPU = torch.device("cpu")


@pytest.mark.parametrize("width", [8, 7])
def test_sinusoids_are_the_paper_s(width):
    # Vaswani et al. 2017, section 3.5, one number at a time.
    expected = np.zeros((100, width))
    for position in range(100):
        for dimension in range(width):
            angle = position / 10000 ** (2 * (dimension // 2) / width)
            expected[position, dimension] = math.cos(angle) if dimension % 2 else math.sin(angle)
    np.testing.assert_allclose(sinusoidal_table(100, width, CPU)[:100], expected, atol=1e-7)


@pytest.mark.parametrize("width", [8, 10])
def test_fairseq_table_counts_from_two_and_holds_sines_before_cosines(width):
    half = width // 2
    expected = np.empty((50, width))
    for position in range(50):
        for i in range(half):
            angle = (position + 2) / 10_000 ** (i / (half - 1))
            expected[position, i] = np.sin(angle)
            expected[position, half + i] = np.cos(angle)
    np.testing.assert_allclose(fairseq_table(50, width, CPU)[:50], expected, atol=1e-7)


@pytest.mark.parametrize(
    "module", [SinusoidalPositions(), SinusoidalPositions(fairseq_table), LearnedPositions(300, 6)]
)
def test_added_positions_start_anywhere(module):
    vectors = torch.randn(2, 290, 6)
    whole = module(vectors)
    assert not torch.allclose(whole, vectors)
    torch.testing.assert_close(module(vectors[:, 130:200], 130), whole[:, 130:200])


def test_learned_positions_end():
    positions = LearnedPositions(5, 4)
    assert positions(torch.zeros(1, 1, 4), 4).shape == (1, 1, 4)
    with pytest.raises(ModelError, match=r"at most 5 tokens long \(max_positions .*got 6"):
        positions(torch.zeros(1, 2, 4), 4)


def rotated(vector: np.ndarray, position: int) -> np.ndarray:
    """Su et al. 2021, eq. 15: the block-diagonal matrix, its pairs being neighbours."""
    d = len(vector)
    matrix = np.zeros((d, d))
    for i in range(d // 2):
        angle = position * 10000 ** (-2 * i / d)
        matrix[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [
            [math.cos(angle), -math.sin(angle)],
            [math.sin(angle), math.cos(angle)],
        ]
    return matrix @ vector


def test_rotary_is_the_paper_s_with_dimensions_in_another_order():
    d = 6
    vectors = np.random.default_rng(0).normal(size=(2, 3, 4, d))
    ours = rotate(torch.from_numpy(vectors), start=70).numpy()
    # Dimension i of ours is the paper's 2i, dimension i + d/2 its 2i + 1.
    order = [0, 2, 4, 1, 3, 5]
    for index in np.ndindex(2, 3, 4):
        theirs = np.empty(d)
        theirs[order] = vectors[index]
        expected = rotated(theirs, 70 + index[2])[order]
        np.testing.assert_allclose(ours[index], expected, atol=1e-6)


def test_rotary_products_know_distance_only():
    torch.manual_seed(0)
    query, key = torch.randn(1, 1, 1, 8), torch.randn(1, 1, 1, 8)

    def score(i: int, j: int) -> float:
        return float((rotate(query, i) * rotate(key, j)).sum())

    assert score(3, 1) == pytest.approx(score(103, 101), abs=1e-4)
    assert score(3, 1) != pytest.approx(score(3, 2), abs=1e-2)


def test_tables_made_in_inference_mode_serve_training():
    # 1,000 positions: a size that no other test has asked for.
    with torch.inference_mode():
        sinusoidal_table(1000, 10, CPU)
        rotary_table(1000, 10, CPU)
    vectors = torch.randn(1, 1, 1000, 10, requires_grad=True)
    rotate(vectors).square().sum().backward()
    assert vectors.grad is not None
    assert not sinusoidal_table(1000, 10, CPU).is_inference()


def bucket(distance: int, buckets: int, longest: int, bidirectional: bool) -> int:
    """Raffel et al. 2020, section 2.1 and appendix, for one distance (key minus query)."""
    first = 0
    if bidirectional:
        buckets //= 2
        first = buckets if distance > 0 else 0
        length = abs(distance)
    else:
        length = max(-distance, 0)
    single = buckets // 2
    if length < single:
        return first + length
    share = math.log(length / single) / math.log(longest / single)
    return first + min(single + int(share * (buckets - single)), buckets - 1)


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("buckets", "longest"), [(32, 128), (8, 20)])
def test_relative_buckets_are_the_paper_s(bidirectional, buckets, longest):
    distances = torch.arange(-200, 201)
    ours = relative_buckets(
        distances, buckets=buckets, max_distance=longest, bidirectional=bidirectional
    )
    expected = [bucket(int(d), buckets, longest, bidirectional) for d in distances]
    assert ours.tolist() == expected
    assert int(ours.min()) == 0
    assert int(ours.max()) == buckets - 1


def test_relative_bias_looks_its_numbers_up():
    bias = RelativeBias(3, bidirectional=True, buckets=8, max_distance=20)
    given = bias(2, 9, start=5)
    assert given.shape == (3, 2, 9)
    for head in range(3):
        for query in range(2):
            for key in range(9):
                expected = bias.weight[bucket(key - (5 + query), 8, 20, True), head]
                assert given[head, query, key] == expected


def test_relative_bias_of_a_step_is_a_row_of_the_whole():
    bias = RelativeBias(2, bidirectional=False)
    torch.testing.assert_close(bias(1, 7, start=6), bias(9, 9)[:, 6:7, :7])
