"""Recordings and pictures."""
