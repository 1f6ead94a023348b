"""yoyodyne in training: its attentive LSTM under its own Lightning trainer.

Adam, a constant rate and no clipping, as it comes. Progress bar, log, validation and checkpoints
are off, and the batches are collated beforehand.
"""

from __future__ import annotations

import sys
import warnings
from importlib.metadata import version
from typing import Any

import lightning
import torch
from torch import Tensor
from yoyodyne import optimizers, trainers
from yoyodyne.data import Batch, PaddedTensor
from yoyodyne.models import SoftAttentionLSTMModel
from yoyodyne.models.modules import LSTMEncoder

from benchmarks.train_protocol import BEGIN, END, FIRST, Case, Feed, Pairs, Ready

_SPECIAL = 6  # symbols before the first one of the target; then come those of the source


class Losses(lightning.Callback):  # type: ignore[misc]  # no types here
    """Tells the losses."""

    def __init__(self, feed: Feed[Batch]) -> None:
        self._feed = feed

    def on_train_batch_end(
        self, trainer: object, module: object, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """After each step."""
        self._feed.losses.append(outputs["loss"].item())


def main() -> None:
    """Train on request."""
    feed: Feed[Batch] = Feed()
    warnings.filterwarnings("ignore")
    case = Case.read(sys.argv[1])
    torch.manual_seed(1)
    model = _model(case)
    trainer = trainers.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Losses(feed)],
    )
    parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
    versions = {name: version(name) for name in ("torch", "yoyodyne", "lightning")}
    batches = [_batch(pairs, case.sizes[1] - FIRST) for pairs in case.batches]
    feed.open(batches, Ready(parameters, versions))
    trainer.fit(model, train_dataloaders=feed)


def _model(case: Case) -> SoftAttentionLSTMModel:
    encoder = LSTMEncoder(
        bidirectional=True,
        dropout=case.dropout,
        embedding_size=case.width,
        hidden_size=case.width,
        layers=case.layers,
    )
    targets = _SPECIAL + case.sizes[1] - FIRST
    return SoftAttentionLSTMModel(
        source_encoder=encoder,
        compute_accuracy=False,
        decoder_dropout=case.dropout,
        decoder_hidden_size=case.width,
        decoder_layers=case.layers,
        embedding_size=case.width,
        label_smoothing=case.label_smoothing,
        optimizer=lambda parameters: optimizers.Adam(parameters, lr=case.learning_rate),
        target_vocab_size=targets,
        vocab_size=targets + case.sizes[0] - FIRST,
    )


def _batch(pairs: Pairs, target_symbols: int) -> Batch:
    """With BEGIN and END around each source, as yoyodyne has it."""
    sources, targets = pairs
    above = _SPECIAL - FIRST
    return Batch(
        PaddedTensor(
            [_tensor([BEGIN, *[s + above + target_symbols for s in row], END]) for row in sources]
        ),
        None,
        PaddedTensor([_tensor([*[s + above for s in row], END]) for row in targets]),
    )


def _tensor(row: list[int]) -> Tensor:
    return torch.tensor(row)


if __name__ == "__main__":
    main()
