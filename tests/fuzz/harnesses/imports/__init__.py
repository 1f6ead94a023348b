"""Published models, one harness a family."""
