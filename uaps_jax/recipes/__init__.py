"""Recipes: several trainings and passes over images in a row, with files between them."""
