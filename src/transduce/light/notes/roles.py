"""Which tensors an operation of a noted program may name, by the place of its argument.

The kernels check how large tensors are, and the numbers in those of numbers, before a run. They
cannot know that a tensor which one operation writes is one that another takes for lengths, or that
a search makes some of its tensors itself, as large as their own operations need them. Writers of
programs see to that; a note has to keep to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from transduce.errors import ModelError

__all__ = ["ROLES", "require_roles"]

_MOVED = r"vectors|hidden|cell|output|summary\.[0-9]+"
_KEYS, _VALUES = r"keys|memory_key\.[0-9]+", r"values|memory_value\.[0-9]+"
_NOWHERE = -1

ROLES: Mapping[str, Mapping[int, str]] = {
    "buffer": {},
    "embed": {1: "tokens"},
    "packed_embed": {1: "tokens"},
    "positions": {1: "positions"},
    "linear": {},
    "norm": {},
    "gate": {},
    "place": {},
    "block_means": {2: "lengths"},
    "mean": {1: "lengths", 2: "summary"},
    "move": {1: _MOVED},
    "cell": {},
    "recurrence": {5: "lengths", 6: "summary"},
    "simple_recurrence": {2: "cells"},
    "source_scan": {2: "lengths"},
    "key_value_sums": {3: "lengths"},
    "linear_attention": {3: "lengths"},
    "source_convolution": {2: "lengths"},
    "state_space_back": {4: "lengths"},
    "state_space_onwards": {6: "lengths"},
    "ancestry_attention": {7: "cache", 8: "table", 9: "cosines", 10: "sines", 11: "bias"},
    "source_attention": {6: "lengths", 7: "cosines", 8: "sines", 9: "bias"},
    "store_memory": {3: f"{_KEYS}|{_VALUES}"},
    "memory_attention": {7: _KEYS, 8: _VALUES, 9: "lengths", 10: "attention"},
    "vocabulary": {2: "logits", 3: "scores", 4: "chosen", 5: "shortlist", 6: "unlisted"},
}
_ONCE = "vocabulary"  # for whose logits there is room


def require_roles(tensors: Sequence[str], operations: Sequence[Sequence[Any]]) -> None:
    """Raise ModelError where an operation is none that is known, or names another tensor."""
    for name, *arguments in operations:
        if not isinstance(name, str) or name not in ROLES:
            raise ModelError(f"operation must be a known one; got {name!r}")
        for place, role in ROLES[name].items():
            number = arguments[place]
            if number == _NOWHERE:
                continue
            if type(number) is not int or not 0 <= number < len(tensors):
                raise ModelError(f"{name} must name tensors of the program; got {number!r}")
            if re.fullmatch(role, tensors[number]) is None:
                raise ModelError(f"{name} must name {role}; got {tensors[number]}")
    if sum(operation[0] == _ONCE for operation in operations) > 1:
        raise ModelError("program must have one vocabulary at most")
