"""Readers of pairs and of what is to be predicted."""
