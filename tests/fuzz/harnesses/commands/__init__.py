"""What is typed: command lines, standard input, options of ``pipeline``."""
