"""Metrics, metrics of pseudo-labels, and warnings."""
