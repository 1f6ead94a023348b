"""``transduce predict``: sources in, answers out in the form that was asked for."""

from transduce.commands.predicting.predict import Request, predict

__all__ = ["Request", "predict"]
