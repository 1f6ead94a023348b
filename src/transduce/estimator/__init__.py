"""What makes the Python face at home among scikit-learn, notebooks and worker processes."""
