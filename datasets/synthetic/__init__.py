"""Synthetic industrial surfaces: the embedded default data set, made from a seed."""
