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
    "BesideConfig",
    "DecoderConfig",
    "EncoderConfig",
    "LinearRecurrentOptions",
    "MambaEncoderConfig",
    "MinGRUEncoderConfig",
    "ModelConfig",
    "RecurrentDecoderConfig",
    "RecurrentEncoderConfig",
    "SSRUDecoderConfig",
    "TransformerDecoderConfig",
    "TransformerEncoderConfig",
    "TransformerOptions",
    "each_layer",
]

_MOST_LAYERS = 1024
_Widths = Annotated[tuple[Width, ...], Field(min_length=1, max_length=_MOST_LAYERS)]
_FromNone = Annotated[int, Bounds(ge=0, le=65_536)]
_WidthsFromNone = Annotated[tuple[_FromNone, ...], Field(min_length=1, max_length=_MOST_LAYERS)]
_Counts = Annotated[tuple[Count, ...], Field(min_length=1, max_length=_MOST_LAYERS)]
Activation = Literal["relu", "gelu", "gelu-tanh", "silu", "swiglu", "geglu"]
_ONE_OR_EACH = "a whole number of at least 1, or a list of such, one a layer"


def each_layer(value: int | tuple[int, ...], layers: int) -> tuple[int, ...]:
    """An option that is one number for all layers, or a list, as one number for each."""
    return value if isinstance(value, tuple) else (value,) * layers


