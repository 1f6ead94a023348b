"""Models in CTranslate2's layout, written here without its package."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from binary_files import binary
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor, nn

from transduce.config import ModelConfig
from transduce.errors import ModelError
from transduce.interfaces import BEGIN, END, Source
from transduce.models.build import build_model
from transduce.models.seq2seq import Seq2Seq
from transduce.pretrained.published_model import read_pretrained

Variables = dict[str, NDArray[Any]]
SIZES = {
    "kind": "transformer",
    "layers": 2,
    "width": 16,
    "feedforward": 24,
    "heads": 4,
    "activation": "gelu",
    "positions": "learned",
    "norm_epsilon": 1e-5,
}
SPECIALS = ["<|endoftext|>", "<|startoftranscript|>", "<|nospeech|>", "<|notimestamps|>"]
LETTERS = sorted(pre_tokenizers.ByteLevel.alphabet())


def array(tensor: Tensor) -> NDArray[Any]:
    return tensor.detach().numpy().copy()


def norm(name: str, module: nn.Module) -> Variables:
    return {f"{name}/gamma": array(module.weight), f"{name}/beta": array(module.bias)}


def linear(name: str, *maps: nn.Linear) -> Variables:
    """Some maps as one; keys have a bias there, which no softmax sees."""
    biases = [torch.randn(len(p.weight)) if p.bias is None else p.bias for p in maps]
    return {
        f"{name}/weight": array(torch.cat([linear.weight for linear in maps])),
        f"{name}/bias": array(torch.cat(biases)),
    }


def stack(side: str, module: Any) -> Variables:
    """One stack without its embedding."""
    found: Variables = {
        f"{side}/num_heads": np.array(4, np.int16),
        f"{side}/position_encodings/encodings": array(module.entry.positions.weight),
        **norm(f"{side}/layer_norm", module.norm),
    }
    for number, layer in enumerate(module.layers):
        here = f"{side}/layer_{number}"
        own, other = layer.attention, getattr(layer, "memory_attention", None)
        found |= linear(f"{here}/self_attention/linear_0", own.query, own.key, own.value)
        found |= linear(f"{here}/self_attention/linear_1", own.output)
        found |= norm(f"{here}/self_attention/layer_norm", layer.attention_residual.norm)
        if other is not None:
            found |= linear(f"{here}/attention/linear_0", other.query)
            found |= linear(f"{here}/attention/linear_1", other.key, other.value)
            found |= linear(f"{here}/attention/linear_2", other.output)
            found |= norm(f"{here}/attention/layer_norm", layer.memory_residual.norm)
        found |= linear(f"{here}/ffn/linear_0", layer.feedforward.inner)
        found |= linear(f"{here}/ffn/linear_1", layer.feedforward.output)
        found |= norm(f"{here}/ffn/layer_norm", layer.feedforward_residual.norm)
    return found


def drawn(config: dict[str, Any], *sizes: int) -> Seq2Seq:
    """A model whose biases and norms are none of zeros and ones."""
    model = build_model(ModelConfig.model_validate(config), *sizes).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def transformer(folder: Path) -> Seq2Seq:
    """Symbols in another order than ours: the end, then the unknown one, stand in the middle."""
    symbols = ["<s>", "a", "b", "</s>", "c", "<unk>", "d"]
    sizes = {**SIZES, "max_positions": 20}
    # ours in their order: pad, which theirs has not, then unk, begin, end, a, b, c, d
    model = drawn({"encoder": sizes, "decoder": sizes, "tie": "none"}, 8, 8)
    order = [2, 4, 5, 3, 6, 1, 7]
    variables = stack("encoder", model.encoder) | stack("decoder", model.decoder)
    variables |= {
        "encoder/activation": np.array(3, np.int8),
        "decoder/activation": np.array(3, np.int8),
        "encoder/scale_embeddings": np.array(1, np.int8),
        "decoder/scale_embeddings": np.array(4.0, np.float32),  # √16 as a number
        "encoder/embeddings_0/weight": array(model.source_embedding.weight[order]),
        "decoder/embeddings/weight": array(model.target_embedding.weight[order]),
        "decoder/projection/weight": array(model.output.weight[order]),
        "decoder/projection/bias": array(model.output.bias[order]),
    }
    (folder / "model.bin").write_bytes(binary(variables))
    (folder / "shared_vocabulary.json").write_text(json.dumps(symbols))
    (folder / "config.json").write_text(json.dumps({"add_source_eos": True, "unk_token": "<unk>"}))
    return model


def whisper(folder: Path) -> tuple[Seq2Seq, Variables]:
    size = len(LETTERS) + len(SPECIALS)
    config = {
        "frontend": {"kind": "convolution"},
        "encoder": {**SIZES, "max_positions": 1500},
        "decoder": {**SIZES, "max_positions": 30},
        "tie": "target",
        "scale_embeddings": False,
    }
    model = drawn(config, 8, size)
    variables = stack("encoder", model.encoder) | stack("decoder", model.decoder)
    for number, layer in enumerate(model.frontend.layers):  # type: ignore[union-attr]
        variables[f"encoder/conv{number + 1}/weight"] = array(layer.weight)
        variables[f"encoder/conv{number + 1}/bias"] = array(layer.bias)
    variables |= {
        "decoder/activation": np.array(3, np.int8),
        "decoder/scale_embeddings": np.array(0, np.int8),
        "decoder/embeddings/weight": array(model.target_embedding.weight).astype(np.float16),
    }
    aliases = {"decoder/projection/weight": "decoder/embeddings/weight"}
    content = binary(variables, aliases, specification="WhisperSpec", revision=3)
    (folder / "model.bin").write_bytes(content)
    settings = {"suppress_ids": [3], "suppress_ids_begin": [LETTERS.index("Ġ"), len(LETTERS)]}
    (folder / "config.json").write_text(json.dumps(settings))
    pipeline = Tokenizer(models.BPE({name: n for n, name in enumerate(LETTERS)}, []))
    pipeline.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pipeline.decoder = decoders.ByteLevel()
    pipeline.add_special_tokens([AddedToken(name, normalized=False) for name in SPECIALS])
    pipeline.save(str(folder / "tokenizer.json"))
    return model, variables


@torch.no_grad()
def test_a_transformer_in_its_layout(tmp_path: Path) -> None:
    model = transformer(tmp_path)
    found = read_pretrained(tmp_path)
    assert found.source_tokenizer.encode("a d c") == [4, 7, 6]
    assert found.config.model.scale_embeddings
    source = Source(torch.tensor([[4, 7, 6, 1, END]]), torch.tensor([5]))
    target = torch.tensor([[BEGIN, 5, 6, 1]])
    expected = model(source, target)[..., END:]
    torch.testing.assert_close(found.model(source, target)[..., END:], expected, rtol=0, atol=1e-5)
    assert found.model(source, target)[..., 0].max() < -1000  # theirs has no padding


@torch.no_grad()
def test_a_whisper_in_its_layout(tmp_path: Path) -> None:
    model, _ = whisper(tmp_path)
    trained = read_pretrained(tmp_path)
    ours = trained.target_tokenizer
    # before, no row was moved: letters as they were, then the special symbols
    places = ours.symbols(range(ours.size))
    letters = [places.index(letter) for letter in LETTERS[10:40]]
    source = Source(torch.randn(1, 3000, 8), torch.tensor([3000]))
    start = torch.tensor([[len(LETTERS) + 1, len(LETTERS) + 3, 12, 30]])
    first = torch.tensor([[BEGIN, *ours.first, places.index(LETTERS[12])]])
    first = torch.cat([first, torch.tensor([[places.index(LETTERS[30])]])], dim=1)
    expected = model(source, start) - model.output.bias
    found = trained.model(source, first)
    torch.testing.assert_close(found[..., letters], expected[..., 10:40], rtol=0, atol=5e-3)
    assert ours.symbols(ours.first) == ["<|notimestamps|>"]
    assert ours.banned_first == (places.index("Ġ"), END)
    assert found[0, 0, places.index(LETTERS[3])] < -50  # never written


def test_a_whisper_with_another_output_is_refused(tmp_path: Path) -> None:
    _, variables = whisper(tmp_path)
    variables["decoder/projection/weight"] = variables["decoder/embeddings/weight"] + 1
    content = binary(variables, specification="WhisperSpec", revision=3)
    (tmp_path / "model.bin").write_bytes(content)
    with pytest.raises(ModelError, match="decoder/projection must be the embedding; it is not"):
        read_pretrained(tmp_path)


def test_other_specifications_are_refused(tmp_path: Path) -> None:
    transformer(tmp_path)
    (tmp_path / "model.bin").write_bytes(binary({}, specification="Wav2Vec2Spec"))
    message = "model must be a TransformerSpec or WhisperSpec; got a Wav2Vec2Spec"
    with pytest.raises(ModelError, match=re.escape(message)):
        read_pretrained(tmp_path)
