"""Scores: four metrics, each under its own name."""
