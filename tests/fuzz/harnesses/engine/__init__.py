"""Harnesses of the native engine, against the model that it is the fast form of."""
