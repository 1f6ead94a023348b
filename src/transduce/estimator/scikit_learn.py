"""What needs scikit-learn itself. Imported only where that is loaded already."""

from __future__ import annotations

from sklearn.exceptions import NotFittedError
from sklearn.utils import InputTags, Tags, TargetTags

from transduce.errors import ModelError

__all__ = ["NotFittedModelError", "text_tags"]


class NotFittedModelError(ModelError, NotFittedError):  # type: ignore[misc]
    """A model is asked for something before it is fitted."""


def text_tags() -> Tags:
    """An estimator of texts, one of each sample, that needs targets."""
    return Tags(
        estimator_type=None,
        target_tags=TargetTags(required=True),
        input_tags=InputTags(one_d_array=True, two_d_array=False, string=True),
    )
