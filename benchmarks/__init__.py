"""Figures that take a GPU or an hour: each script is resumable and says what it measured."""
