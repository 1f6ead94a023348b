"""The model section of the config: encoders, decoders and what joins them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from transduce.config.base import (
    Bounds,
    Count,
    FilePath,
    Length,
    Name,
    Probability,
    Section,
    Width,
)
from transduce.config.frontend import EmbeddingConfig, FrontendConfig

__all__ = [
    "DecoderConfig",
    "EncoderConfig",
    "ModelConfig",
    "RecurrentDecoderConfig",
    "RecurrentEncoderConfig",
    "SSRUDecoderConfig",
    "TransformerDecoderConfig",
    "TransformerEncoderConfig",
    "TransformerOptions",
]


class RecurrentEncoderConfig(Section):
    """A recurrent encoder. ``width`` is that of its output, both directions together."""

    kind: Literal["rnn", "lstm", "gru"]
    layers: Count = 1
    width: Width = 256
    bidirectional: bool = True
    dropout: Probability = 0.2


class RecurrentDecoderConfig(Section):
    """A recurrent decoder and its attention over the encoder's vectors."""

    kind: Literal["rnn", "lstm", "gru"]
    layers: Count = 1
    width: Width = 256
    attention: Literal["none", "dot", "general", "additive", "cosine", "multihead"] = "general"
    heads: Count = 4  # attention: multihead
    input_feeding: bool = False
    bridge: Literal["zero", "copy", "dense"] = "dense"  # the first state, from the memory's summary
    dropout: Probability = 0.2


class TransformerOptions(Section):
    """What encoder and decoder of a Transformer have in common."""

    kind: Literal["transformer", "ssru"]
    layers: Count = 3
    width: Width = 256
    feedforward: Annotated[int, Bounds(ge=0, le=65_536)] = 1024
    heads: Count = 4
    key_value_heads: Count | None = None  # fewer than heads: grouped-query attention
    head_width: Width | None = None  # none: width / heads
    norm: Literal["layer", "rms"] = "layer"
    norm_epsilon: Annotated[float, Bounds(gt=0, le=1)] = 1e-6
    norm_position: Literal["pre", "post"] = "pre"
    activation: Literal["relu", "gelu", "gelu-tanh", "silu", "swiglu", "geglu"] = "relu"
    positions: Literal["sinusoidal", "fairseq", "learned", "rotary", "relative", "none"] = (
        "sinusoidal"
    )
    max_positions: Length = 1024  # positions: learned
    embedding_norm: bool = False  # a norm before the first layer, as in BART
    bias: bool = True
    dropout: Probability = 0.1
    attention_dropout: Probability = 0.0

    @model_validator(mode="after")
    def _divisible(self) -> TransformerOptions:
        if self.head_width is None and self.width % self.heads:
            raise ValueError(f"width must be a multiple of heads ({self.heads}); got {self.width}")
        if self.key_value_heads and self.heads % self.key_value_heads:
            raise ValueError(
                f"heads must be a multiple of key_value_heads ({self.key_value_heads}); "
                f"got {self.heads}"
            )
        if self.positions == "rotary" and (self.head_width or self.width // self.heads) % 2:
            raise ValueError(
                f"width / heads must be even with rotary positions; got {self.width} / {self.heads}"
            )
        return self


class TransformerEncoderConfig(TransformerOptions):
    """A Transformer encoder (Vaswani et al. 2017)."""

    kind: Literal["transformer"]
    feedforward: Width = 1024


class TransformerDecoderConfig(TransformerOptions):
    """A Transformer decoder (Vaswani et al. 2017)."""

    kind: Literal["transformer"]
    feedforward: Width = 1024


class SSRUDecoderConfig(TransformerOptions):
    """A Transformer decoder with simple recurrent units for self-attention (Kim et al. 2019).

    ``feedforward`` 0: layers have no feed-forward block.
    """

    kind: Literal["ssru"]
    positions: Literal["sinusoidal", "fairseq", "learned", "none"] = "sinusoidal"


EncoderConfig = Annotated[
    RecurrentEncoderConfig | TransformerEncoderConfig, Field(discriminator="kind")
]
DecoderConfig = Annotated[
    RecurrentDecoderConfig | TransformerDecoderConfig | SSRUDecoderConfig,
    Field(discriminator="kind"),
]


class ModelConfig(Section):
    """An encoder, a decoder and what joins them to the vocabulary."""

    preset: Name | None = None
    # a run's directory, or a published model's: its architecture, weights and symbols
    from_: FilePath | None = Field(default=None, alias="from")
    new_symbols: Annotated[
        tuple[Name, ...], Field(max_length=100_000)
    ] = ()  # with from: symbols that its vocabulary gets besides
    frontend: FrontendConfig = EmbeddingConfig()  # others: where the source is no text
    encoder: EncoderConfig = RecurrentEncoderConfig(kind="lstm")
    decoder: DecoderConfig = RecurrentDecoderConfig(kind="lstm")
    embedding_width: Width | None = None  # none: the width of encoder and decoder
    scale_embeddings: bool = True  # multiply them by the root of their width where they are read
    # target: its embedding with the output; embeddings: both of them; all: both and the output
    tie: Literal["none", "target", "embeddings", "all"] = "none"
    copy_source: bool = Field(default=False, alias="copy")  # pointer-generator (See et al. 2017)
    ctc: bool = False  # a second output, on the encoder (Graves et al. 2006)

    model_config = ConfigDict(populate_by_name=True)
