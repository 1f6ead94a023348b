"""A Transformer in CTranslate2's terms: the same weights under its names.

What CTranslate2 has no word for is worked into the weights, so that its logits are
ours but for rounding: keys get a bias of zeros, heads that share keys and values get
copies of them, an embedding or output of another width than its stack is multiplied
out, and symbols that search never writes get a bias below every logit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from ctranslate2.specs import common_spec, transformer_spec
from numpy.typing import NDArray
from torch import Tensor, nn

from transduce.config import ModelConfig, TransformerDecoderConfig, TransformerEncoderConfig
from transduce.export.holdable import LONGEST, require_transformers
from transduce.interfaces import BEGIN, END, PADDING, UNKNOWN
from transduce.models.seq2seq import Embedding, OutputLayer, Seq2Seq
from transduce.models.transformer import TransformerDecoder, TransformerEncoder
from transduce.modules.attention import MultiHeadAttention
from transduce.modules.functional import GATED
from transduce.modules.positions import LearnedPositions, SinusoidalPositions
from transduce.modules.transformer import DecoderLayer, EncoderLayer, FeedForward, Residual
from transduce.tokenization.pipelines import SPECIALS

__all__ = ["specify"]

_NEVER = -1e4  # as a logit: below every other, yet finite in float16
_WHOLE = 0  # rotary_dim: all dimensions of a head

_Options = TransformerEncoderConfig | TransformerDecoderConfig
_Stack = TransformerEncoder | TransformerDecoder
_Array = NDArray[np.float32]


def specify(
    model: Seq2Seq,
    config: ModelConfig,
    source_symbols: Sequence[str],
    target_symbols: Sequence[str],
) -> Any:
    """A filled ``TransformerSpec``, in float32, of the model that ``config`` describes.

    The symbols are the vocabularies in the order of their numbers. Raises ModelError where
    CTranslate2 cannot hold the model.
    """
    encoder_options, decoder_options = require_transformers(config)
    encoder, decoder = model.encoder, model.decoder
    if not isinstance(encoder, TransformerEncoder) or not isinstance(decoder, TransformerDecoder):
        raise TypeError("model must be one that was built from config")
    with torch.no_grad():
        spec = transformer_spec.TransformerSpec(
            _encoder(encoder, encoder_options, model.source_embedding),
            _decoder(decoder, decoder_options, model.target_embedding),
        )
        _fill_output(spec.decoder.projection, model.output)
    spec.register_source_vocabulary(list(source_symbols))
    spec.register_target_vocabulary(list(target_symbols))
    spec.config.unk_token = SPECIALS[UNKNOWN]
    spec.config.bos_token = SPECIALS[BEGIN]
    spec.config.decoder_start_token = SPECIALS[BEGIN]
    spec.config.eos_token = SPECIALS[END]
    spec.config.add_source_eos = True
    spec.config.layer_norm_epsilon = encoder_options.norm_epsilon
    return spec


# ---------------------------------------------------------------- stacks


def _stack(options: _Options) -> dict[str, Any]:
    """What the library is told of an encoder and of a decoder alike."""
    return {
        "num_layers": options.layers,
        "num_heads": options.heads,
        "pre_norm": options.norm_position == "pre",
        "activation": _activation(options),
        "relative_attention_bias": options.positions == "relative",
        "ffn_glu": options.activation in GATED,
        "rms_norm": options.norm == "rms",
        "layernorm_embedding": options.embedding_norm,
        "rotary_dim": _WHOLE if options.positions == "rotary" else None,
        "rotary_interleave": False,
    }


def _encoder(encoder: TransformerEncoder, options: _Options, embedding: Embedding) -> Any:
    spec = transformer_spec.TransformerEncoderSpec(**_stack(options))
    _fill_stack(spec, spec.embeddings[0], encoder, options, embedding)
    for theirs, layer in zip(spec.layer, encoder.layers, strict=True):
        if isinstance(layer, EncoderLayer):
            _fill_self_attention(theirs.self_attention, layer, encoder)
            _fill_feedforward(theirs.ffn, layer.feedforward, layer.feedforward_residual)
    return spec


def _decoder(decoder: TransformerDecoder, options: _Options, embedding: Embedding) -> Any:
    spec = transformer_spec.TransformerDecoderSpec(**_stack(options))
    _fill_stack(spec, spec.embeddings, decoder, options, embedding)
    for theirs, layer in zip(spec.layer, decoder.layers, strict=True):
        if isinstance(layer, DecoderLayer):
            _fill_self_attention(theirs.self_attention, layer, decoder)
            _fill_memory_attention(theirs.attention, layer)
            _fill_feedforward(theirs.ffn, layer.feedforward, layer.feedforward_residual)
    return spec


def _activation(options: _Options) -> Any:
    match options.activation:
        case "relu":
            return common_spec.Activation.RELU
        case "gelu":
            return common_spec.Activation.GELU
        case "gelu-tanh" | "geglu":
            return common_spec.Activation.GELUTanh
        case "silu" | "swiglu":
            return common_spec.Activation.SWISH


def _fill_stack(
    spec: Any, embedding_spec: Any, stack: _Stack, options: _Options, embedding: Embedding
) -> None:
    """What stands before and after the layers."""
    entry = stack.entry
    if entry.project is None:
        embedding_spec.weight = _array(embedding.weight)
        spec.scale_embeddings = embedding.scale != 1  # by √D, as ours
    else:
        embedding_spec.weight = _array(entry.project(embedding.weight * embedding.scale))
        spec.scale_embeddings = False
    if hasattr(spec, "position_encodings"):
        if options.positions == "rotary":
            del spec.position_encodings
        else:
            spec.position_encodings.encodings = _positions(options, entry.positions)
    if entry.norm is not None:
        _fill_norm(spec.layernorm_embedding, entry.norm)
    if options.norm_position == "pre":
        _fill_norm(spec.layer_norm, stack.norm)


def _positions(options: _Options, positions: nn.Module | None) -> _Array:
    if isinstance(positions, LearnedPositions):
        return _array(positions.weight)
    if isinstance(positions, SinusoidalPositions):
        return _array(positions.table(LONGEST, options.width, torch.device("cpu"))[:LONGEST])
    # Where there is no table, CTranslate2 adds sinusoids of its own.
    return np.zeros((LONGEST, options.width), dtype=np.float32)


def _fill_output(spec: Any, output: OutputLayer) -> None:
    weight: Tensor = output.weight
    if output.project is not None:
        weight = weight @ output.project.weight
    bias = output.bias.clone()
    bias[[PADDING, UNKNOWN, BEGIN]] = _NEVER
    spec.weight = _array(weight)
    spec.bias = _array(bias)


# ---------------------------------------------------------------- layers


def _fill_self_attention(spec: Any, layer: EncoderLayer | DecoderLayer, stack: _Stack) -> None:
    attention = layer.attention
    queries, keys, values = _maps(attention)
    _fill_joined(spec.linear[0], [queries, keys, values])
    _fill_linear(spec.linear[1], attention.output)
    _fill_norm(spec.layer_norm, layer.attention_residual.norm)
    if stack.relative is not None:
        spec.relative_attention_bias = _array(stack.relative.weight)
        spec.relative_attention_max_distance = np.int32(stack.relative.max_distance)
        spec.queries_scale = float(attention.head_width**-0.5)


def _fill_memory_attention(spec: Any, layer: DecoderLayer) -> None:
    queries, keys, values = _maps(layer.memory_attention)
    _fill_joined(spec.linear[0], [queries])
    _fill_joined(spec.linear[1], [keys, values])
    _fill_linear(spec.linear[2], layer.memory_attention.output)
    _fill_norm(spec.layer_norm, layer.memory_residual.norm)


def _fill_feedforward(spec: Any, feedforward: FeedForward, residual: Residual) -> None:
    _fill_norm(spec.layer_norm, residual.norm)
    if feedforward.gate is None:
        _fill_linear(spec.linear_0, feedforward.inner)
    else:
        _fill_linear(spec.linear_0, feedforward.gate)  # the activation is on this one
        _fill_linear(spec.linear_0_noact, feedforward.inner)
    _fill_linear(spec.linear_1, feedforward.output)


_Map = tuple[Tensor, Tensor | None]  # weight and bias


def _maps(attention: MultiHeadAttention) -> tuple[_Map, _Map, _Map]:
    """Of queries, keys and values; each head has keys and values of its own."""
    copies = attention.heads // attention.key_value_heads

    def repeated(tensor: Tensor) -> Tensor:
        by_head = tensor.reshape(-1, attention.head_width, *tensor.shape[1:])
        return by_head.repeat_interleave(copies, dim=0).flatten(0, 1)

    def spread(layer: nn.Linear) -> _Map:
        return repeated(layer.weight), None if layer.bias is None else repeated(layer.bias)

    return (
        (attention.query.weight, attention.query.bias),
        spread(attention.key),
        spread(attention.value),
    )


def _fill_joined(spec: Any, maps: Sequence[_Map]) -> None:
    spec.weight = _array(torch.cat([weight for weight, _ in maps]))
    if any(bias is not None for _, bias in maps):
        whole = [weight.new_zeros(len(weight)) if bias is None else bias for weight, bias in maps]
        spec.bias = _array(torch.cat(whole))


def _fill_linear(spec: Any, layer: nn.Linear) -> None:
    _fill_joined(spec, [(layer.weight, layer.bias)])


def _fill_norm(spec: Any, norm: nn.Module) -> None:
    weight, bias = norm.weight, getattr(norm, "bias", None)
    if not isinstance(weight, Tensor):
        raise TypeError(f"norm must have a weight; got {type(norm).__name__}")
    spec.gamma = _array(weight)
    if hasattr(spec, "beta"):
        spec.beta = np.zeros_like(spec.gamma) if bias is None else _array(bias)


def _array(tensor: Tensor) -> _Array:
    """A copy: quantization works in place."""
    return np.array(tensor.detach().float().cpu().numpy(), order="C")
