"""Weights in fewer bytes: how they are rounded, stored and used."""

from transduce.compress.rounding import shrunk
from transduce.compress.shrunk import Shrunk, floats_of, int8_rows

__all__ = ["Shrunk", "floats_of", "int8_rows", "shrunk"]
