"""Studies: many trainings that are compared."""
