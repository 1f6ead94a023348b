"""How valid inputs are damaged. A mutation makes other bytes of bytes, by a generator alone."""
