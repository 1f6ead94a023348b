"""What a recipe can say, in words: sentences, the options page, the schema, the recipes at hand."""

from transduce.reference.shipped_recipes import find_recipe, is_recipe, recipe_names, recipe_text

__all__ = ["find_recipe", "is_recipe", "recipe_names", "recipe_text"]
