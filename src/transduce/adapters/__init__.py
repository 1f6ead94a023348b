"""Small changes of a trained model, each in a file of its own."""

from __future__ import annotations

from transduce.adapters.adapter import Adapter
from transduce.adapters.adapter_file import base_of_adapter, read_adapter, write_adapter
from transduce.adapters.adapter_learner import AdapterLearner
from transduce.adapters.low_rank_change import LARGEST_RANK, LowRankChange
from transduce.adapters.taught_batch import EncodedSources, TaughtBatch, Teacher

__all__ = [
    "LARGEST_RANK",
    "Adapter",
    "AdapterLearner",
    "EncodedSources",
    "LowRankChange",
    "TaughtBatch",
    "Teacher",
    "base_of_adapter",
    "read_adapter",
    "write_adapter",
]
