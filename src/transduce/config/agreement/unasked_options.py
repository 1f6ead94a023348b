"""Options that do nothing without others."""

from __future__ import annotations

from transduce.config.training import TrainingConfig
from transduce.errors import ConfigError

__all__ = ["refuse_unasked"]

# Options that have no effect unless one of others is set.
_OF_OTHERS = {
    "teacher_weight": ("teacher",),
    "teacher_temperature": ("teacher",),
    "teacher_outputs": ("teacher",),
    "teacher_folder": ("teacher",),
    "simcut_share": ("simcut_weight",),
    "adversarial_symbols_share": ("adversarial_symbols_weight",),
    "mixup_alpha": ("mixup_weight",),
    "risk_method": ("risk_weight",),
    "risk_metric": ("risk_weight",),
    "risk_samples": ("risk_weight",),
    "risk_sharpness": ("risk_weight",),
    "denoising_share": ("denoising",),
    "denoising_span": ("denoising",),
    "adversarial_size": ("adversarial_weight", "virtual_adversarial_weight"),
}


def refuse_unasked(training: TrainingConfig) -> None:
    """Raise ConfigError for an option of what a recipe does not do."""
    for name, others in _OF_OTHERS.items():
        value = getattr(training, name)
        asked = any(getattr(training, other) for other in others)
        if not asked and value != TrainingConfig.model_fields[name].default:
            wanted = " and ".join(f"training.{other}" for other in others)
            raise ConfigError(f"training.{name} must be left out without {wanted}; got {value}")
    if training.matrix_learning_rate is not None and training.optimizer != "muon":
        raise ConfigError(
            "training.matrix_learning_rate must be left out without training.optimizer muon; "
            f"got {training.matrix_learning_rate:g}"
        )
    if training.risk_method == "reinforcement":
        _refuse_odd_reinforcement(training)


def _refuse_odd_reinforcement(training: TrainingConfig) -> None:
    if training.risk_samples < 2:
        raise ConfigError(
            "training.risk_samples must be at least 2 with training.risk_method reinforcement, "
            f"which compares them; got {training.risk_samples}"
        )
    if training.risk_sharpness != TrainingConfig.model_fields["risk_sharpness"].default:
        raise ConfigError(
            "training.risk_sharpness must be left out with training.risk_method reinforcement; "
            f"got {training.risk_sharpness:g}"
        )
