"""Files that are whole at every instant, alone and several as one; locks, checksums."""

from __future__ import annotations

from transduce.files.change import Change, changing
from transduce.files.committed import clear_left, finish, is_free, place
from transduce.files.growing import append_block
from transduce.files.lock import locked, locked_in_turn
from transduce.files.reading import read_as_one
from transduce.files.replace import aside_name, clear_asides, replacing, write_bytes, write_text
from transduce.files.sums import SUMS, Sums, damaged, digest
from transduce.files.switch import exchange, switching
from transduce.files.sync import named, sync_file, sync_folder, sync_tree

__all__ = [
    "SUMS",
    "Change",
    "Sums",
    "append_block",
    "aside_name",
    "changing",
    "clear_asides",
    "clear_left",
    "damaged",
    "digest",
    "exchange",
    "finish",
    "is_free",
    "locked",
    "locked_in_turn",
    "named",
    "place",
    "read_as_one",
    "replacing",
    "switching",
    "sync_file",
    "sync_folder",
    "sync_tree",
    "write_bytes",
    "write_text",
]
