"""Losses as functions of arrays; they know nothing of methods, models or files."""
