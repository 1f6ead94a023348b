"""A fuzzer of everything that comes in: harnesses, mutations, and what runs them under limits."""
