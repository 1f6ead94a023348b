"""What a person is told: one line that a terminal can show, whatever a file has put into it."""

from __future__ import annotations

import pytest

from transduce.errors import ConfigError, DataError, ModelError, TransduceError, one_line


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("plain, é, 日本語, 👍", "plain, é, 日本語, 👍"),
        ("a\nb\r\nc", r"a\nb\r\nc"),
        ("\x1b[2J\x9b1m\x07", r"\x1b[2J\x9b1m\x07"),
        ("key\u202eyek", r"key\u202eyek"),
        ("half \ud800", r"half \ud800"),
        ("a\u2028b\0", r"a\u2028b\x00"),
    ],
)
def test_nothing_that_a_file_says_moves_the_cursor(given: str, told: str) -> None:
    assert one_line(given) == told
    assert str(ModelError(given)) == told
    assert str(DataError("m", file=given, line=3)) == f"{told}, line 3: m"


def test_of_a_long_message_the_middle_is_left_out() -> None:
    told = str(ConfigError(f"{'a' * 5000} must be shorter"))
    assert len(told) == 2000
    assert told.startswith("a" * 1597 + " … a")
    assert told.endswith("a must be shorter")
    assert len(str(ConfigError("\U000e0001" * 1999))) == 2000


def test_an_error_without_a_message_is_one() -> None:
    assert str(TransduceError()) == ""
