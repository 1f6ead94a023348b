from __future__ import annotations

import io

import pytest
from rich.console import Console

from transduce.training.record.progress import (
    LineProgress,
    LiveProgress,
    Progress,
    Silence,
    Status,
    choose_progress,
)

STATUS = Status(
    step=1200,
    epoch=2.5,
    loss=1.25,
    learning_rate=1e-3,
    tokens_per_second=41234.5,
    minutes=1.5,
    progress=0.25,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown_by(progress: Progress) -> None:
    with progress:
        progress.say("a line")
        progress.step(STATUS)
        progress.scored(1200, {"loss": 1.1, "exact_match": 61.25}, best=True)


def test_time_left_follows_from_the_part_that_is_used() -> None:
    assert STATUS.minutes_left == 4.5
    assert "1:30 used, 4:30 left" in str(STATUS)
    begun = Status(1, 0.0, 1.0, 0.1, 1.0, 0.0, 0.0)
    assert begun.minutes_left is None
    assert "? left" in str(begun)


def test_hours_are_written_as_such() -> None:
    long = Status(1, 0.0, 1.0, 0.1, 1.0, minutes=61.5, progress=1.0)
    assert "1:01:30 used" in str(long)


def test_plain_lines_in_a_log() -> None:
    stream = io.StringIO()
    shown_by(LineProgress(stream))
    assert stream.getvalue().splitlines() == [
        "a line",
        "step 1,200  epoch 2.50  loss 1.250  41,234 tokens/s  rate 1.00e-03  1:30 used, 4:30 left",
        "step 1,200  dev  loss 1.100  exact_match 61.25  (best)",
    ]


def test_lines_do_not_flood_a_log() -> None:
    stream = io.StringIO()
    progress = LineProgress(stream, seconds=1000)
    for _ in range(5):
        progress.step(STATUS)
    assert len(stream.getvalue().splitlines()) == 1


def test_live_display_shows_everything() -> None:
    stream = Terminal()
    shown_by(LiveProgress(Console(file=stream, width=120, force_terminal=True)))
    for words in (
        "a line",
        "exact_match",
        "61.25",
        "1,200",
        "41,234 tokens/s",
        "4:30 left",
        "best",
    ):
        assert words in stream.getvalue()


@pytest.mark.parametrize(("width", "shown"), [(40, 1), (80, 4), (120, 4)])
def test_a_narrow_screen_has_the_first_metrics_whole(width: int, shown: int) -> None:
    stream = Terminal()
    metrics = {"exact_match": 61.25, "symbol_error_rate": 2.0, "loss": 1.0, "accuracy": 1.0}
    with LiveProgress(Console(file=stream, width=width, force_terminal=True)) as progress:
        progress.scored(123_000, metrics, best=True)
    picture = stream.getvalue()
    assert [name in picture for name in metrics] == [number < shown for number in range(4)]
    assert "123,000" in picture


def test_ctrl_c_leaves_a_whole_table() -> None:
    stream = Terminal()
    places: list[int] = []

    def training() -> None:
        with LiveProgress(Console(file=stream, width=80, force_terminal=True)) as progress:
            progress.scored(1200, {"loss": 1.1, "exact_match": 61.25}, best=True)
            progress.step(STATUS)
            places.append(stream.tell())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training()
    left = stream.getvalue()[places[0] :]
    for words in ("exact_match", "61.25", "best", "step 1,200", "4:30 left"):
        assert words in left
    assert left.endswith("\n\x1b[?25h")  # the cursor is back, on a line of its own


def test_live_display_keeps_to_the_last_scorings() -> None:
    stream = Terminal()
    progress = LiveProgress(Console(file=stream, width=120, force_terminal=True), scorings=2)
    with progress:
        for step in (1, 2, 3):
            progress.scored(step, {"loss": float(step)}, best=False)
        stream.truncate(0)
    assert "2.000" in stream.getvalue()
    assert "1.000" not in stream.getvalue()


def test_terminal_decides_the_display() -> None:
    assert isinstance(choose_progress(Terminal()), LiveProgress)
    assert isinstance(choose_progress(io.StringIO()), LineProgress)


def test_silence_says_nothing(capsys: object) -> None:
    shown_by(Silence())
    assert capsys.readouterr() == ("", "")  # type: ignore[attr-defined]
