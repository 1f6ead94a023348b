"""Options of what turns a source into vectors, in front of any encoder."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from transduce.config.base import Bounds, Section, Width

__all__ = [
    "ConvolutionConfig",
    "EmbeddingConfig",
    "FrontendConfig",
    "LinearConfig",
    "PatchesConfig",
    "PictureConvolutionConfig",
    "SubsamplingConfig",
]


Stride = Annotated[int, Bounds(ge=1, le=64)]
Strides = Annotated[tuple[Stride, ...], Field(min_length=1, max_length=16)]
Channels = Annotated[tuple[Width, ...], Field(min_length=1, max_length=16)]
Pixels = Annotated[int, Bounds(ge=1, le=4096)]


class EmbeddingConfig(Section):
    """One vector a token; ``model.embedding_width`` says how wide."""

    kind: Literal["embedding"] = "embedding"


class LinearConfig(Section):
    """One affine map for each frame."""

    kind: Literal["linear"]


class ConvolutionConfig(Section):
    """Convolutions over time with GELU, as in Whisper (Radford et al. 2022), one a stride."""

    kind: Literal["convolution"]
    strides: Strides = (1, 2)
    kernel: Annotated[int, Bounds(ge=1, le=1023)] = 3

    @model_validator(mode="after")
    def _odd(self) -> ConvolutionConfig:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel must be odd; got {self.kernel}")
        return self


class SubsamplingConfig(Section):
    """Convolutions over time and frequency, each halving both (Chan et al. 2016's pyramid)."""

    kind: Literal["subsampling"]
    channels: Width = 32
    layers: Annotated[int, Bounds(ge=1, le=16)] = 2  # 2: a fourth as many vectors as frames


class PatchesConfig(Section):
    """Patches of a picture, column by column, with positions in two dimensions."""

    kind: Literal["patches"]
    patch_height: Pixels = 8  # in pixels; the picture's height is a multiple
    patch_width: Pixels = 8


class PictureConvolutionConfig(Section):
    """Convolutions of 3 by 3 over a picture, one a stride; each column left is one vector."""

    kind: Literal["convolution2d"]
    channels: Channels = (32, 64, 96)
    strides: Annotated[tuple[tuple[Stride, Stride], ...], Field(min_length=1, max_length=16)] = (
        Field(default=((2, 2), (2, 2), (2, 1)), description="a list of [down, across]")
    )

    @model_validator(mode="after")
    def _agree(self) -> PictureConvolutionConfig:
        if len(self.channels) != len(self.strides):
            raise ValueError(
                f"strides must be as many as channels ({len(self.channels)}); "
                f"got {len(self.strides)}"
            )
        return self


FrontendConfig = Annotated[
    EmbeddingConfig
    | LinearConfig
    | ConvolutionConfig
    | SubsamplingConfig
    | PatchesConfig
    | PictureConvolutionConfig,
    Field(discriminator="kind"),
]
