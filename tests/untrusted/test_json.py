"""JSON that is damaged or made to do harm is refused in a few words."""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transduce.errors import ModelError
from transduce.untrusted.json import parse_json, read_json, read_object

_NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
_VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_VALUES, st.booleans())
def test_what_python_writes_is_read(value: object, ascii_only: bool) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only)) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting property name"),
        ("[" * 100_000, "must be nested 64 deep at most"),
        ("[" * 65 + "]" * 65, "must be nested 64 deep at most"),
        ('{"a":' * 65 + "1" + "}" * 65, "must be nested 64 deep at most"),
        ("[" * 3_000_000, "must have 2,000,000 objects and arrays at most; got 3,000,000"),
        (f"[{'0,' * 5_000_000}0]", "must have 4,000,000 values at most; got 5,000,000"),
        ('{"a": 1, "b": {"c": 1, "c": 1}}', "a key must be given once; got 'c' twice"),
        ("[NaN]", "numbers must be finite; got NaN"),
        ("[-Infinity]", "numbers must be finite; got -Infinity"),
        ("[1e999]", "numbers must be finite; got 1e999"),
        (f"[{'9' * 5000}]", f"numbers must be finite; got {'9' * 20}"),
        (r'["\ud800"]', "texts must be Unicode; got half a surrogate pair"),
        (r'{"\udc00x": 1}', "texts must be Unicode; got half a surrogate pair"),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)) as caught:
        parse_json(text)
    assert "\n" not in str(caught.value)


def test_nesting_that_somebody_may_have() -> None:
    assert parse_json("[" * 64 + "]" * 64) is not None


def test_numbers_that_no_file_should_hold() -> None:
    assert parse_json("[NaN, Infinity, 1e999, 1]", odd_numbers="none") == [None, None, None, 1]
    assert parse_json("[-Infinity, 1e999]", odd_numbers="kept") == [-math.inf, math.inf]
    largest = 2**63 - 1
    found = parse_json(f"[{largest}, {largest + 1}, {-largest - 1}, {-largest - 2}]")
    assert found == [largest, float(largest + 1), -largest - 1, float(-largest - 2)]
    assert [type(number) for number in found] == [int, float, int, float]
    assert parse_json('["\\ud83d\\ude00"]') == ["😀"]


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(ModelError, match=r"x\.json must be readable JSON; it is no UTF-8"):
        read_json(path)
    path.write_text("[1]")
    assert read_json(path) == [1]
    with pytest.raises(ModelError, match=r"x\.json must hold a JSON object; got another value"):
        read_object(path)
    with path.open("wb") as file:
        file.truncate(97 << 20)
    with pytest.raises(ModelError, match=r"it must have 96 MB at most; got 97\.0 MB"):
        read_json(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.json")
    with pytest.raises(ModelError, match="must be readable JSON; a pipe"):
        read_json(tmp_path / "x.json")
    with pytest.raises(ModelError, match="must be readable JSON; a device"):
        read_json("/dev/zero")
