"""Fewer tokens to choose from: learnt from pairs, stored beside a model."""

from transduce.shortlists.shortlist_file import (
    SHORTLIST,
    shortlist_file,
    shortlist_of,
    write_shortlist,
)

__all__ = ["SHORTLIST", "shortlist_file", "shortlist_of", "write_shortlist"]
