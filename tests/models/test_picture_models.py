"""What is refused when a model for pictures is built."""

from __future__ import annotations

import pytest
import torch

from architectures import _recurrent
from transduce.config import Config, ModelConfig
from transduce.errors import ConfigError
from transduce.interfaces import Source
from transduce.models.build import build_model


def recipe(**frontend) -> dict:
    return {**_recurrent("gru"), "frontend": frontend}


def test_patches_must_fit_the_height():
    config = ModelConfig.model_validate(recipe(kind="patches", patch_height=5))
    with pytest.raises(
        ConfigError, match=r"patch_height must divide the pictures' height \(16\); got 5"
    ):
        build_model(config, 16, 10)


def test_each_convolution_has_its_stride():
    with pytest.raises(
        ConfigError, match=r"model\.frontend.*strides must be as many as channels \(3\); got 1"
    ):
        Config.from_mapping({"model": recipe(kind="convolution2d", strides=[[2, 2]])})


@pytest.mark.parametrize("kind", ["patches", "convolution2d"])
def test_coloured_pictures_are_read_channel_by_channel(kind):
    """A column of 3 x 8 numbers is 8 pixels high, not 24."""
    config = ModelConfig.model_validate(recipe(kind=kind))
    model = build_model(config, 24, 10, picture_channels=(3,)).eval()
    memory = model.start(Source(torch.rand(2, 9, 24), torch.tensor([9, 3]))).memory
    assert memory.mask.sum(dim=1).tolist() == ([2, 1] if kind == "patches" else [3, 1])
