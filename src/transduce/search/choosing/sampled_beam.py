"""A beam whose continuations are drawn in place of being the best."""

from __future__ import annotations

import torch
from torch import Tensor

from transduce.config import SearchConfig
from transduce.search.choosing.diverse_beam import split
from transduce.search.choosing.open_hypotheses import Choice, Live
from transduce.search.choosing.sampling import uniform
from transduce.search.choosing.top_k import top
from transduce.search.choosing.truncation import warped

__all__ = ["SampledBeamChooser"]


class SampledBeamChooser:
    """Draws continuations of all W hypotheses of a lane together, without replacement.

    The probability of one is that of the whole hypothesis, at the temperature and without the tails
    that are cut; hypotheses are ranked by the sum of these scores. As ``generate`` of transformers
    with ``do_sample`` and ``num_beams``. Draws are the largest of Gumbel-perturbed scores
    (Kool et al. 2019).
    """

    def __init__(self, options: SearchConfig, numbers: Tensor, ends: tuple[int, ...]) -> None:
        """``numbers`` int64 ``[B]`` names the sentences for the random numbers."""
        self._options = options
        self._numbers = numbers
        self._ends = ends

    def __call__(self, log_probs: Tensor, live: Live, sentences: Tensor) -> Choice:
        """See ``Chooser``."""
        lanes, width, size = log_probs.shape
        # [M, W, V] → [N, V] and back
        scores = warped(log_probs.reshape(lanes * width, size), self._options)
        sums = (live.scores[:, :, None] + scores.view(lanes, width, size)).flatten(1)  # [M, W·V]
        drawn = self._drawn(sums, live.length, self._numbers[sentences])
        # Best first; of what is not permitted nothing is left.
        found, order = sums.gather(1, drawn).sort(dim=1, descending=True, stable=True)
        places = drawn.gather(1, order)
        return split(places // size, places % size, found.to(live.scores.dtype), width, self._ends)

    def _drawn(self, sums: Tensor, length: int, numbers: Tensor) -> Tensor:
        """Places of the (1 + ends) · W continuations that are drawn."""
        lanes, places = (sums > -torch.inf).nonzero(as_tuple=True)
        points = uniform(self._options.seed, numbers[lanes], places, length)
        noise = -torch.log(-torch.log(points.clamp(min=1e-300)))
        keys = torch.full(sums.shape, -torch.inf, dtype=torch.float64, device=sums.device)
        keys[lanes, places] = sums[lanes, places].double() + noise
        width = self._options.sample_beam
        return top(keys, min((1 + len(self._ends)) * width, sums.shape[1]))[1]
