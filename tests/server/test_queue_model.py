"""The simulated queue of docs/serve.md against small cases by hand and against theory."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.queue_model import main, waits
from numpy.typing import NDArray


def at(*times: float) -> NDArray[np.float64]:
    return np.array(times, dtype=np.float64)


def test_a_free_process_takes_all_that_wait() -> None:
    # 0 alone until 4; then 1 and 2 together: 3 + 2 · 1
    assert waits(at(0, 1, 2), 3, 1, 1).tolist() == [4, 8, 7]


def test_a_pack_has_a_limit() -> None:
    assert waits(at(0, 1, 2), 3, 1, 1, pack=1).tolist() == [4, 7, 10]


def test_processes_work_side_by_side() -> None:
    # the second process takes 1 at once; 2 waits for the first, which is free at 4
    assert waits(at(0, 1, 2), 3, 1, 2).tolist() == [4, 4, 6]


def test_one_by_one_waits_as_pollaczek_and_khinchine_say() -> None:
    share, needs = 0.7, 2.0  # M/D/1: the mean time is D (1 + share / (2 (1 - share)))
    gaps = np.random.default_rng(1).exponential(needs / share, 200_000)
    mean = float(waits(np.cumsum(gaps), 0.0, needs, 1, pack=1).mean())
    assert mean == pytest.approx(needs * (1 + share / (2 * (1 - share))), rel=0.05)


def test_a_line_for_each_pack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "queue --rate 100 --fixed 1 --each 1 --processes 2 --pack 0 4 --requests 1000"
    monkeypatch.setattr("sys.argv", words.split())
    main()
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("packs of all: ")
    assert first.endswith("at most 2,000 requests a second")
    assert second.endswith("at most 1,600 requests a second")
