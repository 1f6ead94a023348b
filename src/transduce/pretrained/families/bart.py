"""BART, mBART, mBART-50, Marian, M2M-100, NLLB, Pegasus: what came out of fairseq and Marian.

All are one encoder-decoder under the same names (Vaswani et al. 2017); they differ in where their
norms stand, in their positions and in what their decoder reads first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from transduce.pretrained.checkpoint.layers import ConvertedWeights, embedding_names
from transduce.pretrained.checkpoint.published_checkpoint import PublishedCheckpoint
from transduce.tokenization.numbering import Numbering

__all__ = ["BART", "M2M100", "MARIAN", "MBART", "PEGASUS", "Shape", "read_weights"]

_ACTIVATIONS = {
    "relu": "relu",
    "gelu": "gelu",
    "gelu_new": "gelu-tanh",
    "gelu_fast": "gelu-tanh",
    "gelu_pytorch_tanh": "gelu-tanh",
    "silu": "silu",
    "swish": "silu",
}
_OFFSET = 2  # rows of a learned table of positions that stand for nothing
_EPSILON = 1e-5


@dataclass(frozen=True)
class Shape:
    """What tells the families apart. ``pre``: norms before each sub-layer and one at the end."""

    pre: bool
    embedding_norm: bool
    positions: Literal["learned", "sinusoidal", "fairseq"]
    scaled: bool  # config.json's scale_embedding where it is missing
    activation: str  # config.json's activation_function where it is missing


BART = Shape(False, True, "learned", False, "gelu")
MBART = Shape(True, True, "learned", False, "gelu")
MARIAN = Shape(False, False, "sinusoidal", False, "gelu")
PEGASUS = Shape(True, False, "sinusoidal", False, "gelu")
M2M100 = Shape(True, False, "fairseq", True, "relu")


def read_weights(
    checkpoint: PublishedCheckpoint, shape: Shape, source: Numbering, target: Numbering
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The model section and our weights. Raises ModelError."""
    weights = ConvertedWeights(checkpoint)
    tie = _embeddings(weights, source, target)
    bias = None
    if checkpoint.has("final_logits_bias"):
        bias = checkpoint.take("final_logits_bias")
    weights.output_bias(bias, target)
    model: dict[str, Any] = {side: _stack(checkpoint, shape, side) for side in _SIDES}
    model |= {"tie": tie, "scale_embeddings": checkpoint.option("scale_embedding", shape.scaled)}
    for side in _SIDES:
        _fill_stack(weights, side, shape, model[side])
    if shape.positions == "sinusoidal":
        weights.permute(_interleaved(model["encoder"]["width"]))
    checkpoint.refuse_rest(
        but=(
            "embed_tokens.weight",
            "embed_positions.weight",
            "embed_positions.weights",
            "lm_head.weight",
            "k_proj.bias",
            "version",
        )
    )
    return model, weights.ours


_SIDES = ("encoder", "decoder")
_TABLES = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")


def _embeddings(weights: ConvertedWeights, source: Numbering, target: Numbering) -> str:
    """Fill embeddings and output; gives ``model.tie``."""
    checkpoint = weights.checkpoint
    if _are_two(checkpoint):
        weights.embedding("source_embedding", checkpoint.take(_TABLES[0]), source)
        target_table = checkpoint.take(_TABLES[1])
        weights.embedding("target_embedding", target_table, target)
        tied = "target"
    else:
        target_table = checkpoint.take_tied(*embedding_names(checkpoint))
        weights.embedding("source_embedding", target_table, source)
        tied = "all"
        if source != target:  # rows in two orders: two tables
            weights.embedding("target_embedding", target_table, target)
            tied = "target"
    if checkpoint.has("lm_head.weight"):
        output = checkpoint.take("lm_head.weight")
        if not torch.equal(output, target_table):
            weights.embedding("output", output, target)
            return "embeddings" if tied == "all" else "none"
    return tied


def _are_two(checkpoint: PublishedCheckpoint) -> bool:
    """Whether encoder and decoder have an embedding each."""
    if checkpoint.has("shared.weight") or not all(map(checkpoint.has, _TABLES)):
        return False
    first, second = map(checkpoint.take, _TABLES)
    return not torch.equal(first, second)


def _stack(checkpoint: PublishedCheckpoint, shape: Shape, side: str) -> dict[str, Any]:
    options = {
        "kind": "transformer",
        "layers": checkpoint.size(f"{side}_layers"),
        "width": checkpoint.size("d_model"),
        "feedforward": checkpoint.size(f"{side}_ffn_dim"),
        "heads": checkpoint.size(f"{side}_attention_heads"),
        "norm_position": "pre" if shape.pre else "post",
        "norm_epsilon": _EPSILON,
        "activation": checkpoint.choice("activation_function", _ACTIVATIONS, shape.activation),
        "positions": shape.positions,
        "embedding_norm": shape.embedding_norm,
        "dropout": checkpoint.option("dropout", 0.1),
        "attention_dropout": checkpoint.option("attention_dropout", 0.0),
    }
    if shape.positions == "learned":
        options["max_positions"] = checkpoint.size("max_position_embeddings")
    return options


def _fill_stack(
    weights: ConvertedWeights, side: str, shape: Shape, options: dict[str, Any]
) -> None:
    if shape.positions == "learned":
        table = weights.checkpoint.take(f"{side}.embed_positions.weight")
        weights.ours[f"{side}.entry.positions.weight"] = table[_OFFSET:]
    if shape.embedding_norm:
        weights.affine(f"{side}.entry.norm", f"{side}.layernorm_embedding")
    if shape.pre:
        weights.affine(f"{side}.norm", f"{side}.layer_norm")
    for layer in range(options["layers"]):
        name = f"{side}.layers.{layer}"
        weights.bart_layer(name, name, memory=side == "decoder")


def _interleaved(width: int) -> Tensor:
    """Marian's positions are our sinusoids with all sines before all cosines: with the residual
    stream's dimensions in this order they are ours.
    """
    return torch.arange(width).view(2, -1).T.flatten()
