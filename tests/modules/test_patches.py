from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from transduce.modules.frontends.patches import PatchFrontend, as_pictures, grid_positions

CPU = torch.device("cpu")


def frames(*widths: int, height: int, channels: int, seed: int = 1) -> tuple[torch.Tensor, ...]:
    """Random pictures with noise where the padding is, and their widths."""
    generator = torch.Generator().manual_seed(seed)
    shape = (len(widths), max(widths), channels * height)
    return torch.rand(shape, generator=generator, dtype=torch.float64), torch.tensor(widths)


def sinusoid(position: int, dimension: int, width: int) -> float:
    angle = position / 10000 ** (2 * (dimension // 2) / width)
    return math.cos(angle) if dimension % 2 else math.sin(angle)


def test_a_column_is_its_channels_one_after_another():
    columns = torch.arange(12.0).view(1, 2, 6)  # two columns of two channels, three pixels high
    picture = as_pictures(columns, torch.tensor([2]), 2)
    assert picture[0, :, :, 0].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert picture[0, :, :, 1].tolist() == [[6, 7, 8], [9, 10, 11]]


@pytest.mark.parametrize("width", [8, 9])
def test_positions_are_those_of_column_and_row(width):
    half = (width + 1) // 2
    expected = np.zeros((5, 3, width))
    for column in range(5):
        for row in range(3):
            for d in range(half):
                expected[column, row, d] = sinusoid(column, d, half)
            for d in range(width - half):
                expected[column, row, half + d] = sinusoid(row, d, width - half)
    np.testing.assert_allclose(grid_positions(5, 3, width, CPU), expected, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_patches_are_the_equation_s(channels):
    # Dosovitskiy et al. 2021, equation 1, one patch at a time in float64.
    height, down, across, width = 6, 3, 4, 10
    frontend = PatchFrontend(
        height=height, channels=channels, patch_height=down, patch_width=across, width=width
    ).double()
    values, lengths = frames(9, 4, 1, height=height, channels=channels)
    with torch.no_grad():
        vectors, patches = frontend(values, lengths)
    weight = frontend.project.weight.detach().numpy()
    bias = frontend.project.bias.detach().numpy()
    assert patches.tolist() == [3 * 2, 1 * 2, 1 * 2]
    for b, length in enumerate(lengths.tolist()):
        picture = np.zeros((channels, height, 12))
        for x in range(length):
            for c in range(channels):
                picture[c, :, x] = values[b, x, c * height : (c + 1) * height]
        for p in range(int(patches[b])):
            column, row = divmod(p, height // down)
            patch = picture[
                :, row * down : (row + 1) * down, column * across : (column + 1) * across
            ]
            position = [sinusoid(column, d, 5) for d in range(5)]
            position += [sinusoid(row, d, 5) for d in range(5)]
            expected = weight @ patch.reshape(-1) + bias + position
            np.testing.assert_allclose(vectors[b, p], expected, atol=1e-6)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=4), st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_neighbours_and_padding_do_not_matter(widths, across):
    frontend = PatchFrontend(
        height=4, channels=1, patch_height=2, patch_width=across, width=6
    ).double()
    values, lengths = frames(*widths, height=4, channels=1)
    with torch.no_grad():
        together, patches = frontend(values, lengths)
        for b, width in enumerate(widths):
            alone, count = frontend(values[b : b + 1, :width], lengths[b : b + 1])
            assert alone.shape[1] == int(count) == int(patches[b])
            torch.testing.assert_close(together[b, : patches[b]], alone[0])


def test_gradients_reach_the_weights():
    frontend = PatchFrontend(height=4, channels=1, patch_height=2, patch_width=2, width=6)
    values, lengths = frames(5, 3, height=4, channels=1)
    frontend(values.float(), lengths)[0].sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in frontend.parameters())


def test_height_must_hold_whole_patches():
    with pytest.raises(ValueError, match=r"multiple of patch_height \(5\); got 16"):
        PatchFrontend(height=16, channels=1, patch_height=5, patch_width=2, width=6)
