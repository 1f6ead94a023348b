"""CTranslate2's encoder and decoder stacks as options and weights of our own.

The inverse of ``export/specification.py``. What a softmax takes out again (a bias of keys) is
left out; scales on queries are worked into their weights. What our Transformer has no place
for is refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from transduce.errors import ModelError
from transduce.modules.positions import fairseq_table, sinusoidal_table
from transduce.pretrained.ctranslate2.model_file import BinaryModel
from transduce.pretrained.ctranslate2.older import default_heads

__all__ = ["GELU", "IDLE", "Stack", "read_stack"]

# Its numbers for activations; relu, then GELU with tanh, SiLU (Swish) and GELU.
GELU = 3
_ACTIVATIONS = {0: "relu", 1: "gelu-tanh", 2: "silu", GELU: "gelu"}
_GATED = {"gelu-tanh": "geglu", "silu": "swiglu"}
_WIDEST = 1 << 16
_MOST_LAYERS = 1 << 10
_SAME = 2e-3  # tables of sinusoids stored as bfloat16 differ by less
# What our models do otherwise, or only tells CTranslate2 how to go about it.
IDLE = (
    "decoder/alibi_use_positive_positions",
    "decoder/alignment_heads",
    "decoder/alignment_layer",
    "decoder/scale_alibi",
    "encoder/embeddings_merge",
    "encoder/multi_query_attention",
)
_BUCKETS, _MAX_DISTANCE = 32, 128  # of our relative positions
_ROTARY_BASE = 10_000
_LONGEST = 1024  # positions written out where the file itself has no last one
_BIASED = ("query", "value", "output", "inner", "gate")


@dataclass
class Stack:
    """One side of a model: keys of the config's section, weights by our names."""

    binary: BinaryModel
    theirs: str  # scope in the file: encoder, decoder
    ours: str  # scope in the model: encoder, decoder
    config: Mapping[str, Any]  # config.json
    activation: int = 0  # where the file names none
    options: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, Tensor] = field(default_factory=dict)

    @property
    def heads(self) -> int:
        """H."""
        default = default_heads(self.binary.specification)
        return self.binary.count(f"{self.theirs}/num_heads", default, least=1)

    @property
    def pre_norm(self) -> bool:
        """Whether norms stand before their sub-layers."""
        return bool(self.binary.number(f"{self.theirs}/pre_norm", 1))

    def copy(self, theirs: str, ours: str) -> None:
        """One tensor as it is."""
        self.weights[f"{self.ours}.{ours}"] = self.binary.weight(f"{self.theirs}/{theirs}")

    def norm(self, theirs: str, ours: str) -> None:
        """A LayerNorm or RMSNorm."""
        self.copy(f"{theirs}/gamma", f"{ours}.weight")
        if f"{self.theirs}/{theirs}/beta" in self.binary:
            self.copy(f"{theirs}/beta", f"{ours}.bias")

    def linear(self, theirs: str, ours: str) -> None:
        """An affine map."""
        self.copy(f"{theirs}/weight", f"{ours}.weight")
        if f"{self.theirs}/{theirs}/bias" in self.binary:
            self.copy(f"{theirs}/bias", f"{ours}.bias")

    def refuse(self, name: str, what: str) -> ModelError:
        """What to raise where our Transformer has no place for something."""
        return ModelError(
            f"{self.binary.path}: {self.theirs}/{name} must be {what} for this Transformer"
        )

    def require(self, name: str, wanted: float) -> None:
        """Raise ModelError unless an attribute has this value or is not there."""
        if (got := self.binary.number(f"{self.theirs}/{name}", wanted)) != wanted:
            raise self.refuse(name, f"{wanted:g} (got {got:g})")


def read_stack(stack: Stack, *, memory: bool) -> None:
    """All of a stack but its embedding; ``memory``: layers have attention over one."""
    if memory:
        stack.require("alibi", 0)
    _read_layers(stack, memory=memory)
    _read_positions(stack)
    if stack.binary.has(f"{stack.theirs}/layernorm_embedding"):
        stack.options["embedding_norm"] = True
        stack.norm("layernorm_embedding", "entry.norm")
    if stack.pre_norm:
        stack.norm("layer_norm", "norm")
    stack.options |= {
        "kind": "transformer",
        "heads": stack.heads,
        "norm_position": "pre" if stack.pre_norm else "post",
        "dropout": 0.0,
    }
    _settle_norms(stack)
    _settle_biases(stack)


def _read_positions(stack: Stack) -> None:
    name = f"{stack.theirs}/position_encodings/encodings"
    if name not in stack.binary:
        if stack.options.get("positions") not in ("rotary", "relative"):
            _set_positions(stack, _own_sinusoids(stack.options["width"]))
        return
    table, cpu = stack.binary.weight(name), torch.device("cpu")
    if not table.any():  # as where scores have relative positions
        stack.options.setdefault("positions", "none")
        return
    if table.dim() != 2 or table.shape[1] != stack.options["width"]:
        raise stack.refuse("position_encodings/encodings", "as wide as the layers")
    count, width = table.shape
    for kind, known in (("sinusoidal", sinusoidal_table), ("fairseq", fairseq_table)):
        sinusoids = known(count, width, cpu)[:count]
        if torch.allclose(table, sinusoids, rtol=0, atol=_SAME):
            stack.options["positions"] = kind
            return
    _set_positions(stack, table)


