"""Studies: comparisons of many trainings."""
