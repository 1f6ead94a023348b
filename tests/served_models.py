"""Small untrained models of recordings and pictures, as directories."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from recordings import RATE, spoken
from transduce.config import Config
from transduce.reading.frames import frame_reader
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.trained import TrainedModel

__all__ = ["picture", "saved_untrained", "wav"]

_INPUTS: dict[str, dict[str, Any]] = {
    "audio": {"kind": "audio", "sampling_rate": RATE, "mel_bins": 16, "cut_at": 1.0},
    "image": {"kind": "image", "height": 12},
}
_FRONTENDS = {
    "audio": {"kind": "subsampling", "channels": 4},
    "image": {"kind": "convolution2d"},
}


def saved_untrained(kind: str, folder: Path) -> Path:
    recurrent = {"kind": "gru", "width": 16, "dropout": 0.0}
    config = Config.from_mapping(
        {
            "data": {"input": _INPUTS[kind]},
            "model": {
                "encoder": recurrent,
                "decoder": {**recurrent, "attention": "additive"},
                "frontend": _FRONTENDS[kind],
            },
            "search": {"max_length": 12},
        }
    )
    torch.manual_seed(3)
    reader = frame_reader(config.data)
    assert reader is not None
    target = Tokenizer.train(["ab cd ef gh"], config.tokenizer.target)
    TrainedModel.fresh(config, reader, target).save(folder)
    return folder


def wav(text: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, spoken(text), RATE, format="WAV")
    return file.getvalue()


def picture(width: int = 30) -> bytes:
    from PIL import Image

    pixels = np.full((12, width), 255, np.uint8)
    pixels[3:9, 5:8] = 0
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
