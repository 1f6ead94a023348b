from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from transduce.modules.frontends.picture_convolution import PictureConvolution


def small(*, height: int = 7, channels: int = 2, **options) -> PictureConvolution:
    torch.manual_seed(1)
    given = {"layers": (4, 5), "strides": ((2, 2), (3, 1)), "width": 6, **options}
    frontend = PictureConvolution(height=height, channels=channels, **given).double()
    for block in frontend.blocks:  # biases begin at 0
        torch.nn.init.normal_(block.convolution.bias)
    return frontend


def frames(*widths: int, height: int = 7, channels: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Random pictures with noise where the padding is, and their widths."""
    generator = torch.Generator().manual_seed(2)
    shape = (len(widths), max(widths), channels * height)
    return torch.rand(shape, generator=generator, dtype=torch.float64), torch.tensor(widths)


def convolved(picture: np.ndarray, weight: np.ndarray, stride: tuple[int, int]) -> np.ndarray:
    """3 by 3 with a border of zeros, pixel by pixel: ``[C, Y, X]`` to ``[C', Y', X']``."""
    _, Y, X = picture.shape
    bordered = np.pad(picture, ((0, 0), (1, 1), (1, 1)))
    down, across = stride
    out = np.zeros((len(weight), -(-Y // down), -(-X // across)))
    for y in range(out.shape[1]):
        for x in range(out.shape[2]):
            window = bordered[:, y * down : y * down + 3, x * across : x * across + 3]
            out[:, y, x] = (weight * window).sum(axis=(1, 2, 3))
    return out


def test_layers_are_the_equation_s():
    frontend = small()
    values, lengths = frames(9, 4, 1)
    with torch.no_grad():
        vectors, left = frontend(values, lengths)
    assert left.tolist() == [5, 2, 1]
    for b, length in enumerate(lengths.tolist()):
        picture = values[b, :length].numpy().reshape(length, 2, 7).transpose(1, 2, 0)
        for block, stride in zip(frontend.blocks, ((2, 2), (3, 1)), strict=True):
            weight = block.convolution.weight.detach().numpy().transpose(0, 1, 3, 2)
            picture = convolved(picture, weight, stride)
            bias = block.convolution.bias.detach().numpy()[:, None, None]
            picture = np.maximum(picture + bias, 0)
        assert picture.shape[1:] == (2, left[b])
        weight, bias = (t.detach().numpy() for t in frontend.project.parameters())
        for column in range(int(left[b])):
            expected = weight @ picture[:, :, column].T.reshape(-1) + bias
            np.testing.assert_allclose(vectors[b, column], expected, atol=1e-10)


@given(st.lists(st.integers(1, 17), min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_neighbours_and_padding_do_not_matter(widths):
    frontend = small(strides=((2, 2), (2, 3)))
    values, lengths = frames(*widths)
    with torch.no_grad():
        together, left = frontend(values, lengths)
        for b, width in enumerate(widths):
            alone, count = frontend(values[b : b + 1, :width], lengths[b : b + 1])
            assert alone.shape[1] == int(count) == int(left[b])
            torch.testing.assert_close(together[b, : left[b]], alone[0])


def test_what_is_left_and_right_and_above_and_below_matters():
    frontend = small()
    values, lengths = frames(9)
    with torch.no_grad():
        before = frontend(values, lengths)[0]
        mirrored = frontend(values.flip(1), lengths)[0]
        upside_down = frontend(values.view(1, 9, 2, 7).flip(3).flatten(2), lengths)[0]
    assert not torch.allclose(before, mirrored, atol=1e-3)
    assert not torch.allclose(before, upside_down, atol=1e-3)


def test_gradients_reach_all_weights():
    frontend = small()
    frontend(*frames(5, 3))[0].square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in frontend.parameters())


@pytest.mark.parametrize(("layers", "strides"), [((), ()), ((4, 5), ((2, 2),))])
def test_each_layer_has_its_stride(layers, strides):
    with pytest.raises(ValueError, match="layers and strides must be as many, at least 1; got"):
        small(layers=layers, strides=strides)
