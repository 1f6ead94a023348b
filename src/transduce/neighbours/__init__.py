"""Decoder states of training pairs: which examples are nearest, and what they went on with."""

from __future__ import annotations

from transduce.neighbours.index import StateIndex
from transduce.neighbours.nearest import Nearest
from transduce.neighbours.stepping import NeighbourStepper

__all__ = ["Nearest", "NeighbourStepper", "StateIndex"]
