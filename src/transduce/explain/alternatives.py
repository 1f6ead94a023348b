"""What else the model was about to say at each token of an output, and how sure it was."""

from __future__ import annotations

import torch

from transduce.errors import ConfigError
from transduce.explain.asking.outputs import given_output, own_output
from transduce.reading.frames import FrameSource
from transduce.reading.parts import find_part
from transduce.search.retrace import Retracing, retraced
from transduce.tokenization.joint import coder
from transduce.workflow.predicting.other_tokens import (
    Alternative,
    TokenAlternatives,
    token_alternatives,
)
from transduce.workflow.trained import TrainedModel

__all__ = ["Alternative", "TokenAlternatives", "alternatives"]


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
    return token_alternatives(read, written.tokens, own, count)
