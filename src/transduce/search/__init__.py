"""Finding outputs of a model: greedy, beam, diverse beam, sampling; constraints; ensembles.

Search knows a model as a ``Stepper`` (interfaces.py) and nothing of what is inside.
"""

from transduce.search.batches import decode_all
from transduce.search.decode import decode
from transduce.search.ensemble import Ensemble
from transduce.search.hypothesis import Hypothesis, Retraced
from transduce.search.retrace import Retracing
from transduce.search.rules.constraints import Constraints
from transduce.search.rules.shortlist import Shortlist
from transduce.search.segments import decode_segments
from transduce.search.watching import Branch, SearchTree, Watch, Watched

__all__ = [
    "Branch",
    "Constraints",
    "Ensemble",
    "Hypothesis",
    "Retraced",
    "Retracing",
    "SearchTree",
    "Shortlist",
    "Watch",
    "Watched",
    "decode",
    "decode_all",
    "decode_segments",
]
