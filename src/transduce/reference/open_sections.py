"""What a trained model can still be told; its other sections made it what it is."""

from __future__ import annotations

__all__ = ["OPEN_SECTIONS"]

OPEN_SECTIONS = ("data", "search", "neighbours", "evaluation", "engine")
