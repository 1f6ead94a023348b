"""Folders of CTranslate2's earlier versions, and as its converter of transformers writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from binary_files import binary
from test_ctranslate2_layout import Variables, array, drawn, stack

from transduce.errors import ModelError
from transduce.interfaces import BEGIN, END, Source
from transduce.models.seq2seq import Seq2Seq
from transduce.pretrained.ctranslate2.older import renewed
from transduce.pretrained.published_model import read_pretrained

SIZES = {
    "kind": "transformer", "layers": 1, "width": 32, "feedforward": 24, "heads": 16,
    "activation": "gelu", "positions": "learned", "max_positions": 20, "norm_epsilon": 1e-5,
}  # fmt: skip


def parts(symbols: int, heads: int) -> tuple[Seq2Seq, Variables]:
    """A network, and its variables but for what the versions write each in their own way."""
    sizes = {**SIZES, "heads": heads}
    model = drawn({"encoder": sizes, "decoder": sizes, "tie": "none"}, symbols, symbols)
    variables = stack("encoder", model.encoder) | stack("decoder", model.decoder)
    for side in ("encoder", "decoder"):
        del variables[f"{side}/num_heads"]
    return model, variables


def tables(model: Seq2Seq, order: list[int], encoder: str = "encoder/embeddings_0") -> Variables:
    return {
        f"{encoder}/weight": array(model.source_embedding.weight[order]),
        "decoder/embeddings/weight": array(model.target_embedding.weight[order]),
        "decoder/projection/weight": array(model.output.weight[order]),
        "decoder/projection/bias": array(model.output.bias[order]),
    }


@torch.no_grad()
@pytest.mark.parametrize(
    ("version", "revision", "specification", "heads"),
    [
        (2, 2, "TransformerBase", 8),
        (2, 2, "TransformerBig", 16),
        (3, 4, "TransformerSpec", 4),
        (4, 4, "TransformerSpec", 4),
        (5, 5, "TransformerSpec", 4),
    ],
)
def test_older_versions(version, revision, specification, heads, tmp_path):
    torch.manual_seed(version)
    model, variables = parts(8, heads)
    order = [2, 4, 5, 3, 6, 1, 7]  # <s> a b </s> c <unk> d
    variables |= tables(model, order, "encoder/embeddings")
    sides = ("encoder/", "decoder/") if revision >= 5 else ("",)
    for side in sides:
        variables[f"{side}activation"] = np.array(3, np.int8)
        if revision >= 3:
            variables[f"{side}num_heads"] = np.array(heads, np.int8)
    variables["with_source_eos"] = np.array(1, np.int8)
    content = binary(variables, specification=specification, version=version, revision=revision)
    (tmp_path / "model.bin").write_bytes(content)
    (tmp_path / "shared_vocabulary.txt").write_text("<s>\na\nb\n</s>\nc\n<unk>\nd\n")
    found = read_pretrained(tmp_path)
    assert found.config.model.encoder.heads == heads
    source, target = Source(torch.tensor([[4, 7, 6, END]]), torch.tensor([4])), [[BEGIN, 5, 6]]
    # scaled by √D there: what an embedding is multiplied by where the file says nothing
    expected = model(source, torch.tensor(target))[..., END:]
    given = found.model(source, torch.tensor(target))[..., END:]
    torch.testing.assert_close(given, expected, rtol=0, atol=1e-4)
    without = binary(
        {k: v for k, v in variables.items() if k != "with_source_eos"},
        specification=specification, version=version, revision=revision,
    )  # fmt: skip
    (tmp_path / "model.bin").write_bytes(without)
    with pytest.raises(ModelError, match="add_source_eos must be true"):
        read_pretrained(tmp_path)


def test_first_names_were_those_of_opennmt_tf():
    names = {
        "transformer/encoder/w_embs:0": "encoder/embeddings_0/weight",
        "transformer/encoder/layer_0/multi_head/conv1d/kernel:0": (
            "encoder/layer_0/self_attention/linear_0/weight"
        ),
        "transformer/decoder/layer_0/masked_multi_head/LayerNorm/gamma:0": (
            "decoder/layer_0/self_attention/layer_norm/gamma"
        ),
        "transformer/decoder/layer_0/multi_head/conv1d_2/bias:0": (
            "decoder/layer_0/attention/linear_2/bias"
        ),
        "transformer/decoder/dense/bias:0": "decoder/projection/bias",
    }
    assert renewed("", 1, dict.fromkeys(names, 1)) == dict.fromkeys(names.values(), 1)
    assert renewed("WhisperSpec", 1, {"num_heads": 1}) == {"num_heads": 1}


def test_values_of_an_old_file_must_have_a_known_size(tmp_path):
    content = binary({"a": np.zeros(3, np.float32)}, version=3).replace(
        b"\x04\x03\0\0\0", b"\x05\x03\0\0\0"
    )
    (tmp_path / "model.bin").write_bytes(content)
    with pytest.raises(ModelError, match="a value of a must have 1, 2 or 4 bytes; got 5"):
        read_pretrained(tmp_path)


def converted(folder: Path, symbols: list[str], **config: Any) -> Seq2Seq:
    """As the converter of transformers writes it, which leaves a source's end to the tokenizer."""
    model, variables = parts(len(symbols) + 4, 4)
    order = list(range(4, len(symbols) + 4))
    variables |= tables(model, order)
    for side in ("encoder", "decoder"):
        variables[f"{side}/num_heads"] = np.array(4, np.int16)
        variables[f"{side}/activation"] = np.array(3, np.int8)
    if config.pop("from_zero", False):
        variables["decoder/start_from_zero_embedding"] = np.array(1, np.int8)
    (folder / "model.bin").write_bytes(binary(variables))
    (folder / "shared_vocabulary.json").write_text(json.dumps(symbols))
    settings = {
        "add_source_bos": False, "add_source_eos": False, "bos_token": "<s>", "eos_token": "</s>",
        "decoder_start_token": "</s>", "layer_norm_epsilon": None, "unk_token": "<unk>",
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps({**settings, **config}))
    return model