def _set_positions(stack: Stack, table: Tensor) -> None:
    stack.options |= {"positions": "learned", "max_positions": len(table)}
    stack.weights[f"{stack.ours}.entry.positions.weight"] = table


def _own_sinusoids(width: int) -> Tensor:
    """What CTranslate2 adds where a file holds no table: Tensor2Tensor's, counted from 1."""
    half = width // 2
    exponents = torch.arange(half, dtype=torch.float64) / max(half - 1, 1)
    places = torch.arange(1, _LONGEST + 1, dtype=torch.float64)
    angles = places[:, None] * 10_000.0**-exponents
    return torch.cat([angles.sin(), angles.cos()], dim=1).float()


def _settle_norms(stack: Stack) -> None:
    """Which norm it is, and the epsilon that CTranslate2 takes where the config has none."""
    norms = [name for name in stack.weights if name.endswith("norm.weight")]
    rms = f"{norms[0].removesuffix('weight')}bias" not in stack.weights
    given = stack.config.get("layer_norm_epsilon")
    if given is not None and type(given) not in (int, float):
        raise ModelError(f"{stack.binary.path}: layer_norm_epsilon must be a number; got {given}")
    stack.options["norm"] = "rms" if rms else "layer"
    stack.options["norm_epsilon"] = (1e-6 if rms else 1e-5) if given is None else float(given)


def _settle_biases(stack: Stack) -> None:
    """Biases everywhere, or nowhere where all are zero."""
    biases = [name for name in stack.weights if name.endswith(".bias")]
    stack.options["bias"] = any(bool(stack.weights[name].any()) for name in biases)
    if not stack.options["bias"]:
        for name in biases:
            del stack.weights[name]
        return
    for name in list(stack.weights):
        place, _, last = name.rpartition(".")
        module = place.rpartition(".")[2]
        has_bias = module in _BIASED or (module == "norm" and stack.options["norm"] == "layer")
        if last == "weight" and has_bias:
            zeros = torch.zeros(len(stack.weights[name]))
            stack.weights.setdefault(f"{place}.bias", zeros)


# ---------------------------------------------------------------- layers


def _read_layers(stack: Stack, *, memory: bool) -> None:
    layers = 0
    while stack.binary.has(f"{stack.theirs}/layer_{layers}"):
        if layers == _MOST_LAYERS:
            raise stack.refuse(f"layer_{layers}", f"one of {_MOST_LAYERS} at most")
        here, there = f"layers.{layers}", f"layer_{layers}"
        _read_self_attention(stack, f"{there}/self_attention", f"{here}.attention")
        stack.norm(f"{there}/self_attention/layer_norm", f"{here}.attention_residual.norm")
        if memory:
            _read_memory_attention(stack, f"{there}/attention", f"{here}.memory_attention")
            stack.norm(f"{there}/attention/layer_norm", f"{here}.memory_residual.norm")
        _read_feed_forward(stack, f"{there}/ffn", f"{here}.feedforward")
        stack.norm(f"{there}/ffn/layer_norm", f"{here}.feedforward_residual.norm")
        layers += 1
    if not layers:
        raise stack.refuse("layer_0", "there")
    width = stack.weights[f"{stack.ours}.layers.0.attention.query.weight"].shape[1]
    if width > _WIDEST:
        raise stack.refuse("layer_0/self_attention/linear_0/weight", f"{_WIDEST} wide at most")
    stack.options |= {"layers": layers, "width": width}


def _read_feed_forward(stack: Stack, theirs: str, ours: str) -> None:
    number = stack.binary.count(f"{stack.theirs}/activation", stack.activation)
    activation = _ACTIVATIONS.get(number)
    if activation is None:
        raise stack.refuse("activation", f"ReLU, GELU or SiLU, 0 to 3 (got {number})")
    if stack.binary.has(f"{stack.theirs}/{theirs}/linear_0_noact"):
        if activation not in _GATED:
            raise stack.refuse("activation", f"GELU with tanh or SiLU on a gate (got {activation})")
        activation = _GATED[activation]
        stack.linear(f"{theirs}/linear_0", f"{ours}.gate")
        stack.linear(f"{theirs}/linear_0_noact", f"{ours}.inner")
    else:
        stack.linear(f"{theirs}/linear_0", f"{ours}.inner")
    stack.linear(f"{theirs}/linear_1", f"{ours}.output")
    inner = len(stack.weights[f"{stack.ours}.{ours}.inner.weight"])
    if activation in _GATED.values():
        if inner % 8:
            raise stack.refuse(f"{theirs}/linear_0", f"a multiple of 8 wide (got {inner})")
        inner = inner // 8 * 12  # of which a gated layer takes two thirds
    stack.options |= {"activation": activation, "feedforward": inner}


