"""A corpus that is predicted block by block, here or by the workers of a cluster."""

from transduce.commands.in_blocks.predict_corpus import Spread, predict_corpus

__all__ = ["Spread", "predict_corpus"]
