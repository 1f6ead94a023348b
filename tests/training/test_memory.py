from __future__ import annotations

import ctypes

import pytest

from transduce.training.allocation import keep_freed_buffers


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        pass

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library())
    keep_freed_buffers()


def test_freed_memory_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[int, int] = {}

    class Library:
        @staticmethod
        def mallopt(option: int, value: int) -> int:
            asked[option] = value
            return 1

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library())
    keep_freed_buffers()
    assert asked == {-3: 1 << 30, -1: (1 << 31) - 1}