def _read_self_attention(stack: Stack, theirs: str, ours: str) -> None:
    rows = _split(stack, theirs, f"{theirs}/linear_0", count=3)
    _set_queries(stack, theirs, ours, rows[0])
    _set_keys_values(stack, theirs, ours, rows[1], rows[2])
    stack.linear(f"{theirs}/linear_1", f"{ours}.output")
    _read_relative(stack, theirs)


def _read_memory_attention(stack: Stack, theirs: str, ours: str) -> None:
    queries = _split(stack, theirs, f"{theirs}/linear_0", count=1)
    _set_queries(stack, theirs, ours, queries[0])
    keys, values = _split(stack, theirs, f"{theirs}/linear_1", count=2)
    _set_keys_values(stack, theirs, ours, keys, values)
    stack.linear(f"{theirs}/linear_2", f"{ours}.output")


_Map = tuple[Tensor, Tensor]  # weight and bias


def _split(stack: Stack, attention: str, name: str, *, count: int) -> list[_Map]:
    """Queries | keys | values, or some of them, out of one joined map."""
    weight = stack.binary.weight(f"{stack.theirs}/{name}/weight")
    bias = stack.binary.optional(f"{stack.theirs}/{name}/bias")
    bias = weight.new_zeros(len(weight)) if bias is None else bias
    heads, scope = stack.heads, f"{stack.theirs}/{attention}"
    pairs = stack.binary.count(f"{scope}/num_heads_kv", heads, least=1)
    together = {1: heads, 2: 2 * pairs, 3: heads + 2 * pairs}[count]
    width, rest = divmod(len(weight), together)
    if rest:
        raise stack.refuse(name, f"of {together} heads (got {len(weight)} rows)")
    sizes = {1: [heads], 2: [pairs] * 2, 3: [heads, pairs, pairs]}[count]
    if count == 3:
        stack.options |= {"key_value_heads": pairs, "head_width": width}
    rows = [width * size for size in sizes]
    return list(zip(torch.split(weight, rows), torch.split(bias, rows), strict=True))


def _set_queries(stack: Stack, theirs: str, ours: str, rows: _Map) -> None:
    weight, bias = rows
    width = len(weight) // stack.heads
    given = stack.binary.number(f"{stack.theirs}/{theirs}/queries_scale", width**-0.5)
    # Ours are divided by √d; 1 but for rounding where theirs are too.
    factor = given * math.sqrt(width)
    if not math.isclose(factor, 1, rel_tol=1e-3):
        weight, bias = weight * factor, bias * factor
    place = f"{stack.ours}.{ours}.query"
    stack.weights[f"{place}.weight"] = _unwoven(stack, theirs, weight, width)
    stack.weights[f"{place}.bias"] = _unwoven(stack, theirs, bias, width)


def _set_keys_values(stack: Stack, theirs: str, ours: str, keys: _Map, values: _Map) -> None:
    width = stack.options["head_width"]
    place = f"{stack.ours}.{ours}"
    if stack.options.get("positions") == "rotary" and keys[1].any():
        # Turned by its position, a bias adds something else to each score.
        raise stack.refuse(f"{theirs}/linear_0/bias", "zero for keys with rotary positions")
    stack.weights[f"{place}.key.weight"] = _unwoven(stack, theirs, keys[0], width)
    stack.weights[f"{place}.value.weight"], stack.weights[f"{place}.value.bias"] = values


def _unwoven(stack: Stack, attention: str, rows: Tensor, width: int) -> Tensor:
    """Rows in the order that our rotation pairs them in, halves instead of neighbours."""
    scope = f"{stack.theirs}/{attention}"
    if f"{scope}/rotary_dim" not in stack.binary:
        return rows
    turned = stack.binary.count(f"{scope}/rotary_dim", 0)
    if turned not in (0, width):
        raise stack.refuse(f"{attention}/rotary_dim", f"all {width} of a head (got {turned})")
    stack.require(f"{attention}/rotary_base", _ROTARY_BASE)
    stack.options["positions"] = "rotary"
    if not stack.binary.number(f"{scope}/rotary_interleave", 1):
        return rows
    by_head = rows.reshape(-1, width // 2, 2, *rows.shape[1:])
    return by_head.transpose(1, 2).reshape(rows.shape)


def _read_relative(stack: Stack, attention: str) -> None:
    name = f"{stack.theirs}/{attention}/relative_attention_bias"
    if name not in stack.binary:
        return
    table = stack.binary.weight(name)
    known = stack.weights.setdefault(f"{stack.ours}.relative.weight", table)
    if not torch.equal(known, table):
        raise stack.refuse(f"{attention}/relative_attention_bias", "the same in all layers")
    if len(table) != _BUCKETS:
        raise stack.refuse(
            f"{attention}/relative_attention_bias", f"of {_BUCKETS} rows (got {len(table)})"
        )
    stack.require(f"{attention}/relative_attention_max_distance", _MAX_DISTANCE)
    stack.options["positions"] = "relative"
