"""Tiny random Whisper models as transformers writes them, and recordings for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor

transformers = pytest.importorskip("transformers")

SPECIALS = [
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|en|>",
    "<|de|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|nospeech|>",
    "<|notimestamps|>",
    "<|0.00|>",
]
LETTERS = sorted(pre_tokenizers.ByteLevel.alphabet())
SIZE = len(LETTERS) + len(SPECIALS)
NUMBERS = {name: number for number, name in enumerate([*LETTERS, *SPECIALS])}
SUPPRESSED = [1, 7, NUMBERS["<|startoftranscript|>"], NUMBERS["<|nospeech|>"]]
SUPPRESSED_FIRST = [NUMBERS["Ġ"], NUMBERS["<|endoftext|>"]]


def save_tokenizer(folder: Path) -> None:
    pipeline = Tokenizer(models.BPE({name: n for n, name in enumerate(LETTERS)}, []))
    pipeline.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pipeline.decoder = decoders.ByteLevel()
    pipeline.add_special_tokens([AddedToken(name, normalized=False) for name in SPECIALS])
    pipeline.save(str(folder / "tokenizer.json"))


def save_model(folder: Path, *, languages: bool = False) -> Any:
    """A random model whose biases and norms are none of zeros and ones."""
    config = transformers.WhisperConfig(
        vocab_size=SIZE,
        d_model=16,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=4,
        encoder_ffn_dim=24,
        decoder_ffn_dim=40,
        num_mel_bins=8,
        max_target_positions=40,
        decoder_start_token_id=NUMBERS["<|startoftranscript|>"],
        eos_token_id=NUMBERS["<|endoftext|>"],
        pad_token_id=NUMBERS["<|endoftext|>"],
        bos_token_id=NUMBERS["<|endoftext|>"],
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    model = transformers.WhisperForConditionalGeneration(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    settings = model.generation_config
    settings.suppress_tokens, settings.begin_suppress_tokens = SUPPRESSED, SUPPRESSED_FIRST
    settings.no_timestamps_token_id = NUMBERS["<|notimestamps|>"]
    settings.is_multilingual = languages
    settings.max_length = 30
    if languages:
        settings.lang_to_id = {name: NUMBERS[name] for name in ("<|en|>", "<|de|>")}
        settings.task_to_id = {
            "translate": NUMBERS["<|translate|>"],
            "transcribe": NUMBERS["<|transcribe|>"],
        }
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return model


def frames(count: int) -> Tensor:
    return torch.randn(count, 1, 8) * 3 + torch.randn(count, 3000, 8) * 0.5  # each another sound
