"""Weights of a checkpoint under our names, in our order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from transduce.errors import ModelError
from transduce.pretrained.checkpoint.published_checkpoint import PublishedCheckpoint
from transduce.tokenization.numbering import Numbering

__all__ = ["NEVER", "ConvertedWeights", "embedding_names"]

# As a bias, of a symbol that only repeats another: its share of a softmax is none, and yet
# label smoothing, which pays for every symbol, hardly feels it.
NEVER = -100.0

# What reads the residual stream has it as columns, what writes it as rows and as a bias.
_COLUMNS = ("query.weight", "key.weight", "value.weight", "inner.weight", "gate.weight")
# BART's names of an attention's maps, by ours.
_PROJECTIONS = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "out_proj"}
_TABLES = ("source_embedding.weight", "target_embedding.weight", "output.weight")
_EMBEDDINGS = ("shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
_OUTPUT = "lm_head.weight"


def embedding_names(checkpoint: PublishedCheckpoint) -> list[str]:
    """The names of a shared embedding that are stored: of tied tensors a file may hold any one."""
    names = [name for name in _EMBEDDINGS if checkpoint.has(name)]
    tied = checkpoint.option("tie_word_embeddings", True)
    if not names and tied and checkpoint.has(_OUTPUT):
        return [_OUTPUT]
    return names or [_EMBEDDINGS[0]]


@dataclass
class ConvertedWeights:
    """Our weights by name, filled from a checkpoint."""

    checkpoint: PublishedCheckpoint
    ours: dict[str, Tensor] = field(default_factory=dict)

    def put(self, name: str, theirs: str) -> None:
        """One tensor as it is."""
        self.ours[name] = self.checkpoint.take(theirs)

    def affine(self, name: str, theirs: str, *, bias: bool = True) -> None:
        """A map, or a norm, with its bias."""
        self.put(f"{name}.weight", f"{theirs}.weight")
        if bias:
            self.put(f"{name}.bias", f"{theirs}.bias")

    def attention(self, name: str, theirs: str, names: Mapping[str, str], *, bias: bool) -> None:
        """Queries, keys, values and output; ``names`` gives their name of each of ours.

        A bias of keys is left out: it adds the same to all scores of a query.
        """
        for own, their_own in names.items():
            self.affine(f"{name}.{own}", f"{theirs}.{their_own}", bias=bias and own != "key")

    def bart_layer(self, name: str, theirs: str, *, memory: bool) -> None:
        """A Transformer layer as BART named its tensors; ``memory``: it attends to one too."""
        self.attention(f"{name}.attention", f"{theirs}.self_attn", _PROJECTIONS, bias=True)
        self.affine(f"{name}.attention_residual.norm", f"{theirs}.self_attn_layer_norm")
        if memory:
            own = f"{name}.memory_attention"
            self.attention(own, f"{theirs}.encoder_attn", _PROJECTIONS, bias=True)
            self.affine(f"{name}.memory_residual.norm", f"{theirs}.encoder_attn_layer_norm")
        self.affine(f"{name}.feedforward.inner", f"{theirs}.fc1")
        self.affine(f"{name}.feedforward.output", f"{theirs}.fc2")
        self.affine(f"{name}.feedforward_residual.norm", f"{theirs}.final_layer_norm")

    def embedding(self, name: str, table: Tensor, numbering: Numbering) -> None:
        """A table of theirs, its rows in our order. Raises ModelError where they are too few."""
        if len(table) != numbering.size:
            raise ModelError(
                f"{self.checkpoint.folder}: embedding must have {numbering.size} rows; "
                f"got {len(table)}"
            )
        self.ours[f"{name}.weight"] = numbering.permuted(table)

    def output_bias(self, bias: Tensor | None, numbering: Numbering) -> None:
        """``[V]`` of theirs or none; what only repeats another symbol is put far below it."""
        ours = torch.zeros(len(numbering.rows()))
        if bias is not None:
            self._require_size("output.bias", bias.numel(), numbering.size)
            ours = numbering.permuted(bias.flatten())
        ours[numbering.invented()] += NEVER
        self.ours["output.bias"] = ours

    def scale(self, suffix: str, factor: float) -> None:
        """Multiply all weights whose name ends so."""
        for name in self.ours:
            if name.endswith(suffix):
                self.ours[name] = self.ours[name] * factor

    def permute(self, order: Tensor) -> None:
        """Give the dimensions of the residual stream another order (int64 ``[D]``) everywhere."""
        for name, tensor in self.ours.items():
            if name == "output.bias":
                continue
            if name in _TABLES or name.endswith(_COLUMNS):
                self._require_size(name, tensor.shape[1], len(order))
                self.ours[name] = tensor[:, order]
            elif name.endswith(("output.weight", "output.bias", "norm.weight", "norm.bias")):
                self._require_size(name, len(tensor), len(order))
                self.ours[name] = tensor[order]

    def _require_size(self, name: str, found: int, wanted: int) -> None:
        """Picked in another order, what a tensor has too much would be left out in silence."""
        if found != wanted:
            raise ModelError(f"{self.checkpoint.folder}: {name} must be {wanted} long; got {found}")
