"""A trained model with its matrices in fewer bytes."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from torch import Tensor

from transduce.compress import Shrunk, floats_of, shrunk
from transduce.config import WeightNumber
from transduce.errors import ModelError
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import adopt_weights, named_weights
from transduce.workflow.trained import TrainedModel

__all__ = ["WeightSizes", "require_shrinkable", "shrink", "weight_sizes"]


@dataclass(frozen=True)
class WeightSizes:
    """How many weights are stored as the config says and in how many bytes, scales included; the
    same of those that stay float32, whose names are ``kept``.
    """

    rounded: int
    rounded_bytes: int
    floats: int
    float_bytes: int
    kept: tuple[str, ...]

    @property
    def bytes_each(self) -> float:
        """Bytes of a weight, all of them taken together."""
        return (self.rounded_bytes + self.float_bytes) / max(1, self.rounded + self.floats)

    @property
    def kept_kinds(self) -> str:
        """What stays float32, by the last words of the names."""
        return ", ".join(dict.fromkeys(map(_kind, self.kept))) or "none"


def _kind(name: str) -> str:
    if name.rpartition(".")[2].startswith("bias"):
        return "biases"
    return "norms" if name.endswith("norm.weight") else name


def shrink(trained: TrainedModel, number: WeightNumber) -> TrainedModel:
    """The same model with its matrices rounded into ``number``; ``trained`` stays what it is.

    What was measured on the test set is forgotten, as it was measured of another model. Raises
    ModelError where the model's weights are no floats of ours.
    """
    require_shrinkable(trained)
    model = copy.deepcopy(trained.model).cpu()
    weights = named_weights(model)
    adopt_weights(model, {name: _rounded(name, each, number) for name, each in weights.items()})
    report = {name: value for name, value in trained.report.items() if name != "test"}
    return TrainedModel(
        trained.config.model_copy(update={"weights": number}),
        trained.source,
        trained.target_tokenizer,
        model.eval(),
        report,
        trained.confidence,
        trained.shortlist,
    )


def require_shrinkable(trained: TrainedModel) -> None:
    """Raise ModelError where the model's weights are no floats of ours."""
    if not isinstance(trained.model, Seq2Seq):
        raise ModelError("model must be of a family with modules of ours to be shrunk")
    if trained.config.weights != "float32":
        raise ModelError(
            "model must have float32 weights to be shrunk; "
            f"got {trained.config.weights}: shrink the model that it was made of"
        )


def _rounded(name: str, tensor: Tensor, number: WeightNumber) -> Tensor:
    rounded = shrunk(tensor, number)
    if isinstance(rounded, Shrunk) and not floats_of(rounded).isfinite().all():
        largest = float(tensor.abs().max())
        raise ModelError(f"{name} must fit {number}; got {largest:g}, which is too large")
    return rounded


def weight_sizes(trained: TrainedModel) -> WeightSizes:
    """What is stored in how many bytes."""
    rounded = rounded_bytes = floats = float_bytes = 0
    kept = []
    for name, tensor in trained.model.named_parameters():
        if isinstance(tensor, Shrunk):
            rounded += tensor.numel()
            rounded_bytes += tensor.numbers.nbytes
        else:
            floats += tensor.numel()
            float_bytes += 4 * tensor.numel()
            kept.append(name)
    return WeightSizes(rounded, rounded_bytes, floats, float_bytes, tuple(kept))
