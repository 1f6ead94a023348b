"""Transformers as CTranslate2's earlier converters wrote them, under the names of today.

Before revision 5 of the specification what both stacks share stood once, before 3 the heads were
known by the specification's name, and 1 had the names of OpenNMT-tf. Before version 6 of the file
what now stands in config.json was among the variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

__all__ = ["FLAGS", "TRANSFORMERS", "default_heads", "older_settings", "renewed"]

T = TypeVar("T")

TRANSFORMERS = ("TransformerSpec", "TransformerBig", "TransformerBase", "")
_BIG_HEADS, _HEADS = 16, 8
_OF_ENCODER = ("num_heads", "pre_norm", "activation", "embeddings_merge")
_OF_DECODER = ("num_heads", "pre_norm", "activation", "alignment_layer", "alignment_heads")
_FIRST_NAMES = (  # each once in a name, in this order
    *(("transformer/", ""), (":0", ""), ("w_embs", "embeddings/weight"), ("kernel", "weight")),
    *(("LayerNorm", "layer_norm"), ("dense", "projection"), ("conv1d_", "linear_")),
    ("conv1d", "linear_0"),
)
_FIRST_ATTENTION = {
    "encoder": (("multi_head", "self_attention"),),
    "decoder": (("masked_multi_head", "self_attention"), ("multi_head", "attention")),
}
_FLAGS = {"with_source_bos": "add_source_bos", "with_source_eos": "add_source_eos"}
_TARGET_BEGIN = "with_target_bos"
FLAGS = (*_FLAGS, _TARGET_BEGIN)


def default_heads(specification: str) -> int:
    """H where a file does not say."""
    return _BIG_HEADS if specification == "TransformerBig" else _HEADS


def renewed(specification: str, revision: int, variables: Mapping[str, T]) -> dict[str, T]:
    """The variables of a model by the names of the latest revision."""
    if specification not in TRANSFORMERS:
        return dict(variables)
    found = dict(variables)
    if revision < 2:
        found = {_first_name(name): value for name, value in found.items()}
    if revision < 5:
        for side, names in (("encoder", _OF_ENCODER), ("decoder", _OF_DECODER)):
            for name in names:
                if name in variables:
                    found[f"{side}/{name}"] = variables[name]
        for name in (*_OF_ENCODER, *_OF_DECODER):
            found.pop(name, None)
    for name in [name for name in found if name.startswith("encoder/embeddings/")]:
        found[name.replace("embeddings", "embeddings_0", 1)] = found.pop(name)
    return found


def _first_name(name: str) -> str:
    side = "encoder" if "encoder" in name else "decoder"
    for old, new in (*_FIRST_NAMES, *_FIRST_ATTENTION[side]):
        name = name.replace(old, new, 1)
    return name


def older_settings(flags: Mapping[str, bool], begin: str, end: str) -> dict[str, Any]:
    """What the variables of a file before version 6 say, as config.json says it since."""
    settings: dict[str, Any] = {new: flags.get(old, False) for old, new in _FLAGS.items()}
    settings["decoder_start_token"] = begin if flags.get(_TARGET_BEGIN, True) else end
    return settings
