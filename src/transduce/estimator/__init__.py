"""What makes the Python face at home among scikit-learn, notebooks and worker processes."""

from transduce.estimator.model_files import ModelFiles

__all__ = ["ModelFiles"]
