"""g2p-en's checkpoint."""

from __future__ import annotations

import numpy as np

from fuzz.feeding.published import harness_of, written
from fuzz.harness import Files
from fuzz.mutations.arrays import npz


def _samples() -> list[Files]:
    import test_g2p_en

    arrays = test_g2p_en.arrays(np.random.default_rng(0))
    return [written(lambda folder: test_g2p_en.saved(arrays, folder))]


HARNESS = harness_of(
    "import-g2p-en", _samples, own={"*.npz": npz}, needs=(), quick=60, file="checkpoint20.npz"
)
