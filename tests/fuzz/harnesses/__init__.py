"""One file a harness, in folders by subject."""
