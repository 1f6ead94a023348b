"""The zoo: named models of public data, each rebuilt, measured and described by one command."""
