"""``transduce.pipeline(task, model=…)``: models for a task, called as transformers 4 had it."""

from transduce.tasks.make_pipeline import pipeline
from transduce.tasks.task_pipeline import Text2TextPipeline

__all__ = ["Text2TextPipeline", "pipeline"]
