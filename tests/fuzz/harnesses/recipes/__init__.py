"""What a person writes: recipes, options, command lines."""
