"""T5, T5 1.1, mT5, ByT5, FLAN-T5 and others built alike (Raffel et al. 2020).

Their scores are not divided by √d, which goes into the queries' weights here. T5 1.0 reads its
embedding as the output too, after dividing by √D, which goes into the last norm; 1.1 has
an output of its own.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from transduce.pretrained.checkpoint.conversion import Conversion, Side
from transduce.pretrained.checkpoint.layers import ConvertedWeights, embedding_names
from transduce.pretrained.checkpoint.published_checkpoint import PublishedCheckpoint
from transduce.pretrained.checkpoint.published_vocabulary import t5_vocabulary
from transduce.tokenization.numbering import Numbering

__all__ = ["convert_t5"]

_ACTIVATIONS = {
    "relu": "relu",
    "gelu": "gelu",
    "gelu_new": "gelu-tanh",
    "silu": "silu",
    "gated-gelu": "geglu",
    "gated-gelu_new": "geglu",
    "gated-silu": "swiglu",
}
_MAPS = {"query": "q", "key": "k", "value": "v", "output": "o"}
_OUTPUT = "lm_head.weight"
_BUCKETS, _DISTANCE = 32, 128


def convert_t5(checkpoint: PublishedCheckpoint) -> Conversion:
    """Its config, weights and symbols in our terms. Raises ModelError."""
    checkpoint.require("relative_attention_num_buckets", _BUCKETS, _BUCKETS)
    checkpoint.require("relative_attention_max_distance", _DISTANCE, _DISTANCE)
    shared = checkpoint.take_table(*embedding_names(checkpoint))
    size = len(shared)
    padding = checkpoint.symbol("pad_token_id", 0, size)
    numbering = Numbering(
        size=size,
        padding=padding,
        unknown=2,
        start=checkpoint.symbol("decoder_start_token_id", padding, size),
        end=checkpoint.symbol("eos_token_id", 1, size),
    )
    weights = ConvertedWeights(checkpoint)
    output = checkpoint.take(_OUTPUT) if checkpoint.has(_OUTPUT) else shared
    tied = torch.equal(output, shared)
    weights.embedding("source_embedding", shared, numbering)
    if not tied:
        weights.embedding("output", output, numbering)
    weights.output_bias(None, numbering)
    model = _model(checkpoint, tied)
    for side in ("encoder", "decoder"):
        _fill_stack(weights, side, model[side])
    weights.scale("query.weight", math.sqrt(checkpoint.size("d_kv", 64)))
    if _divides_output(checkpoint):
        weights.scale("decoder.norm.weight", checkpoint.size("d_model") ** -0.5)
    checkpoint.refuse_rest(
        but=("embed_tokens.weight", "EncDecAttention.relative_attention_bias.weight")
    )
    both = Side(numbering, t5_vocabulary(checkpoint))
    return Conversion(model, weights.ours, both, both)


def _divides_output(checkpoint: PublishedCheckpoint) -> bool:
    """As transformers decides: version 5 writes it down, those before meant it by tying."""
    written = checkpoint.option("scale_decoder_outputs")
    return bool(checkpoint.option("tie_word_embeddings", True) if written is None else written)


def _model(checkpoint: PublishedCheckpoint, tied: bool) -> dict[str, Any]:
    activation = checkpoint.choice("feed_forward_proj", _ACTIVATIONS, "relu")
    inner = checkpoint.size("d_ff")
    stack = {
        "kind": "transformer",
        "width": checkpoint.size("d_model"),
        # of a gated layer's inner width ours is 2/3
        "feedforward": inner * 3 // 2 if activation in ("geglu", "swiglu") else inner,
        "heads": checkpoint.size("num_heads"),
        "head_width": checkpoint.size("d_kv", 64),
        "norm": "rms",
        "norm_epsilon": checkpoint.option("layer_norm_epsilon", 1e-6),
        "activation": activation,
        "positions": "relative",
        "bias": False,
        "dropout": checkpoint.option("dropout_rate", 0.1),
        "attention_dropout": checkpoint.option("dropout_rate", 0.1),
    }
    layers = checkpoint.size("num_layers")
    return {
        "encoder": {**stack, "layers": layers},
        "decoder": {**stack, "layers": checkpoint.size("num_decoder_layers", layers)},
        "tie": "all" if tied else "embeddings",
        "scale_embeddings": False,
    }


def _fill_stack(weights: ConvertedWeights, side: str, options: dict[str, Any]) -> None:
    first = f"{side}.block.0.layer.0.SelfAttention"
    weights.put(f"{side}.relative.weight", f"{first}.relative_attention_bias.weight")
    weights.put(f"{side}.norm.weight", f"{side}.final_layer_norm.weight")
    for layer in range(options["layers"]):
        ours, theirs = f"{side}.layers.{layer}", f"{side}.block.{layer}.layer"
        sublayers = [("attention", "attention_residual", "SelfAttention")]
        if side == "decoder":
            sublayers.append(("memory_attention", "memory_residual", "EncDecAttention"))
        for place, (attention, residual, name) in enumerate(sublayers):
            weights.attention(f"{ours}.{attention}", f"{theirs}.{place}.{name}", _MAPS, bias=False)
            weights.put(f"{ours}.{residual}.norm.weight", f"{theirs}.{place}.layer_norm.weight")
        last = f"{theirs}.{len(sublayers)}"
        weights.put(f"{ours}.feedforward_residual.norm.weight", f"{last}.layer_norm.weight")
        inner = f"{ours}.feedforward"
        dense = f"{last}.DenseReluDense"
        gated = options["activation"] in ("geglu", "swiglu")
        if gated:
            weights.put(f"{inner}.gate.weight", f"{dense}.wi_0.weight")
        weights.put(f"{inner}.inner.weight", f"{dense}.{'wi_1' if gated else 'wi'}.weight")
        weights.put(f"{inner}.output.weight", f"{dense}.wo.weight")
