"""Hugging Face transformers in training: a fresh Marian model in a plain PyTorch loop.

What their ``Trainer`` does by default, without its bookkeeping: fused AdamW, gradients clipped to
a norm of 1, decoder inputs made by the collator, loss outside of the model where labels are
smoothed (by PyTorch's own function, which is faster than their two passes).
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import NamedTuple

import torch
import transformers
from torch import Tensor

from benchmarks.train_protocol import BEGIN, END, Case, Feed, Pairs, Ready

_PADDING = 0
_IGNORED = -100


class Inputs(NamedTuple):
    """A padded batch, int64 ``[B, S]``, ``[B, S]``, ``[B, T]`` and ``[B, T]``."""

    source: Tensor
    mask: Tensor
    target_input: Tensor
    labels: Tensor


def main() -> None:
    """Train on request, in float32 or under autocast to bfloat16."""
    feed: Feed[Inputs] = Feed()
    case, precision = Case.read(sys.argv[1]), sys.argv[2]
    torch.manual_seed(1)
    model = transformers.MarianMTModel(_config(case)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=case.learning_rate, fused=True)
    loss_of = torch.nn.CrossEntropyLoss(label_smoothing=case.label_smoothing)
    parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
    versions = {name: version(name) for name in ("torch", "transformers")}
    feed.open([_inputs(pairs) for pairs in case.batches], Ready(parameters, versions, precision))
    for batch in feed:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            logits = model(
                input_ids=batch.source,
                attention_mask=batch.mask,
                decoder_input_ids=batch.target_input,
                use_cache=False,
            ).logits
            loss = loss_of(logits.flatten(0, 1), batch.labels.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        feed.losses.append(loss.item())


def _config(case: Case) -> transformers.MarianConfig:
    return transformers.MarianConfig(
        vocab_size=case.sizes[1],
        decoder_vocab_size=case.sizes[1],
        d_model=case.width,
        encoder_layers=case.layers,
        decoder_layers=case.layers,
        encoder_ffn_dim=case.feedforward,
        decoder_ffn_dim=case.feedforward,
        encoder_attention_heads=case.heads,
        decoder_attention_heads=case.heads,
        dropout=case.dropout,
        attention_dropout=0.0,
        activation_dropout=0.0,
        activation_function="relu",
        scale_embedding=True,
        share_encoder_decoder_embeddings=True,
        tie_word_embeddings=True,
        pad_token_id=_PADDING,
        bos_token_id=BEGIN,
        eos_token_id=END,
        decoder_start_token_id=BEGIN,
        forced_eos_token_id=None,
        init_std=case.width**-0.5,  # as the embeddings of the others
    )


def _inputs(pairs: Pairs) -> Inputs:
    sources, targets = pairs
    source = _padded([[*row, END] for row in sources], _PADDING)
    return Inputs(
        source,
        (source != _PADDING).long(),
        _padded([[BEGIN, *row] for row in targets], _PADDING),
        _padded([[*row, END] for row in targets], _IGNORED),
    )


def _padded(rows: list[list[int]], value: int) -> Tensor:
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[value] * (longest - len(row))] for row in rows])


if __name__ == "__main__":
    main()
