"""Text: line ends, marks, characters that are none, very long lines, numbers beyond any use."""

from __future__ import annotations

import re
from random import Random

from fuzz.harness import Mutation
from fuzz.mutations.octets import octets, several

__all__ = ["ODD", "TEXTS", "lines", "text"]

# Bytes that readers of text have views about.
ODD = [
    *(b"\0", b"\r", b"\r\n", b"\n", b"\n\n", b"\t", b"\t\t", b'"', b"'", b"\\", b",", b";", b" "),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xed\xbf\xbf"),
    *(b"\xf4\x90\x80\x80", b"\xff", b"\x80", b"\xe2\x80\xa8", b"\xc2\x85", b"\x0b", b"\x0c"),
    *(b"\x1a", b"\x1b[31m", b"\x7f", b"\xe2\x80\xae", b"\xcc\x81" * 40, b"\xef\xb7\xba"),
    *(b"{", b"}", b"[", b"]", b"<", b">", b"&", b"#", b"%s", b"${HOME}", b"$(id)", b"../../"),
    *(b"/dev/zero", b"null", b"NaN", b"-Infinity", b"true", b"\xe2\x9f\xaa", b"\xe2\x9f\xab"),
]
TEXTS = [
    *("", " ", "a", "\0", "\t", "\n", "\r\n", "é", "ﷺ", "e\u0301", "\u202e", "日本語", "👍🏽"),
    *("⟪PL⟫", "<pad>", "</s>", "<unk>", "\u2581", "-", "--", "..", "/", "a/b", "../a", "~"),
    "a" * 300,
    *("x" * 5000, "%s%n", "{}", "null", "NaN", "1e999", "0x10", "1_000", "-1", "|", "a|0.3|b"),
]  # fmt: skip
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_NUMBERS = [
    *(b"0", b"-1", b"1", b"2", b"-0", b"255", b"65536", b"2147483647", b"4294967296", b"1e999"),
    *(b"9223372036854775808", b"18446744073709551616", b"-9223372036854775809", b"1e-320", b"0.5"),
    *(b"nan", b"inf", b"1" * 400, b"0x7f", b"1_0", b"\xd9\xa3"),
]


def _insert(chance: Random, data: bytes) -> bytes:
    place = chance.randint(0, len(data))
    times = chance.choice([1, 1, 1, 2, 30])
    return data[:place] + chance.choice(ODD) * times + data[place:]


def _number(chance: Random, data: bytes) -> bytes:
    found = list(_NUMBER.finditer(data))
    if not found:
        return _insert(chance, data)
    chosen = chance.choice(found)
    return data[: chosen.start()] + chance.choice(_NUMBERS) + data[chosen.end() :]


def _lengthen(chance: Random, data: bytes) -> bytes:
    place = chance.randint(0, len(data))
    what = chance.choice([b"a", b" ", b"\xc3\xa9", b"ab ", b'"', b"\t", b"[", b"{", b"(", b"\\"])
    return data[:place] + what * chance.choice([100, 3000, 20_000]) + data[place:]


def _lines(chance: Random, data: bytes) -> bytes:
    rows = data.split(b"\n")
    place, other = chance.randrange(len(rows)), chance.randrange(len(rows))
    match chance.randrange(6):
        case 0:
            del rows[place]
        case 1:
            rows.insert(other, rows[place])
        case 2:
            rows[place], rows[other] = rows[other], rows[place]
        case 3:
            rows[place] = rows[place] + rows[other]
        case 4:
            rows[place] = b""
        case 5:
            rows = rows * chance.choice([2, 40])
    return chance.choice([b"\n", b"\n", b"\n", b"\r\n", b"\r"]).join(rows)


def _words(chance: Random, data: bytes) -> bytes:
    """Two pieces between marks exchanged, or one of them gone or doubled."""
    pieces = re.split(rb"([\s,:;{}\[\]\"=]+)", data)
    place, other = chance.randrange(len(pieces)), chance.randrange(len(pieces))
    match chance.randrange(3):
        case 0:
            pieces[place], pieces[other] = pieces[other], pieces[place]
        case 1:
            pieces[place] = b""
        case 2:
            pieces.insert(other, pieces[place])
    return b"".join(pieces)


lines: Mutation = several(_lines, _words, _insert)
text: Mutation = several(_insert, _insert, _number, _lines, _words, _lengthen, octets)
