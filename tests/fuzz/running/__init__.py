"""What runs harnesses: workers under limits, a corpus that grows, failures made small."""
