"""The form of a model that predicts: made once, kept until somebody says that weights changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from transduce.config import Config, EngineChoice, NeighboursConfig
from transduce.engine import fast_stepper
from transduce.errors import EngineError, ModelError
from transduce.interfaces import Stepper
from transduce.models.seq2seq import Seq2Seq
from transduce.neighbours import Nearest, NeighbourStepper, StateIndex
from transduce.workflow.predicting.predictor import Predictor

__all__ = ["FastForm", "OwnPredictors", "is_native"]


def is_native(stepper: Stepper[Any]) -> bool:
    """Whether other code than the model itself computes its steps."""
    return not isinstance(stepper, Seq2Seq | NeighbourStepper)


@dataclass
class OwnPredictors:
    """The predictors of a model by part, as long as what they are made of stays the same."""

    made_of: tuple[Config, object, object, object, Stepper[Any]]
    predictors: dict[str | None, Predictor] = field(default_factory=dict)

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        """None in a pickle or copy of the model, which makes them anew."""
        return type(None), ()


class FastForm:
    """The stepper of one model; all that share the model share this.

    The engine packs weights in a form of its own. To look at every weight at each call would
    cost more than a short search, so who changes weights says so: :meth:`forget`.
    """

    def __init__(self, model: Seq2Seq) -> None:
        self.model = model
        self._made: tuple[tuple[Any, ...], Stepper[Any]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the form: it is made again where a pickle or copy is used."""
        return {"model": self.model, "_made": None}

    def stepper(self, choice: EngineChoice, neighbours: NeighboursConfig) -> Stepper[Any]:
        """The model in evaluation mode. Made again for another engine, device or index.

        Raises EngineError where the engine cannot be had, ModelError where the index cannot, and
        for a model that only guesses frames.
        """
        if self.model.frame_output is not None:
            raise ModelError(
                "model must be one that writes; got one that guesses hidden frames "
                "(training.denoising): begin a run with its encoder (model.encoder_from)"
            )
        if self.model.training:
            self.model.eval()
        key = (choice, str(self.model.device), neighbours)
        made = self._made  # which another thread may forget meanwhile
        if made is None or made[0] != key:
            made = self._made = (key, self._make(choice, neighbours))
        return made[1]

    def _make(self, choice: EngineChoice, neighbours: NeighboursConfig) -> Stepper[Any]:
        if neighbours.index is None:
            return fast_stepper(self.model, choice)
        if choice not in ("auto", "reference"):
            raise EngineError(
                f"engine must be auto or reference where neighbours are asked; got {choice}"
            )
        index = StateIndex.load(neighbours.index)
        index.require_of(self.model, neighbours.index)
        return NeighbourStepper(
            self.model,
            Nearest(index),
            share=neighbours.share,
            count=neighbours.count,
            temperature=neighbours.temperature,
        )

    def forget(self) -> None:
        """The weights are others now."""
        self._made = None
