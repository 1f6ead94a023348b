"""The training pairs whose decoder states are nearest: which examples taught the model this."""

from transduce.explain.neighbours.nearest_pairs import NearestPairs, Neighbour, nearest_pairs
from transduce.explain.neighbours.states_of_pairs import make_index

__all__ = ["NearestPairs", "Neighbour", "make_index", "nearest_pairs"]
