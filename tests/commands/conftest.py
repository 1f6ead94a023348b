"""What tests of several commands start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from recordings import write_recording
from transduce import Transducer


@pytest.fixture(scope="session")
def hearing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of recordings, hardly trained, and 12 recordings."""
    folder = tmp_path_factory.mktemp("heard")
    paths = [str(write_recording(folder / f"{n}.wav", "abcd"[n % 4], n)) for n in range(12)]
    stack = {"kind": "gru", "width": 16}
    learner = Transducer(
        {"frontend": {"kind": "subsampling", "channels": 4}, "encoder": stack, "decoder": stack},
        max_steps=2,
        options={
            "data.input": {"kind": "audio", "sampling_rate": 8000, "mel_bins": 16},
            "search.min_length": 1,
        },
    )
    targets = ["abcd"[n % 4] for n in range(12)]
    # A share held out would hang on the folder's name, and with it what the model says.
    learner.fit(paths * 3, targets * 3, dev=(paths, targets)).save(folder / "model")
    return folder