@torch.no_grad()
def test_rows_behind_the_symbols_of_t5(tmp_path):
    extra = ["<extra_id_1>", "<extra_id_0>"]
    symbols = ["<pad>", "</s>", "<unk>", "▁a", "b", *extra, "<extra_id_0>", "<extra_id_1>"]
    model = converted(tmp_path, symbols, bos_token="<pad>", decoder_start_token="<pad>")
    found = read_pretrained(tmp_path)
    ours = found.target_tokenizer
    assert [s for s in ours.symbols(range(ours.size)) if s.startswith("<")][4:] == [
        *extra, "<row_7>", "<row_8>",
    ]  # fmt: skip
    source = found.source_tokenizer.encode("▁a b <extra_id_0>")
    given = found.model(Source.of_tokens([source]), torch.tensor([[BEGIN, *source]]))
    rows = torch.tensor([[4 + symbols.index(s) for s in ("▁a", "b", "<extra_id_0>", "</s>")]])
    start = torch.tensor([[4, *rows[0, :3]]])
    expected = model(Source(rows, torch.tensor([4])), start)
    for number, symbol in enumerate(ours.symbols(range(ours.size))):
        if number > END and "row" not in symbol:
            row = 4 + symbols.index(symbol)
            torch.testing.assert_close(given[..., number], expected[..., row], atol=1e-4, rtol=0)


@torch.no_grad()
def test_marian_begins_with_zeros(tmp_path):
    symbols = ["</s>", "<unk>", "▁a", "b"]
    model = converted(tmp_path, symbols, from_zero=True)
    found = read_pretrained(tmp_path)
    source = found.source_tokenizer.encode("▁a b")
    given = found.model(Source.of_tokens([source]), torch.tensor([[BEGIN, *source]]))
    model.target_embedding.weight[BEGIN] = 0
    rows = torch.tensor([[6, 7, 4]])
    expected = model(Source(rows, torch.tensor([3])), torch.tensor([[BEGIN, 6, 7]]))
    torch.testing.assert_close(given[..., [4, 5, END]], expected[..., [6, 7, 4]], atol=1e-4, rtol=0)
    assert given[..., BEGIN].max() < -1000


def test_models_whose_sources_have_no_end_are_refused(tmp_path):
    converted(tmp_path, ["<blank>", "<unk>", "<s>", "</s>", "a"], decoder_start_token="<s>")
    with pytest.raises(ModelError, match="add_source_eos must be true"):
        read_pretrained(tmp_path)
