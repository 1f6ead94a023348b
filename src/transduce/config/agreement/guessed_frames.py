"""What suits training that guesses hidden frames."""

from __future__ import annotations

from transduce.config.agreement.refusals import refuse
from transduce.config.data import DataConfig
from transduce.config.model import ModelConfig
from transduce.config.training import TrainingConfig

__all__ = ["refuse_odd_frames"]

_OF_TARGETS = (
    "r_drop_weight",
    "simcut_weight",
    "adversarial_weight",
    "virtual_adversarial_weight",
    "adversarial_symbols_weight",
    "mixup_weight",
    "risk_weight",
)


def refuse_odd_frames(data: DataConfig, model: ModelConfig, training: TrainingConfig) -> None:
    """What an encoder alone, which guesses frames, has no use for. Raises ConfigError."""
    if training.denoising != "frames":
        return
    refused = (
        ("data.input", data.input.kind == "text", "audio or image"),
        ("data.beside", data.beside is not None, "none"),
        ("data.parts", data.parts is not None, "none"),
        ("model.from", model.from_ is not None, "none"),
        ("training.metric", training.metric != "loss", "loss"),
        ("training.teacher", bool(training.teacher), "none"),
        ("training.lora_rank", training.lora_rank is not None, "none"),
        *((f"training.{name}", getattr(training, name) > 0, "0") for name in _OF_TARGETS),
    )
    refuse(refused, "training.denoising is frames")
