"""The fast form of a trained model, and its optional native kernels."""

from transduce.engine.choice import Engine, choose_engine, engine_of, fast_stepper

__all__ = ["Engine", "choose_engine", "engine_of", "fast_stepper"]
