"""``transduce predict``: sources in, answers out in the form that was asked for."""

from transduce.commands.predicting.predict import predict
from transduce.commands.predicting.request import Request

__all__ = ["Request", "predict"]
