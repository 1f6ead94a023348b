"""How sure a model is of an output and of each of its words, as a probability that is true."""