def each_of_layers(name: str, value: int | tuple[int, ...], layers: int) -> tuple[int, ...]:
    """Likewise. Raises ValueError where the list has another length."""
    values = each_layer(value, layers)
    if len(values) != layers:
        raise ValueError(
            f"{name} must have a number for each of the {layers} layers, or be one "
            f"number for all; got {len(values)}"
        )
    return values


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

    kind: Literal["transformer", "ssru", "mingru"]
    layers: Count = 3
    width: Width = 256
    feedforward: _FromNone | _WidthsFromNone = Field(default=1024, description=_ONE_OR_EACH)
    heads: Count | _Counts = Field(default=4, description=_ONE_OR_EACH)
    # fewer than heads: grouped-query attention
    key_value_heads: Count | _Counts | None = Field(
        default=None, description=f"{_ONE_OR_EACH}, or none"
    )
    head_width: Width | None = None  # none: width / heads
    norm: Literal["layer", "rms"] = "layer"
    norm_epsilon: Annotated[float, Bounds(gt=0, le=1)] = 1e-6
    norm_position: Literal["pre", "post"] = "pre"
    activation: Activation = "relu"
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
        heads = self._one_each("heads")
        self._one_each("feedforward")
        if self.head_width is None and isinstance(self.heads, tuple):
            raise ValueError("head_width must be given where heads is a list; got none")
        if self.head_width is None and self.width % heads[0]:
            raise ValueError(f"width must be a multiple of heads ({heads[0]}); got {self.width}")
        for own, pairs in zip(heads, self._one_each("key_value_heads"), strict=False):
            if own % pairs:
                raise ValueError(
                    f"heads must be a multiple of key_value_heads ({pairs}); got {own}"
                )
        if self.positions == "rotary" and (self.head_width or self.width // heads[0]) % 2:
            raise ValueError(
                f"width / heads must be even with rotary positions; got {self.width} / {heads[0]}"
            )
        if self.positions == "relative" and len({*heads}) > 1:
            raise ValueError(
                "heads must be as many in all layers with relative positions, which all share; "
                f"got {min(heads)} to {max(heads)}"
            )
        return self

    def _one_each(self, name: str) -> tuple[int, ...]:
        """An option for each layer, () where it is none."""
        value = getattr(self, name)
        if value is None:
            return ()
        return each_of_layers(name, value, self.layers)

    @property
    def head_size(self) -> int:
        """Numbers of a vector of one head."""
        return self.head_width or self.width // each_layer(self.heads, 1)[0]


class TransformerEncoderConfig(TransformerOptions):
    """A Transformer encoder (Vaswani et al. 2017)."""

    kind: Literal["transformer"]
    feedforward: Width | _Widths = Field(default=1024, description=_ONE_OR_EACH)
    # linear: by sums over all positions, whose cost grows with the length alone
    attention: Literal["softmax", "linear"] = "softmax"
    window: Length | None = None  # positions on either side that each sees; none: all
    # with a window: each position also sees a summary of each block of so many positions
    global_block: Annotated[int, Bounds(ge=2, le=65_536)] | None = None

    @model_validator(mode="after")
    def _is_linear(self) -> TransformerEncoderConfig:
        if self.attention == "softmax":
            return self
        if self.window is not None:
            raise ValueError(f"window must be none with attention: linear; got {self.window}")
        if self.positions in ("rotary", "relative"):
            raise ValueError(
                "positions must not be rotary or relative with attention: linear, which compares "
                f"no position with another; got {self.positions}"
            )
        if self.attention_dropout:
            raise ValueError(
                "attention_dropout must be 0 with attention: linear, which has no weights; "
                f"got {self.attention_dropout}"
            )
        return self

    @model_validator(mode="after")
    def _sees_blocks(self) -> TransformerEncoderConfig:
        if self.global_block is None:
            return self
        if self.window is None:
            raise ValueError(f"global_block must be none without a window; got {self.global_block}")
        if self.positions == "rotary":
            raise ValueError(
                "positions must not be rotary with global_block, whose summaries stand nowhere; "
                "got rotary"
            )
        return self


class TransformerDecoderConfig(TransformerOptions):
    """A Transformer decoder (Vaswani et al. 2017)."""

    kind: Literal["transformer"]
    feedforward: Width | _Widths = Field(default=1024, description=_ONE_OR_EACH)
    # of the attention over the memory; none: as many as heads
    memory_heads: Count | _Counts | None = Field(
        default=None, description=f"{_ONE_OR_EACH}, or none"
    )

    @model_validator(mode="after")
    def _memory_agrees(self) -> TransformerDecoderConfig:
        own = self._one_each("memory_heads")
        if isinstance(self.memory_heads, tuple) and self.head_width is None:
            raise ValueError("head_width must be given where memory_heads is a list; got none")
        heads = each_layer(self.heads, self.layers)
        for count, all_heads, pairs in zip(
            own, heads, self._one_each("key_value_heads"), strict=False
        ):
            if count % (all_heads // pairs):
                raise ValueError(
                    f"memory_heads must be a multiple of heads / key_value_heads; got {count} "
                    f"and {all_heads} / {pairs}"
                )
        return self


class LinearRecurrentOptions(Section):
    """What encoders of linear recurrences have in common."""

    kind: Literal["mingru", "mamba"]
    layers: Count = 3
    width: Width = 256
    feedforward: _FromNone | _WidthsFromNone = Field(default=1024, description=_ONE_OR_EACH)
    norm: Literal["layer", "rms"] = "layer"
    norm_epsilon: Annotated[float, Bounds(gt=0, le=1)] = 1e-6
    norm_position: Literal["pre", "post"] = "pre"
    activation: Activation = "relu"
    bias: bool = True
    dropout: Probability = 0.1

    @model_validator(mode="after")
    def _agree(self) -> LinearRecurrentOptions:
        if self.width % 2:
            raise ValueError(f"width must be even, half for each direction; got {self.width}")
        each_of_layers("feedforward", self.feedforward, self.layers)
        return self


class MinGRUEncoderConfig(LinearRecurrentOptions):
    """A Transformer encoder with minimal gated units for self-attention (Feng et al. 2024)."""

    kind: Literal["mingru"]
    feedforward: Width | _Widths = Field(default=1024, description=_ONE_OR_EACH)


class MambaEncoderConfig(LinearRecurrentOptions):
    """A Transformer encoder with selective state spaces for self-attention (Gu and Dao 2023).

    ``feedforward`` 0: layers have no feed-forward block, as in the paper.
    """

    kind: Literal["mamba"]
    feedforward: _FromNone | _WidthsFromNone = Field(
        default=1024, description="a whole number of at least 0, or a list of such, one a layer"
    )
    expand: Annotated[int, Bounds(ge=1, le=16)] = 2  # channels, in widths
    state_width: Annotated[int, Bounds(ge=1, le=1024)] = 16  # numbers that a channel remembers


class SSRUDecoderConfig(TransformerOptions):
    """A Transformer decoder with simple recurrent units for self-attention (Kim et al. 2019).

    ``mingru`` are minimal gated units (Feng et al. 2024). ``feedforward`` 0: layers have no
    feed-forward block. ``heads`` are those over the memory.
    """

    kind: Literal["ssru", "mingru"]
    feedforward: _FromNone | _WidthsFromNone = Field(
        default=1024, description="a whole number of at least 0, or a list of such, one a layer"
    )
    positions: Literal["sinusoidal", "fairseq", "learned", "none"] = "sinusoidal"


EncoderConfig = Annotated[
    RecurrentEncoderConfig | TransformerEncoderConfig | MinGRUEncoderConfig | MambaEncoderConfig,
    Field(discriminator="kind"),
]
DecoderConfig = Annotated[
    RecurrentDecoderConfig | TransformerDecoderConfig | SSRUDecoderConfig,
    Field(discriminator="kind"),
]


class BesideConfig(Section):
    """What reads the second of two inputs, side by side with what reads the first."""

    frontend: FrontendConfig = EmbeddingConfig()
    encoder: EncoderConfig = RecurrentEncoderConfig(kind="lstm")


class ModelConfig(Section):
    """An encoder, a decoder and what joins them to the vocabulary."""

    preset: Name | None = None
    # a run's directory, or a published model's: its architecture, weights and symbols
    from_: FilePath | None = Field(default=None, alias="from")
    new_symbols: Annotated[
        tuple[Name, ...], Field(max_length=100_000)
    ] = ()  # with from: symbols that its vocabulary gets besides
    # a run's directory: its encoder, source embedding and source tokenizer, the rest is new
    encoder_from: FilePath | None = None
    frontend: FrontendConfig = EmbeddingConfig()  # others: where the source is no text
    encoder: EncoderConfig = RecurrentEncoderConfig(kind="lstm")
    beside: BesideConfig | None = None  # with data.beside: what reads that
    decoder: DecoderConfig = RecurrentDecoderConfig(kind="lstm")
    embedding_width: Width | None = None  # none: the width of encoder and decoder
    scale_embeddings: bool = True  # multiply them by the root of their width where they are read
    # target: its embedding with the output; embeddings: both of them; all: both and the output
    tie: Literal["none", "target", "embeddings", "all"] = "none"
    copy_source: bool = Field(default=False, alias="copy")  # pointer-generator (See et al. 2017)
    ctc: bool = False  # a second output, on the encoder (Graves et al. 2006)
    # of each vector of the encoder: more where an output may have more symbols than its source
    ctc_positions: Annotated[int, Bounds(ge=1, le=8)] = 1

    model_config = ConfigDict(populate_by_name=True)

    @model_validator(mode="after")
    def _check_ctc(self) -> ModelConfig:
        if self.ctc_positions > 1 and not self.ctc:
            raise ValueError(f"ctc_positions must be 1 without ctc; got {self.ctc_positions}")
        return self

    @property
    def of_beside(self) -> ModelConfig:
        """The options of what reads the second input, as if it were the only one."""
        own = self.beside or BesideConfig()
        return self.model_copy(
            update={"frontend": own.frontend, "encoder": own.encoder, "beside": None}
        )

    @property
    def begins_with_another(self) -> bool:
        """Whether a trained model settles some of it: ``from`` or ``encoder_from``."""
        return self.from_ is not None or self.encoder_from is not None
