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
        dev_fraction=0.4,
        options={
            "data.input": {"kind": "audio", "sampling_rate": 8000, "mel_bins": 16},
            # What is held out hangs on the folder's name, and with it whether anything is said.
            "search.min_length": 1,
        },
    )
    learner.fit(paths * 3, ["abcd"[n % 4] for n in range(12)] * 3).save(folder / "model")
    return folder
