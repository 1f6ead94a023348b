"""What several harnesses feed their inputs to."""
