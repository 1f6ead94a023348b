"""Options of what turns a source into vectors, in front of any encoder."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from transduce.config_base import PositiveInt, Section

__all__ = [
    "ConvolutionConfig",
    "EmbeddingConfig",
    "FrontendConfig",
    "LinearConfig",
    "SubsamplingConfig",
]


Strides = Annotated[tuple[PositiveInt, ...], Field(min_length=1)]


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
    kernel: PositiveInt = 3

    @model_validator(mode="after")
    def _odd(self) -> ConvolutionConfig:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel must be odd; got {self.kernel}")
        return self


class SubsamplingConfig(Section):
    """Convolutions over time and frequency, each halving both (Chan et al. 2016's pyramid)."""

    kind: Literal["subsampling"]
    channels: PositiveInt = 32
    layers: PositiveInt = 2  # 2: a fourth as many vectors as frames


FrontendConfig = Annotated[
    EmbeddingConfig | LinearConfig | ConvolutionConfig | SubsamplingConfig,
    Field(discriminator="kind"),
]
