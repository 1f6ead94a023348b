"""g2p-en's network: English spelling to ARPAbet phones with stress (Park & Kim 2019).

``checkpoint20.npz`` of the Python package ``g2p-en`` (Apache-2.0) holds a GRU encoder that
reads the letters and an end, and a GRU decoder that starts from the encoder's last state and
sees no more of the source (Sutskever et al. 2014). Its gates stand in the order and with
the two biases of PyTorch's GRU. The package looks words up in dictionaries first; this
is what answers for the others.
"""

from __future__ import annotations

import math
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from transduce.config import Config
from transduce.errors import ModelError
from transduce.interfaces import END, PADDING, UNKNOWN
from transduce.pretrained.checkpoint.conversion import filled
from transduce.pretrained.checkpoint.symbols import listed_tokenizer
from transduce.tokenization.pipelines import SPECIALS
from transduce.untrusted.arrays import read_arrays
from transduce.untrusted.bounded import MEGABYTE
from transduce.workflow.trained import TrainedModel

__all__ = ["is_g2p_en", "read_g2p_en"]

_LETTERS = tuple(string.ascii_lowercase)
_PHONES = (
    "AA0 AA1 AA2 AE0 AE1 AE2 AH0 AH1 AH2 AO0 AO1 AO2 AW0 AW1 AW2 AY0 AY1 AY2 B CH D DH EH0 EH1 "
    "EH2 ER0 ER1 ER2 EY0 EY1 EY2 F G HH IH0 IH1 IH2 IY0 IY1 IY2 JH K L M N NG OW0 OW1 OW2 OY0 OY1 "
    "OY2 P R S SH T TH UH0 UH1 UH2 UW UW0 UW1 UW2 V W Y Z ZH"
)
_LONGEST = 20  # phones of an output
_SOURCE_END = 2  # the encoder's rows are <pad> <unk> </s> a … z; the decoder's begin as ours do

_ARRAYS = {  # ours: theirs
    "encoder.layers.0.ahead.kernel.weight_ih_l0": "enc_w_ih",
    "encoder.layers.0.ahead.kernel.weight_hh_l0": "enc_w_hh",
    "encoder.layers.0.ahead.kernel.bias_ih_l0": "enc_b_ih",
    "encoder.layers.0.ahead.kernel.bias_hh_l0": "enc_b_hh",
    "decoder.stack.layers.0.kernel.weight_ih_l0": "dec_w_ih",
    "decoder.stack.layers.0.kernel.weight_hh_l0": "dec_w_hh",
    "decoder.stack.layers.0.kernel.bias_ih_l0": "dec_b_ih",
    "decoder.stack.layers.0.kernel.bias_hh_l0": "dec_b_hh",
    "output.weight": "fc_w",
    "output.bias": "fc_b",
}
_EMBEDDINGS = ("enc_emb", "dec_emb")
_SOURCE_ROWS = 3 + len(_LETTERS)
_LARGEST = 64 * MEGABYTE  # unpacked; the published file has 3.3


def is_g2p_en(path: Path) -> bool:
    """Whether a path names such a file, by its ending alone."""
    return path.suffix == ".npz"


def read_g2p_en(path: Path) -> TrainedModel:
    """The model with its tokenizers. Raises ModelError naming the file and what is wrong."""
    arrays = _read(path)
    rows, width = arrays["enc_emb"].shape
    if rows != _SOURCE_ROWS:
        raise ModelError(
            f"{path}: enc_emb must be of shape {[_SOURCE_ROWS, width]}; got {[rows, width]}"
        )
    values = _config(arrays)
    options = Config.from_mapping({"tokenizer": values["tokenizer"]}).tokenizer
    scale = math.sqrt(width)  # ours are multiplied by it where they are read
    weights = {name: arrays[theirs] for name, theirs in _ARRAYS.items()}
    weights["source_embedding.weight"] = _source_rows(arrays["enc_emb"]) / scale
    weights["target_embedding.weight"] = arrays["dec_emb"] / scale
    return filled(
        path,
        values,
        listed_tokenizer(_LETTERS, options.source),
        listed_tokenizer(_PHONES.split(), options.target),
        weights,
    )


def _read(path: Path) -> dict[str, Tensor]:
    """All arrays in float32, with as many dimensions as they must have. Raises ModelError."""
    names = sorted({*_ARRAYS.values(), *_EMBEDDINGS})
    arrays = read_arrays(path, names, _LARGEST)
    for name, array in arrays.items():
        rank = 1 if "_b_" in name or name == "fc_b" else 2
        if array.dtype.kind != "f" or array.ndim != rank:
            raise ModelError(f"{path}: {name} must be of {rank} dimensions and of floats")
    return {name: torch.from_numpy(array.astype(np.float32)) for name, array in arrays.items()}


def _config(arrays: Mapping[str, Tensor]) -> dict[str, Any]:
    def stack(side: str) -> dict[str, object]:
        return {"kind": "gru", "width": arrays[f"{side}_w_hh"].shape[-1], "dropout": 0.0}

    return {
        "name": "g2p-en",
        "tokenizer": {
            "source": {"kind": "character", "lowercase": True},
            "target": {"kind": "whitespace"},
        },
        "model": {
            "encoder": {**stack("enc"), "bidirectional": False},
            "decoder": {**stack("dec"), "attention": "none", "bridge": "copy"},
            "embedding_width": arrays["enc_emb"].shape[-1],
        },
        "search": {"max_length": _LONGEST},
        # int8 takes 0.4 of the time, but gives other phones for 53 of 3,000 words.
        "engine": "float32",
    }


def _source_rows(theirs: Tensor) -> Tensor:
    """The encoder's embedding in the order of our numbers; BEGIN is in no source."""
    rows = theirs.new_zeros(len(theirs) + 1, *theirs.shape[1:])
    rows[[PADDING, UNKNOWN]] = theirs[[PADDING, UNKNOWN]]
    rows[END] = theirs[_SOURCE_END]
    rows[len(SPECIALS) :] = theirs[_SOURCE_END + 1 :]
    return rows
