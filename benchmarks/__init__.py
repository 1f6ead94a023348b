"""Measurements: each is a command, ``python -m benchmarks.NAME --help``. None runs in the tests."""
