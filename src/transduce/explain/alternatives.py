"""What else the model was about to say at each token of an output, and how sure it was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from transduce.errors import ConfigError
from transduce.explain.asking.outputs import given_output, own_output
from transduce.interfaces import END
from transduce.reading.frames import FrameSource
from transduce.reading.parts import find_part
from transduce.search.retrace import Retracing, retraced
from transduce.tokenization.joint import Coder, coder
from transduce.workflow.trained import TrainedModel

__all__ = ["Alternative", "TokenAlternatives", "alternatives"]

_END = "end"


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another token, as a person reads it, and its probability, 0 to 1."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class TokenAlternatives:
    """A token of an output: its probability (0 to 1), the ``entropy`` (nats) of what the model
    might have written there, and the most probable other tokens, best first.
    """

    name: str
    probability: float
    entropy: float
    others: tuple[Alternative, ...]


def alternatives(
    trained: TrainedModel,
    source: FrameSource,
    output: str | None = None,
    *,
    count: int = 5,
    part: str | None = None,
) -> tuple[TokenAlternatives, ...]:
    """For each token of an output, its end among them, the ``count`` nearest alternatives.

    ``output`` is what the model is made to write; None: what it writes by itself. All are
    conditioned on what comes before in the output. Raises ConfigError for a ``count`` below 1,
    DataError for a source or an output that the model cannot read or write.
    """
    if count < 1:
        raise ConfigError(f"count of alternatives must be at least 1; got {count}")
    chosen = find_part(trained.config, part)
    own = coder(trained.target_tokenizer, chosen.name)
    if output is None:
        written = own_output(trained, source, chosen)
    else:
        written = given_output(trained, source, output, chosen)
    if not written.tokens:
        return ()
    stepper = trained.stepper()
    with torch.no_grad():
        state = stepper.start(trained.reader.encoded(source, chosen).to(trained.model.device))
        [read] = retraced(stepper, state, [written.tokens], Retracing(count + 1))
    found = []
    for place, (token, name) in enumerate(zip(written.tokens, written.symbols, strict=True)):
        pairs = zip(read.best_tokens[place].tolist(), read.best_log_probs[place], strict=True)
        others = [(other, float(np.exp(log_prob))) for other, log_prob in pairs if other != token]
        found.append(
            TokenAlternatives(
                name,
                float(np.exp(read.log_probs[place])),
                float(read.entropies[place]),
                tuple(Alternative(_name(other, own), share) for other, share in others[:count]),
            )
        )
    return tuple(found)


def _name(token: int, own: Coder) -> str:
    return _END if token == END else own.symbols([token])[0]
