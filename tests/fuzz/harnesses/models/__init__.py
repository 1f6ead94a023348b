"""Model directories, and what a run keeps in them."""
