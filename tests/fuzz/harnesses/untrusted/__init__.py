"""The readers of single parts of what others publish, by themselves: fast, so much is tried."""
