"""From a config and the vocabulary's sizes to a model: one ``case`` an architecture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from transduce.config import (
    DecoderConfig,
    EncoderConfig,
    LinearRecurrentOptions,
    MambaEncoderConfig,
    MinGRUEncoderConfig,
    ModelConfig,
    RecurrentDecoderConfig,
    RecurrentEncoderConfig,
    SSRUDecoderConfig,
    TransformerDecoderConfig,
    TransformerEncoderConfig,
    TransformerOptions,
)
from transduce.config.frontend import (
    ConvolutionConfig,
    EmbeddingConfig,
    LinearConfig,
    PatchesConfig,
    PictureConvolutionConfig,
    SubsamplingConfig,
)
from transduce.config.model import each_layer
from transduce.errors import ConfigError
from transduce.models.copying import PointerGenerator
from transduce.models.ctc import CTCOutput
from transduce.models.joined_encoder import JoinedEncoder
from transduce.models.linear_recurrent_encoder import LinearRecurrentEncoder
from transduce.models.recurrent import RecurrentDecoder, RecurrentEncoder
from transduce.models.seq2seq import Decoder, Embedding, Encoder, Frontend, OutputLayer, Seq2Seq
from transduce.models.transformer import TransformerDecoder, TransformerEncoder
from transduce.modules.frontends.frame_output import FrameOutput
from transduce.modules.frontends.frontend import (
    ConvolutionFrontend,
    LinearFrontend,
    SubsamplingFrontend,
)
from transduce.modules.frontends.patches import PatchFrontend
from transduce.modules.frontends.picture_convolution import PictureConvolution
from transduce.modules.gated_recurrence import MinimalGatedUnit
from transduce.modules.selective_state_space import SelectiveStateSpace
from transduce.modules.transformer import StackOptions

__all__ = ["build_model"]


def build_model(
    config: ModelConfig,
    source_size: int,
    target_size: int,
    copy_map: Tensor | None = None,
    *,
    picture_channels: Sequence[int] = (1, 1),
    beside_size: int | None = None,
    guesses_frames: bool = False,
) -> Seq2Seq:
    """A model with fresh weights, drawn from torch's global generator.

    ``source_size`` counts the source's symbols, or the numbers of a frame where the frontend
    is for frames. ``copy_map`` int64 ``[source_size]`` is needed where ``model.copy`` is true (see
    ``models.copying.copy_map``). Frontends for pictures know from ``picture_channels`` how the
    numbers of a column stand, of each input. ``beside_size`` is as ``source_size``, of the second
    input, where a source has two. ``guesses_frames`` asks for an output that does. Raises
    ConfigError where options contradict each other.
    """
    entrance = _build_entrance(config, source_size, picture_channels[0])
    target_embedding = Embedding(
        target_size,
        config.embedding_width or config.decoder.width,
        _embedding_dropout(config.decoder),
        scaled=config.scale_embeddings,
    )
    if config.tie in ("all", "embeddings"):
        _tie_embeddings(entrance, target_embedding)
    encoder = _build_encoder(config.encoder, entrance.width)
    if config.beside is not None:
        encoder = _joined(config, encoder, beside_size, picture_channels[-1])
    decoder = _build_decoder(
        config.decoder, target_embedding.weight.shape[1], encoder.width, _summary_layers(config)
    )
    tied = target_embedding if config.tie in ("target", "all") else None
    output = OutputLayer(decoder.width, target_size, tied)
    pointer = None
    if config.copy_source:
        pointer = _build_pointer(config, decoder.width, target_embedding.weight.shape[1], copy_map)
    ctc = CTCOutput(encoder.width, target_size, config.ctc_positions) if config.ctc else None
    frames = _build_frame_output(entrance, encoder.width, source_size) if guesses_frames else None
    return Seq2Seq(entrance, encoder, target_embedding, decoder, output, pointer, ctc, frames)


def _build_entrance(
    config: ModelConfig, source_size: int, picture_channels: int
) -> Embedding | Frontend:
    width = config.embedding_width or config.encoder.width
    dropout = _embedding_dropout(config.encoder)
    match config.frontend:
        case EmbeddingConfig():
            return Embedding(source_size, width, dropout, scaled=config.scale_embeddings)
        case LinearConfig():
            return LinearFrontend(source_size, width, dropout)
        case ConvolutionConfig(strides=strides, kernel=kernel):
            return ConvolutionFrontend(
                source_size, width, strides=strides, kernel=kernel, dropout=dropout
            )
        case SubsamplingConfig(channels=channels, layers=layers):
            return SubsamplingFrontend(
                source_size, width, channels=channels, layers=layers, dropout=dropout
            )
        case PatchesConfig(patch_height=patch_height, patch_width=patch_width):
            height = source_size // picture_channels
            if height % patch_height:
                raise ConfigError(
                    f"model.frontend.patch_height must divide the pictures' height ({height}); "
                    f"got {patch_height}"
                )
            return PatchFrontend(
                height=height,
                channels=picture_channels,
                patch_height=patch_height,
                patch_width=patch_width,
                width=width,
                dropout=dropout,
            )
        case PictureConvolutionConfig(channels=channels, strides=strides):
            return PictureConvolution(
                height=source_size // picture_channels,
                channels=picture_channels,
                layers=channels,
                strides=strides,
                width=width,
                dropout=dropout,
            )


def _build_frame_output(
    entrance: Embedding | Frontend, width: int, source_size: int
) -> FrameOutput:
    if isinstance(entrance, Embedding):
        raise ConfigError("training.denoising must be another than frames for tokens; got frames")
    one = torch.ones(1, dtype=torch.int64)
    return FrameOutput(width, entrance.cells(torch.zeros(1, 1, source_size), one).shape[2])


def _build_encoder(config: EncoderConfig, input_width: int) -> Encoder:
    match config:
        case RecurrentEncoderConfig():
            return RecurrentEncoder(
                input_width,
                kind=config.kind,
                width=config.width,
                layers=config.layers,
                bidirectional=config.bidirectional,
                dropout=config.dropout,
            )
        case TransformerEncoderConfig():
            options = [
                replace(
                    own,
                    linear_attention=config.attention == "linear",
                    window=config.window,
                    global_block=config.global_block,
                )
                for own in _layer_options(config)
            ]
            return TransformerEncoder(input_width, options[0], each=options)
        case MinGRUEncoderConfig():
            gated = partial(MinimalGatedUnit, config.width, bias=config.bias)
            return LinearRecurrentEncoder(input_width, _recurrent_options(config), gated)
        case MambaEncoderConfig():
            selective = partial(
                SelectiveStateSpace,
                config.width,
                channels=config.expand * config.width,
                state_width=config.state_width,
                bias=config.bias,
            )
            return LinearRecurrentEncoder(input_width, _recurrent_options(config), selective)


def _joined(
    config: ModelConfig, first: Encoder, second_size: int | None, channels: int
) -> JoinedEncoder:
    if second_size is None:
        raise ConfigError("model.beside must be none where a source is one input; got an encoder")
    if config.ctc:
        raise ConfigError("model.ctc must be false where a source has two inputs; got true")
    second = config.of_beside
    entrance = _build_entrance(second, second_size, channels)
    encoder = _build_encoder(second.encoder, entrance.width)
    return JoinedEncoder(first, entrance, encoder)


def _build_decoder(
    config: DecoderConfig, input_width: int, memory_width: int, memory_layers: int
) -> Decoder:
    match config:
        case RecurrentDecoderConfig():
            return RecurrentDecoder(
                input_width,
                kind=config.kind,
                width=config.width,
                layers=config.layers,
                attention=config.attention,
                heads=config.heads,
                input_feeding=config.input_feeding,
                bridge=config.bridge,
                dropout=config.dropout,
                memory_width=memory_width,
                memory_layers=memory_layers,
            )
        case TransformerDecoderConfig():
            options = _layer_options(config, config.memory_heads)
            return TransformerDecoder(
                input_width, options[0], memory_width=memory_width, each=options
            )
        case SSRUDecoderConfig():
            options = _layer_options(config)
            return TransformerDecoder(
                input_width,
                options[0],
                memory_width=memory_width,
                each=options,
                recurrent=True,
                rectified=config.kind == "ssru",
            )


def _layer_options(
    config: TransformerOptions,
    memory_heads: int | tuple[int, ...] | None = None,
) -> list[StackOptions]:
    """Those of every layer."""
    count, plain = config.layers, _stack_options(config)
    each = zip(
        each_layer(config.feedforward, count),
        each_layer(config.heads, count),
        _each_or_none(config.key_value_heads, count),
        _each_or_none(memory_heads, count),
        strict=True,
    )
    return [
        replace(plain, feedforward=inner, heads=heads, key_value_heads=pairs, memory_heads=own)
        for inner, heads, pairs, own in each
    ]


def _recurrent_options(config: LinearRecurrentOptions) -> list[StackOptions]:
    """Those of every layer."""
    return [
        StackOptions(
            width=config.width,
            layers=config.layers,
            feedforward=inner,
            heads=1,  # there is no attention
            norm=config.norm,
            norm_epsilon=config.norm_epsilon,
            norm_position=config.norm_position,
            activation=config.activation,
            positions="none",
            bias=config.bias,
            dropout=config.dropout,
        )
        for inner in each_layer(config.feedforward, config.layers)
    ]


def _each_or_none(value: int | tuple[int, ...] | None, layers: int) -> tuple[int | None, ...]:
    return (None,) * layers if value is None else each_layer(value, layers)


def _stack_options(config: TransformerOptions) -> StackOptions:
    return StackOptions(
        width=config.width,
        layers=config.layers,
        feedforward=1,  # this and the next are each layer's own
        heads=1,
        head_width=config.head_size,
        norm=config.norm,
        norm_epsilon=config.norm_epsilon,
        norm_position=config.norm_position,
        activation=config.activation,
        positions=config.positions,
        max_positions=config.max_positions,
        bias=config.bias,
        dropout=config.dropout,
        attention_dropout=config.attention_dropout,
        embedding_norm=config.embedding_norm,
    )


def _build_pointer(
    config: ModelConfig, width: int, embedding_width: int, copy_map: Tensor | None
) -> PointerGenerator:
    decoder = config.decoder
    if not isinstance(config.frontend, EmbeddingConfig):
        raise ConfigError(
            "model.copy must be false where the source is frames "
            f"(model.frontend: {config.frontend.kind}); got true"
        )
    if isinstance(decoder, RecurrentDecoderConfig) and decoder.attention == "none":
        raise ConfigError("model.decoder.attention must not be none where model.copy is true")
    if copy_map is None:
        raise ConfigError("copy_map must be given where model.copy is true; got none")
    return PointerGenerator(width, embedding_width, copy_map)


def _embedding_dropout(stack: EncoderConfig | DecoderConfig) -> float:
    # A Transformer drops the sum of embedding and position, inside its own stack.
    own = TransformerOptions | LinearRecurrentOptions
    return 0.0 if isinstance(stack, own) else stack.dropout


def _summary_layers(config: ModelConfig) -> int:
    encoder = config.encoder
    return encoder.layers if isinstance(encoder, RecurrentEncoderConfig) else 1


def _tie_embeddings(source: Embedding | Frontend, target: Embedding) -> None:
    if not isinstance(source, Embedding):
        raise ConfigError(
            "model.tie must be none or target where the source is frames; got all, which ties "
            "the source's embedding too"
        )
    if source.weight.shape != target.weight.shape:
        raise ConfigError(
            "model.tie must be none or target where source and target differ in vocabulary or "
            f"embedding width; got all with {list(source.weight.shape)} and "
            f"{list(target.weight.shape)}"
        )
    source.weight = target.weight
